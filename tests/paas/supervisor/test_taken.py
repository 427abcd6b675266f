"""Listening sockets are taken from another process, those of the installation and no others."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from paas.host import sockets
from paas.settings import Settings
from paas.supervisor import taken
from tests.ports import free_ports

SERVES = """
import socket, sys
public = socket.create_server(("0.0.0.0", int(sys.argv[1])))
other = socket.create_server(("127.0.0.1", int(sys.argv[2])))
control = socket.socket(socket.AF_UNIX)
control.bind(sys.argv[3])
control.listen()
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print(flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Here(Settings):
    folder: Path = Path()

    @property
    def control_socket(self) -> Path:
        return self.folder / "control.sock"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    router, control = free_ports(2)
    return Here(router_port=router, control_port=control, folder=tmp_path)


@pytest.fixture
def server(settings: Settings) -> Iterator["subprocess.Popen[str]"]:
    (other,) = free_ports(1)
    words = [str(settings.router_port), str(other), str(settings.control_socket)]
    command = [sys.executable, "-c", SERVES, *words]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_they_listen_on_when_their_process_has_ended(
    settings: Settings, server: "subprocess.Popen[str]"
) -> None:
    found = taken.listeners(settings, [server.pid, server.pid])
    try:
        assert sorted(item.name for item in found) == ["control", "http"]
        server.kill()
        server.wait(60)
        socket.create_connection(("127.0.0.1", settings.router_port), 5).close()
        assert not any(item.socket.get_inheritable() for item in found)
        assert taken.listeners(settings, [server.pid]) == []
    finally:
        sockets.close(found)
