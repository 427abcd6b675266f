"""A request to the node and its answer, as frames: what both ends of the socket know. Pure.

One connection carries one request: `{"verb": …, …}`. It is answered by `{"result": …}` or
`{"error": {"code", "message"}}`; `events` by `{"event": …}` for ever.
"""

from dataclasses import dataclass
from typing import Any

from paas.node.errors import NodeError
from router.wire import frames

REQUEST_BYTES_MAX = 8 * 1024 * 1024
"""A payload has environment and metadata, which are at most 1 MiB each."""


@dataclass(frozen=True)
class ExitStatus:
    """How a process ended: `code` 0–255; `signal` is the number of the signal that killed it."""

    code: int
    signal: int | None = None


def request(verb: str, arguments: dict[str, Any]) -> bytes:
    """Raises NodeError `InvalidRequest` for one that the node would not read."""
    try:
        message = frames.encode({"verb": verb, **arguments})
    except frames.FrameError as error:
        raise NodeError("InvalidRequest", str(error)) from error
    if len(message) > REQUEST_BYTES_MAX:
        raise NodeError(
            "InvalidRequest",
            f"the request has {len(message)} bytes, {REQUEST_BYTES_MAX} are the most",
        )
    return message


def result(value: Any) -> bytes:
    return frames.encode({"result": value})


def event(message: dict[str, Any]) -> bytes:
    return frames.encode({"event": message})


def refusal(error: NodeError) -> bytes:
    return frames.encode({"error": {"code": error.code, "message": error.advice}})


def value(frame: dict[str, Any]) -> Any:
    """The result in an answer. Raises the NodeError that it is instead."""
    error = frame.get("error")
    if error is not None:
        raise NodeError(str(error.get("code")), str(error.get("message")))
    return frame["result"]
