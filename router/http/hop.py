"""What an app is told of how its visitor came here. Pure."""

from functools import lru_cache


@lru_cache(maxsize=256)
def front(port: bytes, secure: bool) -> tuple[bytes, bool]:
    """Where a connection came in, where nobody says more of it; one object for many connections."""
    return port, secure


@lru_cache(maxsize=256)
def hop(port: bytes, secure: bool) -> bytes:
    """The lines of scheme and port; one object for many connections."""
    return b"X-Forwarded-Proto: %b\r\nX-Forwarded-Port: %b\r\nVia: 1.1 smartplatform\r\n" % (
        b"https" if secure else b"http",
        port,
    )
