"""HTTP in the clear, beside http.client, which judges what an answer is."""

import http.client
import io
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.client.exchange import Answer, Exchange, unix_dial

WAIT_S = 60

_bodies = st.binary(max_size=300)
_statuses = st.sampled_from([200, 201, 202, 206, 400, 404, 500])


@st.composite
def answers(draw: st.DrawFn) -> tuple[bytes, bool]:
    """Answers, and whether they are whole; others break off anywhere in their body (http.client
    takes some of those for whole, and parts of heads)."""
    body = draw(_bodies)
    head = b"%s %d Some Words\r\n" % (
        draw(st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"])),
        draw(_statuses),
    )
    head = draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"])) + head
    head += draw(st.sampled_from([b"", b"Connection: close\r\n", b"Next-Range: a ..; max=2\r\n"]))
    kind = draw(st.sampled_from(["length", "chunked", "end"]))
    if kind == "length":
        whole = head + b"content-length:%d\r\n\r\n" % len(body) + body
    elif kind == "chunked":
        sizes = draw(st.lists(st.integers(1, 40), min_size=1))
        whole = head + b"Transfer-Encoding: Chunked\r\n\r\n" + _chunked(body, sizes)
        whole += draw(st.sampled_from([b"\r\n", b"Trailer: x\r\n\r\n"]))
    else:
        whole = head + b"\r\n" + body
    shortest = whole.index(b"\r\n\r\n", len(head) - 2) + 4
    length = draw(st.one_of(st.just(len(whole)), st.integers(shortest, len(whole))))
    return whole[:length], length == len(whole)


def _chunked(body: bytes, sizes: list[int]) -> bytes:
    text, at = b"", 0
    while at < len(body):
        piece = body[at : at + sizes[at % len(sizes)]]
        text += b"%x;extension\r\n%s\r\n" % (len(piece), piece)
        at += len(piece)
    return text + b"0\r\n"


@given(answers())
def test_an_answer_is_what_http_client_says(drawn: tuple[bytes, bool]) -> None:
    text, whole = drawn
    ours = _ours(text)
    assert ours == _reference(text) or (ours is None and not whole)


@given(answers(), st.integers(1, 40))
def test_piece_by_piece_the_body_is_the_same(drawn: tuple[bytes, bool], size: int) -> None:
    text, whole = drawn
    if not whole:
        return
    answer = Answer(io.BufferedReader(_Trickling(text, size)), "GET")
    reference = _reference(text)
    assert reference is not None
    assert b"".join(iter(answer.read1, b"")) == reference[2]
    assert not answer.length


class _Trickling(io.RawIOBase):
    """A connection on which little comes at a time."""

    def __init__(self, text: bytes, size: int) -> None:
        self._text, self._size = io.BytesIO(text), size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._text.read(min(self._size, len(buffer)))
        buffer[: len(piece)] = piece
        return len(piece)


def _ours(text: bytes) -> tuple[Any, ...] | None:
    try:
        answer = Answer(io.BufferedReader(io.BytesIO(text)), "GET")  # type: ignore[arg-type]
        ends = not answer.keeps_connection
        return answer.status, answer.headers.get("Next-Range"), answer.read(), ends
    except OSError:
        return None


def _reference(text: bytes) -> tuple[Any, ...] | None:
    class Socket:
        def makefile(self, *_: object) -> io.BytesIO:
            return io.BytesIO(text)

    response = http.client.HTTPResponse(Socket(), method="GET")  # type: ignore[arg-type]
    try:
        response.begin()
        ends = response.will_close
        return response.status, response.headers.get("Next-Range", ""), response.read(), ends
    except (OSError, http.client.HTTPException, ValueError):
        return None


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("field", ["Content-Length: 5", "Transfer-Encoding: chunked", "A: b"])
def test_an_answer_of_this_status_has_no_body(status: int, field: str) -> None:
    """RFC 9112, 6.3, whatever its fields say."""
    assert _ours(f"HTTP/1.1 {status} X\r\n{field}\r\n\r\n".encode()) == (status, "", b"", False)


@pytest.mark.parametrize(
    "text", [b"", b"HTTP/1.1 200", b"HTTP/1.1 200 OK\r\nA: b\r\n", b"SSH-2.0-x\r\n"]
)
def test_a_head_that_breaks_off_is_no_answer(text: bytes) -> None:
    assert _ours(text) is None


@pytest.mark.parametrize(
    ("method", "body"), [("GET", None), ("POST", None), ("PATCH", b'{"a": 1}'), ("DELETE", None)]
)
def test_a_request_has_the_fields_of_http_clients(method: str, body: bytes | None) -> None:
    headers = {"Accept": "a/b", "User-Agent": "paas"}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "s"))
        ours, reference = Exchange("localhost:80", unix_dial(path)), _OverUnix(path)
        heads = [_asked(path, one, method, body, headers) for one in (ours, reference)]
    assert sorted(heads[0].split(b"\r\n")) == sorted(heads[1].split(b"\r\n"))


class _OverUnix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", 80)
        self._path = path

    def connect(self) -> None:
        self.sock = unix_dial(self._path)(WAIT_S)


def _asked(
    path: str, client: Any, method: str, body: bytes | None, headers: dict[str, str]
) -> bytes:
    """What the server reads; it answers nothing, and the client hangs up."""
    read: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        listening.settimeout(WAIT_S)

        def serve() -> None:
            with listening.accept()[0] as connection, connection.makefile("rb") as reader:
                connection.settimeout(WAIT_S)
                read.append(reader.read())

        thread = threading.Thread(target=serve)
        thread.start()
        client.connect()
        client.request(method, "/apps", body, headers)
        client.close()
        thread.join(WAIT_S)
    Path(path).unlink()
    return read[0].replace(b"Host: localhost:80\r\n", b"Host: localhost\r\n")


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\0b"])
def test_no_value_becomes_a_field_of_its_own(value: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        exchange = Exchange("localhost", lambda _: ours)
        exchange.connect()
        for target, headers in (("/a", {"Accept": value}), (f"/{value}", {})):
            with pytest.raises(OSError, match="control character"):
                exchange.request("GET", target, None, headers)
        exchange.close()
        assert theirs.recv(1) == b""


def test_a_command_on_the_host_loads_neither_http_client_nor_tls() -> None:
    """They are a third of the time that a developer waits for `paas ps:scale`."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, paas.cli, paas.client.api; print(*sys.modules)"],
        capture_output=True, text=True, check=True, timeout=WAIT_S,
    ).stdout.split()  # fmt: skip
    assert "paas.client.exchange" in loaded
    assert {"http.client", "ssl", "email", "urllib.request"}.isdisjoint(loaded)
