"""What systemd hears: words and descriptors, as sd_notify(3) has them."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas.host.sockets import Listener
from paas.supervisor import notify


@pytest.fixture(params=["file", "abstract"])
def systemd(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[socket.socket]:
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as item:
        item.settimeout(10)
        item.bind(name if request.param == "file" else f"\0{name}")
        monkeypatch.setenv("NOTIFY_SOCKET", name if request.param == "file" else f"@{name}")
        yield item


def test_words_arrive(systemd: socket.socket) -> None:
    notify.status("waiting for the node")
    notify.wait_for(1.5)
    notify.ready()
    notify.stopping()
    said = [systemd.recv(100).decode() for _ in range(4)]
    assert said == [
        "STATUS=waiting for the node",
        "EXTEND_TIMEOUT_USEC=1500000",
        "READY=1",
        "STOPPING=1",
    ]
    assert notify.is_watched()


def test_sockets_are_kept_by_name_in_place_of_those_before(systemd: socket.socket) -> None:
    with socket.socket() as one, socket.socket() as other:
        notify.keep([Listener("http", one), Listener("http", other)])
        assert systemd.recv(100) == b"FDSTOREREMOVE=1\nFDNAME=http"
        for kept in (one, other):
            message, descriptors, _, _ = socket.recv_fds(systemd, 100, 4)
            assert message == b"FDSTORE=1\nFDNAME=http"
            (number,) = descriptors
            assert os.path.sameopenfile(number, kept.fileno())
            os.close(number)


def test_nothing_is_said_where_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/notify")
    notify.ready()
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify.ready()
    assert not notify.is_watched()
