"""Descriptors handed from one process to the next arrive, and only where they were meant to."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

from paas.host import handed, sockets
from paas.host.code import checkout
from paas.host.sockets import Listener

TAKES = """
import json, os, sys
from paas.host import handed
found = handed.take(os.environ)
print(json.dumps({
    "listeners": [[item.name, item.socket.getsockname()[1]] for item in found.listeners],
    "claim": found.claim is not None and os.path.realpath(f"/proc/self/fd/{found.claim}"),
    "left": [name for name in os.environ if name.startswith("LISTEN_")],
    "inherited": [item.socket.get_inheritable() for item in found.listeners],
}))
"""
GIVES = """
import os, sys
from paas.host import handed
numbers = [int(word) for word in sys.argv[2].split(",")]
environment = os.environ | handed.give(numbers, sys.argv[3])
os.execve(sys.executable, [sys.executable, "-P", "-c", sys.argv[1]], environment)
"""


def _listener(name: str) -> Listener:
    item = socket.socket()
    item.bind(("127.0.0.1", 0))
    item.listen()
    return Listener(name, item)


def test_sockets_and_claim_reach_the_program_that_a_process_becomes(tmp_path: Path) -> None:
    listeners = [_listener("http"), _listener("control")]
    claim = os.open(tmp_path / "claim", os.O_RDWR | os.O_CREAT)
    numbers = [*sockets.descriptors(listeners), claim]
    names = f"{sockets.names(listeners)}:{handed.CLAIM}"
    command = [sys.executable, "-P", "-c", GIVES, TAKES, ",".join(map(str, numbers)), names]
    environment = os.environ | {"PYTHONPATH": str(checkout())}
    try:
        done = subprocess.run(
            command, env=environment, pass_fds=numbers, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        expected = [[item.name, item.socket.getsockname()[1]] for item in listeners]
        assert told["listeners"] == expected
        assert told["claim"] == str(tmp_path / "claim")
        assert told["left"] == []
        assert told["inherited"] == [False, False]
    finally:
        os.close(claim)
        sockets.close(listeners)


def test_what_is_meant_for_another_process_is_left_alone() -> None:
    environment = {"LISTEN_FDS": "3", "LISTEN_PID": str(os.getppid()), "LISTEN_FDNAMES": "a:b:c"}
    assert handed.take(environment) == handed.Handed()
    assert handed.take({}) == handed.Handed()
