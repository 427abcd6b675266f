"""Visitors who come over IPv6: their address is what the app and the access line are told."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def router6(router: Any, tmp_path: Path) -> Iterator[Any]:
    """A router that listens on ::1."""

    class Router6(type(router)):  # type: ignore[misc]
        def start(self) -> None:
            self.listener.close()
            self.listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
            self.address = self.listener.getsockname()[:2]
            super().start()

    if not socket.has_dualstack_ipv6():
        pytest.skip("this kernel has no IPv6")
    found = Router6(tmp_path)
    yield found
    found.stop()


def test_the_app_is_told_the_visitors_address(router6: Any, make_app: Any) -> None:
    app = make_app()
    router6.publish(app.entry)
    assert router6.fetch(app.host).status == 200
    router6.fetch(app.host, extra=b"X-Forwarded-For: 2001:db8::7\r\n")
    assert all(b"\r\nX-Forwarded-For: ::1\r\n" in each for each in app.requests)
    assert all('fwd="::1"' in line for line in router6.lines(app.id, 2))


def test_an_address_in_brackets_names_the_host(router6: Any, make_app: Any) -> None:
    """As a browser writes it: no app has that name, and the router says so in HTTP."""
    app = make_app()
    router6.publish(app.entry)
    assert router6.fetch(b"[::1]:%d" % router6.address[1]).status == 404
    assert app.requests == []
