"""pkt-lines: the framing of git's protocols (gitprotocol-common(5)), without I/O.

Four hexadecimal digits of length, which count themselves, then the content. Lengths 0, 1 and 2 are
the flush, delimiter and response-end packets.
"""

import enum
from collections.abc import Iterable, Iterator

CONTENT_BYTES_MAX = 65516
"""LARGE_PACKET_MAX less the length (gitprotocol-common(5))."""
BAND_BYTES_MAX = 65515

DATA_BAND = 1
PROGRESS_BAND = 2
ERROR_BAND = 3


class Mark(enum.Enum):
    """The packets that have no content."""

    FLUSH = b"0000"
    DELIMITER = b"0001"
    RESPONSE_END = b"0002"


Packet = bytes | Mark

FLUSH = Mark.FLUSH.value
DELIMITER = Mark.DELIMITER.value
KEEP_ALIVE = b"0005\x01"
"""An empty packet on the data band: what git's own server sends to keep a connection awake."""


class PacketError(Exception):
    """The peer sent something that is no pkt-line."""


def encode(content: bytes | str) -> bytes:
    """One packet. Text that starts with the name of a ref may hold surrogate escapes."""
    if isinstance(content, str):
        content = content.encode("utf-8", "surrogateescape")
    if len(content) > CONTENT_BYTES_MAX:
        raise PacketError(f"{len(content)} bytes are too many for one packet")
    return b"%04x%s" % (len(content) + 4, content)


def encode_band(band: int, content: bytes) -> Iterator[bytes]:
    """Content of any length as side-band packets."""
    for start in range(0, len(content), BAND_BYTES_MAX):
        yield encode(bytes((band,)) + content[start : start + BAND_BYTES_MAX])


def error(text: str) -> bytes:
    """What makes git say `fatal: remote error: <text>` (gitprotocol-pack(5), error-line)."""
    content = text.encode("utf-8", "replace")[: CONTENT_BYTES_MAX - 5]
    return encode(b"ERR " + content + b"\n")


class Decoder:
    """Bytes in, packets out; `rest` is what follows the packets (a pack)."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        self._buffer += data

    def next(self) -> Packet | None:
        """The next packet, or None when more bytes are needed. Raises PacketError."""
        if len(self._buffer) < 4:
            return None
        length = _length(bytes(self._buffer[:4]))
        if isinstance(length, Mark):
            del self._buffer[:4]
            return length
        if len(self._buffer) < length:
            return None
        content = bytes(self._buffer[4:length])
        del self._buffer[:length]
        return content

    @property
    def rest(self) -> bytes:
        return bytes(self._buffer)


def decode_all(data: bytes) -> list[Packet]:
    """All packets of a whole request. Raises PacketError when it ends inside one."""
    return list(_packets(data))


def _packets(data: bytes) -> Iterable[Packet]:
    decoder = Decoder()
    decoder.feed(data)
    while (packet := decoder.next()) is not None:
        yield packet
    if decoder.rest:
        raise PacketError("the request ends inside a packet")


def _length(digits: bytes) -> int | Mark:
    try:
        return Mark(digits)
    except ValueError:
        pass
    # int() alone would also take signs, spaces and underscores.
    if not all(digit in b"0123456789abcdefABCDEF" for digit in digits):
        raise PacketError(f"{digits!r} is not the length of a packet")
    length = int(digits, 16)
    if length < 4 or length > CONTENT_BYTES_MAX + 4:
        raise PacketError(f"{digits!r} is not the length of a packet")
    return length
