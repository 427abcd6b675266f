"""Runs a program of the host for a check or a removal: short, with a time limit, never a shell."""

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

TIMEOUT_S = 60.0
TOOK_TOO_LONG = 124
SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Answer:
    """`status` is 127 when there is no such program and 124 when it took too long."""

    status: int
    out: str
    error: str


def run(command: Sequence[str], timeout_s: float = TIMEOUT_S, input: str | None = None) -> Answer:
    """Never raises: what went wrong stands in the answer."""
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"
    try:
        done = subprocess.run(
            list(command),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            env={**os.environ, "PATH": path, "LC_ALL": "C"},
            check=False,
        )
    except FileNotFoundError:
        return Answer(127, "", f"{command[0]} is not installed")
    except OSError as error:
        return Answer(126, "", f"{command[0]}: {error.strerror}")
    except subprocess.TimeoutExpired:
        return Answer(TOOK_TOO_LONG, "", f"{command[0]} took over {timeout_s:g} s")
    return Answer(done.returncode, done.stdout, done.stderr.strip())
