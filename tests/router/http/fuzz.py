"""A long search for messages that our parsers read otherwise than others do, guided by coverage.

    pip install atheris
    python -m tests.router.http.fuzz request --seconds 600       (or response, chunks, proxy)

Needs atheris, which the tests don't: it exits with the message that broke a rule. Hypothesis tries
the same rules in each run of the tests (test_differential, test_heads, test_chunks).
"""

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import atheris
import httptools

with atheris.instrument_imports(include=["router"]):
    from router.http import chunks, proxyprotocol
    from router.http.failures import BadRequest, BadResponse
    from router.http.response_head import response_head
    from tests.router.http.test_chunks import HEAD
    from tests.router.http.test_differential import _ours, _theirs


def request(data: bytes) -> None:
    """What is accepted, h11 accepts with the same method and framing."""
    head = data + b"\r\n\r\n"
    ours = _ours(head)
    if ours is not None:
        assert _theirs(head) == ours, head


def response(data: bytes) -> None:
    """What is accepted, llhttp accepts."""
    head = b"HTTP/1.1 " + data + b"\r\n\r\n"
    if head.find(b"\r\n\r\n") != len(head) - 4:
        return
    try:
        read = response_head(head)
    except BadResponse:
        return
    if read.status == 101:
        return  # llhttp stops there
    parser = httptools.HttpResponseParser(object())
    parser.feed_data(head)
    assert parser.get_status_code() == read.status, head


def chunked(data: bytes) -> None:
    """However it is cut, a body is the same; where we see its end, llhttp sees the same body."""
    cut = data[0] if data else 0
    body = data[1:]
    whole, parts = _decode([body]), _decode([body[:cut], body[cut:]])
    assert whole == parts, (cut, body)
    if whole is None or not whole[1]:
        return
    seen: list[bytes] = []

    class Listener:
        def on_body(self, part: bytes) -> None:
            seen.append(part)

    parser = httptools.HttpRequestParser(Listener())
    parser.feed_data(HEAD)
    parser.feed_data(body[: len(body) - len(whole[2])])
    assert b"".join(seen) == whole[0], body


def _decode(parts: list[bytes]) -> tuple[bytes, bool, bytes] | None:
    """Payload, whether it ended, and what came after; None for what is refused."""
    decoder, payload, after = chunks.Decoder(), b"", b""
    try:
        for part in parts:
            if decoder.done:
                after += part
            else:
                payload += decoder.feed(part)
                after = decoder.rest
    except BadRequest:
        return None
    return payload, decoder.done, after if decoder.done else b""


def proxy(data: bytes) -> None:
    """Refused, unfinished, or a header: nothing else is raised."""
    with contextlib.suppress(proxyprotocol.ProxyError):
        proxyprotocol.read(data)


TARGETS: dict[str, tuple[Callable[[bytes], None], list[bytes]]] = {
    "request": (
        request,
        [
            b"GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 5\r\nConnection: close",
            b"POST http://a.test/x?y=z HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked",
            b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Upgrade\r\nUpgrade: websocket",
            b"HEAD / HTTP/1.0\r\nHost: a.test\r\nExpect: 100-continue\r\nTE: trailers",
        ],
    ),
    "response": (
        response,
        [
            b"200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=b",
            b"404 Not Found\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum",
        ],
    ),
    "chunks": (
        chunked,
        [b"\x03" + b'3;a="b"\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n', b"\x010\r\n\r\nGET"],
    ),
    "proxy": (
        proxy,
        [
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 80\r\n",
            b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes(12),
        ],
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    chosen = parser.parse_args()
    check, seeds = TARGETS[chosen.target]
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds):
            Path(folder, str(number)).write_bytes(seed)
        limits = [f"-max_total_time={chosen.seconds}", "-max_len=600", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *limits, folder], check)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
