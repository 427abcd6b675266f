"""When a machine that is to be reached is ready: a request from the host gets an HTTP answer.

A report on the fast path says when to ask over the Unix socket; everything else is asked at the
zone's own address, once something listens on its port (the kernel has no event for that which needs
no tracing, so the node looks, often at first). A port that is open proves little: it may be open to
the zone alone, or speak something else.

Node.js answers what is asked here by itself (an expectation that nothing meets: 417), so that no
app sees it or has it in its log; others may take it for a GET of `/`. What names a URL for its
health is asked for that then, and is ready with an answer of 2xx or 3xx.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paas.node import words
from paas.node.zone import ports

REFUSED, SILENT, CLOSED, TLS, HTTP2, OTHER = (
    "refused", "silent", "closed", "tls", "http2", "other",
)  # fmt: skip
"""Why there is no HTTP/1 answer, as `unreachable.answer` has it."""
_ANSWER_TIMEOUT_S = 10.0
_REQUEST = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: smartplatform\r\nAccept: */*\r\n"
    b"Expect: readiness\r\nConnection: close\r\n\r\n"
)
_HEALTH_REQUEST = (
    "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: smartplatform-health-check\r\n"
    "X-Forwarded-Proto: https\r\nAccept: */*\r\nConnection: close\r\n\r\n"
)
"""As the router asks again and again from then on (router.choice.check)."""
_FIRST_DELAY_S = 0.025
_DELAY_MAX_S = 1.0
_PATIENCE_S = 0.3
"""How long a port must be open before it is asked: the fast path's report follows within that."""
_TELL_S = 5.0
"""A zone that opens and closes sockets all the time has its record written no more often."""
_SHOWN_MAX = 8
_BEGINNING = b"HTTP/1."
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9][0-9])[ \r]")
_LINE_BYTES = 13


Target = Path | tuple[str, int]


@dataclass(frozen=True)
class Place:
    """Where a machine is asked. `pid` is its first process, on the host."""

    pid: int
    port: int
    address: str
    socket: Path
    health: str | None = None
    """A URL, `http://<host>/<path>`."""


class Probe:
    """Waits until a machine answers. `reported` is set when its fast path is said to listen."""

    def __init__(self, place: Place, tell: Callable[[dict[str, Any]], None]) -> None:
        self.reported = asyncio.Event()
        self._place = place
        self._tell = tell
        self._told: dict[str, Any] = {}
        self._told_s = float("-inf")

    async def wait(self) -> str | None:
        """`unix` or `tcp`, by which it answers; None when its processes are gone.

        Until then `tell` hears what was found instead: `listening`, the addresses (at most eight),
        and `answer`, of whom was asked.
        """
        open_s: float | None = None
        delay_s = _FIRST_DELAY_S
        while True:
            found = await asyncio.to_thread(ports.listening, self._place.pid)
            if found is None:
                return None
            is_open = any(item.port == self._place.port for item in found)
            now_s = asyncio.get_running_loop().time()
            open_s = (open_s if open_s is not None else now_s) if is_open else None
            answer = None
            if self.reported.is_set():
                answer = await self._ask(self._place.socket)
                if answer is None:
                    return "unix"
            if open_s is not None and now_s - open_s >= _PATIENCE_S:
                answer = await self._ask((self._place.address, self._place.port))
                if answer is None:
                    return "tcp"
            self._say(found, answer)
            if open_s is None or answer is not None:
                delay_s = min(delay_s * 1.2, _DELAY_MAX_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay_s):
                    await self._next(answer)

    async def _ask(self, target: Target) -> str | None:
        answer = await ask(target)
        if answer is None and self._place.health is not None:
            return await ask_health(target, self._place.health)
        return answer

    async def _next(self, answer: str | None) -> None:
        """A report is asked after at once; one that led nowhere only when it is time again."""
        if answer is None or not self.reported.is_set():
            await self.reported.wait()
        else:
            await asyncio.Event().wait()

    def _say(self, found: Sequence[ports.Listening], answer: str | None) -> None:
        told: dict[str, Any] = {}
        if found:
            told["listening"] = sorted({str(item) for item in found})[:_SHOWN_MAX]
        if answer is not None:
            told["answer"] = answer
        now_s = asyncio.get_running_loop().time()
        is_news = told.keys() - self._told.keys()
        if told != self._told and (is_news or now_s - self._told_s >= _TELL_S):
            self._told, self._told_s = told, now_s
            self._tell(told)


async def ask(target: Target) -> str | None:
    """None for an HTTP/1 answer, whatever it says; else why there is none."""
    return await _asked(target, _REQUEST, len(_BEGINNING), _judge)


async def ask_health(target: Target, url: str) -> str | None:
    """None for an answer of 2xx or 3xx; else why not."""
    host, _, path = url.removeprefix("http://").partition("/")
    request = _HEALTH_REQUEST.format(path=f"/{path}", host=host).encode()
    return await _asked(target, request, _LINE_BYTES, _judge_health)


async def _asked(
    target: Target, request: bytes, enough_bytes: int, judge: Callable[[bytes], str | None]
) -> str | None:
    writer = None
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            if isinstance(target, Path):
                reader, writer = await asyncio.open_unix_connection(target, limit=1024)
            else:
                reader, writer = await asyncio.open_connection(*target, limit=1024)
            writer.write(request)
            return judge(await _first(reader, enough_bytes))
    except TimeoutError:
        return SILENT
    except ConnectionRefusedError:
        return REFUSED
    except ConnectionError:
        return CLOSED
    except OSError:
        return REFUSED
    finally:
        if writer is not None:
            writer.transport.abort()


async def _first(reader: asyncio.StreamReader, enough_bytes: int) -> bytes:
    """As many bytes as tell what it is, fewer at the end of the connection."""
    received = b""
    while len(received) < enough_bytes and (piece := await reader.read(64)):
        received += piece
    return received


def _judge_health(received: bytes) -> str | None:
    match = _STATUS.match(received)
    if match is None:
        return _judge(received) or OTHER
    return None if match[1][:1] in (b"2", b"3") else f"{words.UNHEALTHY}{match[1].decode()}"


def _judge(received: bytes) -> str | None:
    if received.startswith(_BEGINNING):
        return None
    if not received:
        return CLOSED
    if received[:1] in (b"\x15", b"\x16") and received[1:2] == b"\x03":
        return TLS
    # A frame of HTTP/2: three bytes of length, then the type: SETTINGS or GOAWAY.
    if received[3:4] in (b"\x04", b"\x07"):
        return HTTP2
    return OTHER
