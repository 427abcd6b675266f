"""Chunked coding against llhttp as the oracle, however the bytes are cut."""

import itertools

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.http import chunks
from router.http.failures import BadRequest

HEAD = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


class _Oracle:
    def __init__(self) -> None:
        self.body = b""
        self.done = False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.feed_data(HEAD)

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.done = True


def _cut(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def _decode(parts: list[bytes]) -> tuple[bytes, bytes, chunks.Decoder]:
    decoder = chunks.Decoder()
    payload = rest = b""
    for part in parts:
        if decoder.done:
            rest += part
        else:
            payload += decoder.feed(part)
            rest = decoder.rest
    return payload, rest, decoder


@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.integers(0, 500)),
    st.sampled_from([b"", b";a", b';a="b"', b" ;x=y"]),
    st.binary(max_size=10),
)
def test_payload_and_end_are_found_however_it_is_cut(
    payloads: list[bytes], cuts: list[int], extension: bytes, after: bytes
) -> None:
    message = b"".join(b"%X%b\r\n%b\r\n" % (len(each), extension, each) for each in payloads)
    message += b"0\r\nX-Sum: 1\r\n\r\n"
    payload, rest, decoder = _decode(_cut(message + after, cuts))
    assert (payload, rest, decoder.done) == (b"".join(payloads), after, True)
    assert decoder.trailers == [b"X-Sum: 1"]


PIECES = st.sampled_from(
    [
        b"0",
        b"3",
        b"a",
        b"\r\n",
        b"\r",
        b"\n",
        b"abc",
        b";",
        b" ",
        b"-",
        b"x",
        b"0\r\n\r\n",
        b"3\r\nabc",
    ]
)


@given(st.lists(PIECES, max_size=12).map(b"".join), st.lists(st.integers(0, 50), max_size=4))
def test_what_is_accepted_llhttp_accepts_with_the_same_payload(
    data: bytes, cuts: list[int]
) -> None:
    try:
        payload, rest, decoder = _decode(_cut(data, cuts))
    except BadRequest:
        return
    if decoder.done:
        oracle = _Oracle()
        oracle.parser.feed_data(data[: len(data) - len(rest)])
        assert (oracle.done, oracle.body) == (True, payload)


@pytest.mark.parametrize("name", ["Content-Length", "Host", "Transfer-Encoding", "Set-Cookie"])
def test_trailers_that_would_change_the_message_are_dropped(name: str) -> None:
    _, _, decoder = _decode([f"0\r\n{name}: 1\r\nX-Sum: 2\r\n\r\n".encode()])
    assert decoder.trailers == [b"X-Sum: 2"]


def test_a_byte_at_a_time_costs_no_memory() -> None:
    decoder = chunks.Decoder()
    with pytest.raises(BadRequest):
        for _ in range(2000):
            decoder.feed(b"1")


@pytest.mark.parametrize("size", [b"0;", b"0 ", b"0;;a", b"0;=b", b'0;a="b', b"0;a=", b"0;a b"])
def test_a_malformed_extension_is_refused(size: bytes) -> None:
    with pytest.raises(BadRequest):
        _decode([size + b"\r\n\r\n"])


@pytest.mark.parametrize("size", [b"0;a", b"0 ; a = b", b'0;a="b;\\"c"', b"0;a;b=c"])
def test_a_well_formed_extension_is_dropped(size: bytes) -> None:
    _, rest, decoder = _decode([size + b"\r\n\r\n"])
    assert decoder.done and rest == b""
