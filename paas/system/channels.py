"""Streams of a process in messages: Kubernetes' remote command protocol. Pure.

`v5.channel.k8s.io`: the first byte of each binary message is the stream: 0 standard input,
1 output, 2 error, 3 how it ended (a Status object), 4 the terminal's size; 255 closes the stream
that the next byte names. (k8s.io/apimachinery remotecommand constants; KEP-4006.)
"""

import json
from typing import Any

PROTOCOL = "v5.channel.k8s.io"
STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


def message(channel: int, data: bytes) -> bytes:
    return bytes([channel]) + data


def closing(channel: int) -> bytes:
    return bytes([CLOSE, channel])


def size(rows: int, columns: int) -> bytes:
    return message(RESIZE, json.dumps({"Width": columns, "Height": rows}).encode())


def parse_size(data: bytes) -> tuple[int, int] | None:
    """Rows and columns; None for what is none."""
    try:
        found: Any = json.loads(data)
        rows, columns = found["Height"], found["Width"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    right = all(type(each) is int and 0 <= each < 65536 for each in (rows, columns))
    return (rows, columns) if right else None


def status(code: int, said: str) -> bytes:
    """How the process ended; `said` is the platform's, where it did not end by itself."""
    if code == 0 and not said:
        return message(STATUS, json.dumps({"status": "Success"}).encode())
    causes = [{"reason": "ExitCode", "message": str(code)}]
    content = {
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": said,
        "details": {"causes": causes},
    }
    return message(STATUS, json.dumps(content).encode())


def parse_status(data: bytes) -> tuple[int, str]:
    """Exit status and what the platform says of it. Raises ValueError."""
    found = json.loads(data)
    if not isinstance(found, dict):
        raise ValueError("a status is an object")
    if found.get("status") == "Success":
        return 0, ""
    causes = found.get("details", {}).get("causes", [])
    codes = [int(cause["message"]) for cause in causes if cause.get("reason") == "ExitCode"]
    return (codes[0] if codes else 1), str(found.get("message", ""))
