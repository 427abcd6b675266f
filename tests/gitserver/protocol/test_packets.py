"""pkt-lines: what is encoded is decoded, in whatever pieces it arrives."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitserver.faults import Fault
from gitserver.protocol.commands import HeadParser
from gitserver.protocol.negotiation import parse_v0, parse_v2
from gitserver.protocol.packets import (
    CONTENT_BYTES_MAX,
    Decoder,
    Mark,
    Packet,
    PacketError,
    decode_all,
    encode,
    encode_band,
)

PACKETS = st.lists(st.one_of(st.binary(max_size=2000), st.sampled_from(list(Mark))))


def written(packets: list[Packet]) -> bytes:
    return b"".join(p.value if isinstance(p, Mark) else encode(p) for p in packets)


@given(PACKETS)
def test_decoding_is_the_reverse_of_encoding(packets: list[Packet]) -> None:
    assert decode_all(written(packets)) == packets


@given(PACKETS, st.lists(st.integers(1, 50)))
def test_pieces_make_no_difference(packets: list[Packet], sizes: list[int]) -> None:
    data, decoder, found = written(packets), Decoder(), []
    for size in [*sizes, len(data) + 1]:
        decoder.feed(data[:size])
        data = data[size:]
        while (packet := decoder.next()) is not None:
            found.append(packet)
    assert found == packets
    assert decoder.rest == b""


@given(st.binary(max_size=200))
def test_any_bytes_are_packets_or_an_error(data: bytes) -> None:
    try:
        packets = decode_all(data)
    except PacketError:
        return
    assert written(packets).lower() == data[: len(written(packets))].lower()


@pytest.mark.parametrize(
    "length", [b"-001", b"+010", b" 010", b"0_10", b"0003", b"fff1", b"00\xb2a"]
)
def test_lengths_that_python_would_take_are_refused(length: bytes) -> None:
    with pytest.raises(PacketError):
        decode_all(length + b"x" * 20)


def test_the_longest_packet_is_taken_and_one_more_is_not() -> None:
    assert decode_all(encode(b"x" * CONTENT_BYTES_MAX)) == [b"x" * CONTENT_BYTES_MAX]
    with pytest.raises(PacketError):
        encode(b"x" * (CONTENT_BYTES_MAX + 1))


@given(st.binary(max_size=200_000))
def test_a_band_carries_content_of_any_length(content: bytes) -> None:
    packets = decode_all(b"".join(encode_band(2, content)))
    assert b"".join(p[1:] for p in packets if isinstance(p, bytes)) == content
    assert all(isinstance(p, bytes) and p[0] == 2 for p in packets)


@given(st.binary(max_size=300))
def test_any_head_of_a_push_is_understood_or_refused(data: bytes) -> None:
    parser = HeadParser(updates_max=10)
    try:
        parser.feed(data)
    except (Fault, PacketError):
        return
    assert len(parser.head.updates) <= 10


@given(st.lists(st.binary(max_size=80)))
def test_any_request_for_a_fetch_is_understood_or_refused(lines: list[bytes]) -> None:
    data = b"".join(map(encode, lines)) + b"0000"
    for parse in (parse_v0, lambda data: parse_v2(data).fetch()):
        try:
            request = parse(data)
        except (Fault, PacketError):
            continue
        assert all(len(id) == 40 for id in request.wants + request.haves + request.shallow)


def test_the_head_of_a_push_ends_where_the_pack_starts() -> None:
    parser = HeadParser(updates_max=10)
    command = f"{'0' * 40} {'1' * 40} refs/heads/main\0report-status push-options"
    data = encode(command) + b"0000" + encode("a=b") + b"0000" + b"PACK..."
    for byte in data[:-7]:
        ended = parser.feed(bytes([byte]))
    assert ended
    parser.feed(b"")
    assert parser.head.push_options == ["a=b"]
    assert [(u.name, u.old) for u in parser.head.updates] == [("refs/heads/main", None)]
