"""WebSockets against a real server: npm's ws, on a Unix socket behind the router."""

import contextlib
import os
import shutil
import struct
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.router.conftest import PATIENCE_S

SERVER = """
const {WebSocketServer} = require('ws');
const server = require('http').createServer((request, response) => response.end('plain'));
const sockets = new WebSocketServer({noServer: true, maxPayload: 64 << 20});
server.on('upgrade', (request, socket, head) => {
  if (request.url === '/refused') {
    const lines = ['HTTP/1.1 426 Upgrade Required', 'Content-Length: 0', 'Connection: close'];
    socket.end(lines.join('\\r\\n') + '\\r\\n\\r\\n');
    return;
  }
  sockets.handleUpgrade(request, socket, head, one => {
    one.on('message', (data, binary) => {
      if (String(data) === 'close') one.close(4001, 'as you wish');
      else if (String(data) === 'cut') socket.destroy();
      else if (String(data) === 'ping') one.ping('are you there');
      else one.send(data, {binary});
    });
    one.on('pong', data => one.send('pong ' + data));
  });
});
server.listen(process.argv[1], () => console.log('listening'));
"""


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which ws is installed."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("npm and node are not installed")
    folder = tmp_path_factory.mktemp("ws")
    (folder / "package.json").write_text("{}")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "ws@8"]
    try:
        subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"npm could not install ws: {error}")
    return folder


@pytest.fixture
def host(patient: Any, modules: Path, tmp_path: Path) -> Iterator[bytes]:
    path = tmp_path / "ws.sock"
    server = subprocess.Popen(
        ["node", "-e", SERVER, str(path)], cwd=modules, stdout=subprocess.PIPE
    )
    assert server.stdout is not None
    assert server.stdout.readline() == b"listening\n"
    id = str(uuid.uuid4())
    instance = {"id": f"i-{id}", "name": "web.1", "target": {"unix": str(path)}}
    entry = {"id": id, "name": f"ws-{id[:8]}", "domains": [], "maintenance": False, "state": "live"}
    patient.publish({**entry, "instances": [instance]})
    yield f"ws-{id[:8]}.localhost".encode()
    patient.withdraw(id)
    server.kill()
    server.communicate()


def _request(host: bytes, path: bytes = b"/", extra: bytes = b"") -> bytes:
    return (
        b"GET %b HTTP/1.1\r\nHost: %b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%b\r\n"
        % (path, host, extra)
    )


def _open(patient: Any, host: bytes) -> Any:
    visitor = patient.visit()
    visitor.send(_request(host))
    assert visitor.response().status == 101
    return visitor


def _frame(code: int, payload: bytes, last: bool = True) -> bytes:
    """A masked frame (RFC 6455 §5.2)."""
    size = len(payload)
    head = bytes([(0x80 if last else 0) | code])
    if size < 126:
        head += bytes([0x80 | size])
    elif size < 65536:
        head += bytes([0x80 | 126]) + struct.pack(">H", size)
    else:
        head += bytes([0x80 | 127]) + struct.pack(">Q", size)
    mask = os.urandom(4)
    key = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return head + mask + (int.from_bytes(payload, "big") ^ key).to_bytes(size, "big")


def _read(visitor: Any) -> tuple[int, bytes]:
    """The code and payload of the next message or control frame."""
    first, size = visitor._exactly(2)
    if size == 126:
        (size,) = struct.unpack(">H", visitor._exactly(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", visitor._exactly(8))
    payload = visitor._exactly(size)
    assert first & 0x80
    return first & 0x0F, payload


def test_large_messages_whole_and_in_pieces(patient: Any, host: bytes) -> None:
    visitor = _open(patient, host)
    large = os.urandom(8_000_000)
    visitor.send(_frame(2, large))
    assert _read(visitor) == (2, large)
    visitor.send(_frame(1, b"a" * 300, last=False) + _frame(9, b"now") + _frame(0, b"b" * 70000))
    assert _read(visitor) == (10, b"now")
    assert _read(visitor) == (1, b"a" * 300 + b"b" * 70000)
    visitor.close()


def test_pings_of_the_server_are_answered(patient: Any, host: bytes) -> None:
    visitor = _open(patient, host)
    visitor.send(_frame(1, b"ping"))
    assert _read(visitor) == (9, b"are you there")
    visitor.send(_frame(10, b"yes"))
    assert _read(visitor) == (1, b"pong yes")
    visitor.close()


def test_close_codes_pass_both_ways(patient: Any, host: bytes) -> None:
    visitor = _open(patient, host)
    visitor.send(_frame(1, b"close"))
    assert _read(visitor) == (8, struct.pack(">H", 4001) + b"as you wish")
    visitor.send(_frame(8, struct.pack(">H", 4001)))
    assert visitor.everything() == b""
    other = _open(patient, host)
    other.send(_frame(8, struct.pack(">H", 1000) + b"bye"))
    assert _read(other) == (8, struct.pack(">H", 1000) + b"bye")
    assert other.everything() == b""


def test_a_cut_of_the_server_and_half_a_close_end_it(patient: Any, host: bytes) -> None:
    visitor = _open(patient, host)
    visitor.send(_frame(1, b"cut"))
    assert visitor.everything() == b""
    half = _open(patient, host)
    half.send(_frame(1, b"last words"))
    half.shut()
    assert _read(half) == (1, b"last words")
    half.everything()


def test_a_refused_upgrade_is_an_answer(patient: Any, host: bytes) -> None:
    visitor = patient.visit()
    visitor.send(_request(host, b"/refused"))
    assert visitor.response().status == 426
    bad = patient.visit()
    bad.send(_request(host).replace(b"Version: 13", b"Version: 7"))
    assert bad.response().status == 400


@pytest.mark.parametrize(
    "fields",
    [
        b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABk\r\n",
        b"Upgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 4\r\n",
    ],
)
def test_h2c_and_upgrades_with_a_body_are_plain_requests(
    patient: Any, host: bytes, fields: bytes
) -> None:
    visitor = patient.visit()
    body = b"body" if b"Length" in fields else b""
    visitor.send(b"POST / HTTP/1.1\r\nHost: %b\r\n%b\r\n%b" % (host, fields, body))
    response = visitor.response()
    assert (response.status, response.body) == (200, b"plain")


def test_a_thousand_at_once(patient: Any, host: bytes) -> None:
    (worker,) = patient.worker_pids()
    before = _descriptors(worker)
    with contextlib.ExitStack() as stack:
        visitors = []
        for _ in range(1000):
            visitors.append(_open(patient, host))
            stack.callback(visitors[-1].close)
        for each in visitors:
            each.send(_frame(1, b"here"))
            assert _read(each) == (1, b"here")
        assert _descriptors(worker) >= before + 2000
    end = time.monotonic() + PATIENCE_S
    while _descriptors(worker) > before + 50 and time.monotonic() < end:
        time.sleep(0.1)
    assert _descriptors(worker) <= before + 50


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
