"""The listening sockets: where they listen, whose they stay, and clear words about a taken port."""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paas.errors import UserError
from paas.host import sockets
from paas.host.sockets import Listener
from paas.settings import Settings
from tests.ports import free_port


@pytest.fixture
def settings() -> Settings:
    ports = [free_port() for _ in range(3)]
    return Settings(router_port=ports[0], router_tls_port=ports[1], control_port=ports[2])


@contextmanager
def listening(settings: Settings, passed: list[Listener] | None = None) -> Iterator[list[Listener]]:
    found = sockets.listen(settings, passed or [])
    try:
        yield found
    finally:
        sockets.close(found)


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 2).close()
    except ConnectionRefusedError:
        return False
    return True


def test_the_router_listens_everywhere_and_control_on_loopback_alone(settings: Settings) -> None:
    with listening(settings) as found:
        v4 = {
            (item.name, item.socket.getsockname())
            for item in found
            if item.socket.family == socket.AF_INET
        }
        assert v4 == {
            ("http", ("0.0.0.0", settings.router_port)),
            ("https", ("0.0.0.0", settings.router_tls_port)),
            ("control", ("127.0.0.1", settings.control_port)),
        }
        for item in found:
            if item.socket.family == socket.AF_INET6:
                public = item.name != "control"
                assert item.socket.getsockname()[0] == ("::" if public else "::1")
                assert _answers("::1", item.socket.getsockname()[1])
    assert not _answers("127.0.0.1", settings.control_port)


def test_what_was_handed_on_is_used_again_without_a_moment_of_silence(settings: Settings) -> None:
    with listening(settings) as first:
        visitor = socket.create_connection(("127.0.0.1", settings.router_port), 2)
        with visitor, listening(settings, first) as second:
            assert second == first
            server, _ = second[0].socket.accept()
            with server:
                server.sendall(b"late")
                assert visitor.recv(4) == b"late"


def test_what_does_not_fit_the_settings_is_not_used(settings: Settings) -> None:
    with listening(settings) as first:
        other = Settings(router_port=free_port(), control_port=settings.control_port)
        kept = sockets.named(first, "control")
        with listening(other, first) as second:
            assert sockets.named(second, "control") == kept
            ports = {item.socket.getsockname()[1] for item in sockets.named(second, "http")}
            assert ports == {other.router_port}
            assert sockets.named(second, "https") == []


@pytest.mark.parametrize(
    ("which", "setting"),
    [
        ("router_port", "PAAS_ROUTER_PORT"),
        ("router_tls_port", "PAAS_ROUTER_TLS_PORT"),
        ("control_port", "PAAS_CONTROL_PORT"),
    ],
)
def test_a_taken_port_is_named_with_its_holder_and_the_remedy(
    settings: Settings, which: str, setting: str
) -> None:
    port = getattr(settings, which)
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        assert f"(process {os.getpid()})" in sockets.holder(port)
        with pytest.raises(UserError, match=f"port {port} is taken by") as caught:
            sockets.listen(settings)
        assert f"{setting}={port + 10} paas up" in caught.value.hint
    assert sockets.holder(port) == ""
    with listening(settings) as found:
        assert found, "the first try left a port open"


def test_controls_socket_in_the_file_system_is_its_own(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    first = sockets.listen_unix(path, os.getuid(), os.getgid())
    with first.socket:
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        assert sockets.listen_unix(path, os.getuid(), os.getgid(), [first]) is first
        path.unlink()
        again = sockets.listen_unix(path, os.getuid(), os.getgid(), [first])
        with again.socket, socket.socket(socket.AF_UNIX) as visitor:
            visitor.settimeout(5)
            visitor.connect(str(path))
            assert again.socket.accept()
