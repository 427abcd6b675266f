"""The public sockets: all addresses, and clear words about who has a port already."""

import os
import socket

import pytest

from paas.errors import UserError
from paas.supervision import sockets
from tests.ports import free_port


def test_both_families_are_listened_to() -> None:
    port = free_port()
    listening = sockets.public(port)
    try:
        for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            if any(item.family == family for item in listening):
                socket.create_connection((address, port), 2).close()
        assert listening[0].family == socket.AF_INET
    finally:
        for item in listening:
            item.close()


def test_a_taken_port_is_named_with_its_holder_and_the_remedy() -> None:
    with socket.socket() as other:
        other.bind(("0.0.0.0", 0))
        other.listen()
        port = other.getsockname()[1]
        assert f"(process {os.getpid()})" in sockets.holder(port)
        with pytest.raises(UserError, match=f"port {port} is taken by") as caught:
            sockets.public(port)
        assert "PAAS_ROUTER_PORT=" in caught.value.hint
    assert sockets.holder(port) == ""
