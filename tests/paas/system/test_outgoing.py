"""Which addresses are asked, what comes of redirects, and where it ends."""

import ipaddress
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from io import BytesIO
from typing import ClassVar

import pytest

from paas.system import outgoing
from paas.system.outgoing import Limits, Refused, Request, ask

OPEN = Limits(bytes=1 << 20, seconds=20, private=True)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:93.184.216.34", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b::5db8:d822", True),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
    ],
)
def test_only_addresses_of_the_internet_are_public(address: str, public: bool) -> None:
    assert outgoing.is_public(ipaddress.ip_address(address)) is public


class Site(BaseHTTPRequestHandler):
    asked: ClassVar[list[tuple[str, str | None]]] = []

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers.get("Authorization")))
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            self.end_headers()
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"x" * 10)
        else:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"x" * (2 << 20 if self.path == "/large" else 3))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def site(address: str = "127.0.0.1") -> Iterator[str]:
    Site.asked = []
    with HTTPServer((address, 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{address}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_an_answer_comes_through_redirects() -> None:
    with site() as url:
        into = BytesIO()
        assert ask(Request(f"{url}/to//to//end"), OPEN, into).status == 200
        assert into.getvalue() == b"xxx"


def test_credentials_stay_with_their_host() -> None:
    with site() as url:
        other = url.replace("127.0.0.1", "localhost")
        secret = url.replace("//", "//user:p%40ss@") + f"/to/{other}"
        ask(Request(secret, headers={"X-Token": "t"}), OPEN)
        assert [header for _, header in Site.asked] == ["Basic dXNlcjpwQHNz", None]


def test_what_leads_round_and_round_what_is_too_much_and_what_is_cut_ends() -> None:
    with site() as url:
        for path, words in (
            ("/to/" * 9 + "/", "redirects more than 5 times"),
            ("/large", "has over 1 MiB"),
            ("/cut", "ended before"),
        ):
            with pytest.raises(Refused, match=words):
                ask(Request(url + path), OPEN)


def test_a_redirect_to_a_private_address_is_judged_like_the_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first address is taken for public here; what it leads to is not."""
    with site() as url:
        judged = outgoing.is_public
        monkeypatch.setattr(outgoing, "is_public", lambda a: str(a) == "127.0.0.1" or judged(a))
        monkeypatch.setattr(outgoing, "_judged", _without_tls)
        limits = Limits(bytes=1 << 20, seconds=20)
        with pytest.raises(Refused, match="an address of a private network"):
            ask(Request(f"{url}/to/{url.replace('127.0.0.1', '127.0.0.2')}/"), limits)


_judged = outgoing._judged


def _without_tls(url: str, limits: Limits) -> object:
    return _judged(url, OPEN)


def test_without_the_operators_word_nothing_private_and_nothing_without_tls_is_asked() -> None:
    limits = Limits(bytes=1 << 20, seconds=20)
    with pytest.raises(Refused, match="does not begin with https"):
        ask(Request("http://example.com/"), limits)
    with pytest.raises(Refused, match="private network"):
        ask(Request("https://127.0.0.1/"), limits)
    with pytest.raises(Refused, match="is no address"):
        ask(Request("https://exa mple/"), limits)


def test_what_is_shown_has_no_secrets() -> None:
    shown = outgoing.shown("https://user:secret@example.com/a.tgz?token=secret#x")
    assert shown == "https://example.com/a.tgz"
