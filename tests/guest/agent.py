"""Runs inside the guest: carries out the commands that come over the second serial line.

A line is a JSON object {"command", "timeout_s"}; the answer is a line {"status", "out"}. At its
start it says {"boot": id}: by that the host knows that the guest has started, and that it did so
anew.
"""

import json
import os
import subprocess
import termios
import tty
from pathlib import Path
from typing import Any

LINE = "/dev/ttyS1"
OUTPUT_CHARACTERS_MAX = 60_000


def main() -> None:
    descriptor = os.open(LINE, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor, termios.TCSANOW)
    with os.fdopen(descriptor, "r+b", buffering=0) as line:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        _say(line, {"boot": boot})
        waiting = b""
        while True:
            waiting += line.read(4096)
            *whole, waiting = waiting.split(b"\n")
            for request in whole:
                _say(line, _run(**json.loads(request)))


def _say(line: Any, message: dict[str, Any]) -> None:
    data = json.dumps(message).encode() + b"\n"
    while data:
        data = data[line.write(data) :]


def _run(command: str, timeout_s: float) -> dict[str, Any]:
    try:
        done = subprocess.run(
            ["bash", "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        said = (error.stdout or b"").decode(errors="replace")
        return {"status": 124, "out": said[-OUTPUT_CHARACTERS_MAX:]}
    said = done.stdout.decode(errors="replace")
    return {"status": done.returncode, "out": said[-OUTPUT_CHARACTERS_MAX:]}


main()
