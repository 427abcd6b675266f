"""A connection that stays, as SSH gives one: requests and answers on the same two streams.

git over HTTP says all again with each request (gitprotocol-http(5)); here the server listed its
refs once, and what a client has told already counts on (gitprotocol-pack(5)). This cuts a fetching
client's packets into the requests that a stateless answer needs, and makes a push an `Exchange`.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Protocol

from gitserver.faults import Fault
from gitserver.interface import Message
from gitserver.protocol import packets
from gitserver.protocol.exchange import Exchange
from gitserver.protocol.packets import Decoder, Mark, Packet


class Stream(Protocol):
    """The client's two directions. All of it raises OSError or ClientGone when the client goes."""

    async def read(self) -> bytes:
        """What has come; nothing at the end of what the client sends."""
        ...

    async def write(self, data: bytes) -> None:
        """Returns when the client may be sent more."""
        ...

    async def closed(self) -> None:
        """Returns when the client has gone."""
        ...


def exchange(stream: Stream, path: str, idle_s: float) -> Exchange:
    """The rest of a connection as one request with its answer."""
    is_read = False

    async def receive() -> Message:
        nonlocal is_read
        if is_read:
            await stream.closed()
            return {"type": "http.disconnect"}
        data = await stream.read()
        is_read = not data
        return {"type": "http.request", "body": data, "more_body": not is_read}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            await stream.write(message["body"])

    scope: Mapping[str, Any] = {"headers": [], "path": path, "method": "POST"}
    return Exchange(dict(scope), receive, send, idle_s)


async def requests_v2(stream: Stream, limit_bytes: int) -> AsyncIterator[bytes]:
    """Each command with its flush. Raises Fault and PacketError."""
    payload = bytearray()
    async for packet in _packets(stream):
        payload += _encoded(packet)
        if len(payload) > limit_bytes:
            raise Fault(f"the request is over {limit_bytes} bytes")
        if packet is Mark.FLUSH:
            if len(payload) == len(packets.FLUSH):
                return
            yield bytes(payload)
            payload.clear()


async def requests_v0(stream: Stream, limit_bytes: int) -> AsyncIterator[bytes]:
    """What is wanted, with all that the client has said it has: at each flush, and at `done`.

    The flush after what is wanted is answered only where the depth of the history is asked for.
    Raises Fault and PacketError.
    """
    payload = bytearray()
    is_answered = False
    async for packet in _packets(stream):
        if packet is Mark.FLUSH:
            if not payload:
                return
            if is_answered:
                yield bytes(payload + packets.FLUSH)
            is_answered = True
            continue
        payload += _encoded(packet)
        is_answered = is_answered or _asks_depth(packet)
        if len(payload) > limit_bytes:
            raise Fault(f"the request is over {limit_bytes} bytes")
        if packet in (b"done\n", b"done"):
            yield bytes(payload)
            return


async def _packets(stream: Stream) -> AsyncIterator[Packet]:
    """Raises Fault when the client ends in the middle of a packet."""
    decoder = Decoder()
    while data := await stream.read():
        decoder.feed(data)
        while (packet := decoder.next()) is not None:
            yield packet
    if decoder.rest:
        raise Fault("the request ends inside a packet")


def _asks_depth(packet: Packet) -> bool:
    return isinstance(packet, bytes) and packet.startswith(b"deepen")


def _encoded(packet: Packet) -> bytes:
    return packet.value if isinstance(packet, Mark) else packets.encode(packet)
