"""The request that asks an app's instance how it is. What comes of it, `worker.health` judges."""

from collections.abc import Sequence


def request(names: Sequence[str], path: str) -> bytes:
    """The check that is sent, to the first name that is one host's; nothing without a path."""
    if not path:
        return b""
    host = next(name for name in names if not name.startswith("*"))
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: smartplatform-health-check\r\n"
        f"X-Forwarded-Proto: https\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    ).encode()
