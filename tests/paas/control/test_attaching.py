"""WebSocket frames: both ends of ours, whatever is cut where, and Node.js's client as the judge."""

import asyncio
import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.builder.nodejs import registry
from paas.control.attaching import Upgraded
from paas.platform.attachments import Attachments, Input, Size
from paas.system import channels, websocket
from paas.system.websocket import BINARY, CLOSE, PING, Message, Parser, WebSocketError, encode

MASK = b"\x01\x80\xff\x00"
CUTS = st.lists(st.integers(min_value=1, max_value=9), max_size=40)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    found = []
    for cut in cuts:
        found.append(data[:cut])
        data = data[cut:]
    return [*found, data]


@given(st.lists(st.binary(max_size=70_000), max_size=3), CUTS, st.booleans())
def test_what_is_sent_is_received(sent: list[bytes], cuts: list[int], masked: bool) -> None:
    parser = Parser(from_client=masked)
    raw = b"".join(encode(BINARY, data, mask=MASK if masked else b"") for data in sent)
    found = [message for piece in pieces(raw, cuts) for message in parser.feed(piece)]
    assert found == [Message(BINARY, data) for data in sent]


@given(st.binary(max_size=2000))
def test_whatever_comes_is_a_message_or_a_refusal(data: bytes) -> None:
    for from_client in (True, False):
        try:
            Parser(from_client).feed(data)
        except WebSocketError:
            continue


def test_a_message_may_come_in_parts_with_a_ping_between() -> None:
    first = b"\x02\x02ab"
    found = Parser(from_client=False).feed(first + encode(PING, b"x") + b"\x80\x01c")
    assert found == [Message(PING, b"x"), Message(BINARY, b"abc")]


@pytest.mark.parametrize(
    "raw",
    [
        b"\xc2\x00",  # a reserved bit
        b"\x82\x01a",  # not masked
        b"\x80\x80" + MASK,  # goes on without a beginning
        b"\x09\x80" + MASK,  # a ping in parts
        b"\x82\xff\x00\x00\x00\x00\x7f\xff\xff\xff" + MASK,  # two gigabytes
        b"\x83\x80" + MASK,  # an unknown opcode
    ],
)
def test_what_breaks_the_rules_is_refused(raw: bytes) -> None:
    with pytest.raises(WebSocketError):
        Parser(from_client=True).feed(raw)


def test_the_key_of_the_standard_has_its_answer() -> None:
    """RFC 6455, section 1.3."""
    assert websocket.accept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


def test_a_status_says_how_it_ended() -> None:
    for status, said in ((0, ""), (7, ""), (129, "the connection was lost")):
        raw = channels.status(status, said)
        assert raw[0] == channels.STATUS and channels.parse_status(raw[1:]) == (status, said)


@pytest.mark.parametrize("bad", [b"", b"[]", b'{"Width": 1}', b'{"Width": "1", "Height": 2}'])
def test_what_is_no_size_is_none(bad: bytes) -> None:
    assert channels.parse_size(bad) is None


NODE = registry.npm_folder().parents[2] / "bin" / "node"
PROGRAM = """
const socket = new WebSocket(process.argv[1], 'v5.channel.k8s.io');
socket.binaryType = 'arraybuffer';
const found = [];
socket.onopen = () => {
  socket.send(new Uint8Array([4, ...Buffer.from('{"Width":120,"Height":50}')]));
  socket.send(new Uint8Array(70001).fill(0).fill(65, 1));
  socket.send(new Uint8Array([255, 0]));
};
socket.onmessage = ({ data }) => found.push([new Uint8Array(data)[0], data.byteLength]);
socket.onclose = ({ code }) => console.log(JSON.stringify({ code, found,
  protocol: socket.protocol }));
socket.onerror = () => console.log(JSON.stringify({ code: 'refused' }));
"""


def ask(url: str) -> dict[str, object]:
    done = subprocess.run([str(NODE), "-e", PROGRAM, url], capture_output=True, timeout=60)
    assert done.stdout, done.stderr
    answer: dict[str, object] = json.loads(done.stdout.splitlines()[0])
    return answer


def test_nodes_own_client_attaches_once() -> None:
    async def story() -> None:
        attachments = Attachments()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Upgraded(attachments), "127.0.0.1", 0)
        url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/attach/"
        offer = attachments.offer()
        asking = asyncio.create_task(asyncio.to_thread(ask, url + offer.secret))
        client = await offer.taken(60)
        assert await client.receive() == Size(50, 120)
        received = await client.receive()
        assert isinstance(received, Input) and received.data == b"A" * 70_000
        assert await client.receive() == Input(b"")
        await client.send(channels.STDOUT, b"x" * 100_000)
        await client.end(3)
        answer = await asking
        assert answer["code"] == 1000 and answer["protocol"] == channels.PROTOCOL
        found = answer["found"]
        assert isinstance(found, list) and found[0] == [1, 100_001] and found[1][0] == 3
        assert (await asyncio.to_thread(ask, url + offer.secret))["code"] == "refused"
        assert (await asyncio.to_thread(ask, url + "x" * 43))["code"] == "refused"
        server.close()

    asyncio.run(story())


def test_a_close_is_understood() -> None:
    assert Parser(from_client=False).feed(encode(CLOSE, b"\x03\xe8")) == [
        Message(CLOSE, b"\x03\xe8")
    ]
