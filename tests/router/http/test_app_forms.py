"""Responses that apps say badly but plainly: they reach visitors, and as one clean message.

HAProxy and nginx are asked the same: what both pass on, the router passes on, but for the forms
that `REFUSED` names.
"""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from httptools import HttpParserError

from router.http import chunks
from router.http.failures import BadRequest
from tests.ports import free_ports
from tests.router.conftest import App, Visitor
from tests.router.http.test_proxyprotocol import _in_front

HEAD = b"HTTP/1.1 200 OK\r\n"
CODED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LENGTH = b"Content-Length: 5\r\n"
CHUNKS = b"\r\n5\r\nhello\r\n0\r\n\r\n"

TAKEN = {
    "length and chunked": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n" + CHUNKS,
    "chunked and length": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: 99\r\n" + CHUNKS,
    "chunked and no number": HEAD + b"Transfer-Encoding: chunked\r\nContent-Length: x\r\n" + CHUNKS,
    "chunked twice": HEAD + b"Transfer-Encoding: chunked\r\n" * 2 + CHUNKS,
    "chunked listed twice": HEAD + b"Transfer-Encoding: chunked, Chunked\r\n" + CHUNKS,
    "a comma before": HEAD + b"Transfer-Encoding: ,chunked\r\n" + CHUNKS,
    "identity and length": HEAD + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\nhello",
    "no coding and length": HEAD + b"Transfer-Encoding:\r\n" + LENGTH + b"\r\nhello",
    "chunked in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n" + CHUNKS,
    "two equal lengths": HEAD + LENGTH * 2 + b"\r\nhello",
    "a list of equal lengths": HEAD + b"Content-Length: 5, 5\r\n\r\nhello",
    "a space behind the size": CODED + b"5 \r\nhello\r\n0 \r\n\r\n",
    "tabs behind the size": CODED + b"5\t\t\r\nhello\r\n0\r\n\r\n",
    "an empty extension": CODED + b"5;\r\nhello\r\n0;\r\n\r\n",
    "an extension without a value": CODED + b"5; a=\r\nhello\r\n0;;\r\n\r\n",
    "zeros before the size": CODED
    + b"00000000000000000005\r\nhello\r\n00000000000000000000\r\n\r\n",
    "Connection lists Content-Type": HEAD + b"Connection: content-type\r\n" + LENGTH + b"\r\nhello",
    "Connection is no list": HEAD + b'Connection: "close"\r\n' + LENGTH + b"\r\nhello",
    "Upgrade is no list": HEAD + b'Upgrade: "h2"\r\n' + LENGTH + b"\r\nhello",
}

REFUSED = {
    "bare LFs": b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
    "bare LFs between chunks": CODED + b"5\nhello\n0\n\n",
}
"""Both others pass them on. A header that an app makes of a visitor's text could hold a LF: to take
it for the end of a line would be to let visitors write headers."""


@pytest.fixture
def told(app: App) -> Iterator[dict[str, bytes]]:
    """What the app answers, by `response`."""
    answer = {"response": b""}

    def script(talk: Any) -> None:
        while True:
            talk.request()
            talk.send(answer["response"])

    app.script = script
    yield answer


@pytest.mark.parametrize("case", TAKEN)
def test_it_reaches_the_visitor_as_one_clean_message(
    router: Any, app: App, told: dict[str, bytes], case: str
) -> None:
    told["response"] = TAKEN[case]
    visitor = router.visit()
    for _ in range(2):
        visitor.get(app.host)
        answer = visitor.response()
        assert (answer.status, answer.body) == (200, b"hello")
        assert (answer.header("content-length") is None) == (b"hunked" in TAKEN[case])
        assert answer.header("connection") is None
    assert visitor.buffer == b""


@pytest.mark.parametrize("case", [each for each in TAKEN if each.startswith("ch")])
@pytest.mark.parametrize("method", [b"HEAD", b"GET"])
def test_a_connection_on_which_the_framing_is_doubtful_serves_one_request(
    router: Any, app: App, told: dict[str, bytes], case: str, method: bytes
) -> None:
    """What follows the response could be the next visitor's, for another reader."""
    told["response"] = TAKEN[case].partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    if method == b"GET":
        told["response"] = TAKEN[case] + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    visitor = router.visit()
    for number in (1, 2):
        visitor.send(b"%b / HTTP/1.1\r\nHost: %b\r\n\r\n" % (method, app.host))
        answer = visitor.response(method)
        assert answer.body == (b"hello" if method == b"GET" else b"")
        assert app.connections == number


def test_to_an_old_visitor_it_goes_without_chunks(
    router: Any, app: App, told: dict[str, bytes]
) -> None:
    told["response"] = TAKEN["length and chunked"]
    visitor = router.visit()
    visitor.send(b"GET / HTTP/1.0\r\nHost: %b\r\n\r\n" % app.host)
    head, _, body = visitor.everything().partition(b"\r\n\r\n")
    assert body == b"hello"
    assert b"ontent-" not in head and b"ransfer-" not in head


def test_visitors_may_not_write_so() -> None:
    for text in (b"5 \r\n", b"5;\r\n", b"5; a=\r\n", b"0000000000000000005\r\n"):
        with pytest.raises(BadRequest):
            chunks.Decoder().feed(text)
        chunks.ResponseDecoder().feed(text)


def test_426_names_what_it_asks_for(router: Any, app: App, told: dict[str, bytes]) -> None:
    wanted = b"Connection: upgrade\r\nUpgrade: websocket\r\n"
    told["response"] = b"HTTP/1.1 426 Upgrade Required\r\n" + wanted + LENGTH + b"\r\nhello"
    answer = router.fetch(app.host)
    assert (answer.status, answer.header("upgrade"), answer.body) == (426, "websocket", b"hello")
    assert answer.header("connection") == "Upgrade"
    told["response"] = told["response"].replace(b"426", b"200")
    answer = router.fetch(app.host)
    assert (answer.status, answer.header("upgrade"), answer.header("connection")) == (
        200,
        None,
        None,
    )


NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://unix:{app}; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend visitors
  bind 127.0.0.1:{port}
  default_backend app
backend app
  server app unix@{app}
"""


def _status_and_body(visitor: Visitor) -> tuple[int, bytes]:
    """What a strict visitor reads; status 0 where it reads nothing."""
    visitor.get(b"a.test", extra=b"Connection: close\r\n")
    with contextlib.suppress(EOFError, ConnectionError, HttpParserError):
        answer = visitor.response()
        return answer.status, answer.body
    return 0, b""


def test_what_haproxy_and_nginx_pass_on_is_passed_on(
    app: App, told: dict[str, bytes], router: Any, tmp_path: Path
) -> None:
    if not shutil.which("haproxy") or not shutil.which("nginx"):
        pytest.skip("haproxy and nginx are not both installed")

    def script(talk: Any) -> None:
        talk.request()
        talk.send(told["response"])  # and closes: they may wait for that

    app.script = script
    ports = dict(zip(("haproxy", "nginx"), free_ports(2), strict=True))
    with contextlib.ExitStack() as running:
        for name, text in (("haproxy", HAPROXY), ("nginx", NGINX)):
            path = tmp_path / name
            values = {"folder": tmp_path, "port": ports[name], "app": app.target["unix"]}
            path.write_text(text.format(**values))
            flags = ["-db", "-f"] if name == "haproxy" else ["-c"]
            running.enter_context(_in_front([name, *flags, str(path)], [ports[name]]))
        passed: dict[str, set[str]] = {name: set() for name in ports}
        for case, response in (TAKEN | REFUSED).items():
            told["response"] = response
            for name, port in ports.items():
                if _status_and_body(Visitor(("127.0.0.1", port))) == (200, b"hello"):
                    passed[name].add(case)
    both = passed["haproxy"] & passed["nginx"]
    assert both >= REFUSED.keys()  # or they need not be named
    assert len(both & TAKEN.keys()) >= 10
    for case in both:
        told["response"] = (TAKEN | REFUSED)[case]
        status = router.fetch(app.host).status if case in TAKEN else 503
        assert status == 200 or case in REFUSED
