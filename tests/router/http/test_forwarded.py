"""Whom trusted proxies speak for: judged without sockets, then by what apps, log and limits see."""

import ipaddress
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.http import forwarded, proxyprotocol
from router.http.forwarded import Said
from router.http.request_head import FORWARDED
from tests.ports import free_ports
from tests.router.conftest import FAST_LIMITS, PATIENCE_S, Router, entry_of
from tests.router.http.test_proxyprotocol import ONE, TWO, _in_front, block

PEER = b"10.0.0.1"


def trusts(address: bytes) -> bool:
    return address.startswith((b"10.", b"2001:db8:f::"))


def read(*fields: tuple[str, str]) -> Said:
    return forwarded.read({a.encode(): b.encode() for a, b in fields}, PEER, trusts)


@pytest.mark.parametrize(
    ("chain", "visitor"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("9.9.9.9, 203.0.113.7", "203.0.113.7"),
        ("9.9.9.9,203.0.113.7 , 10.0.0.9", "203.0.113.7"),
        ("9.9.9.9, 10.0.0.5, 203.0.113.7, 10.0.0.9, 10.0.0.8", "203.0.113.7"),
        ("10.0.0.7, 10.0.0.9", "10.0.0.7"),
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:DB8::7]:4711", "2001:db8::7"),
        ("2001:db8:0:0::7", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("9.9.9.9, 2001:db8:f::1", "9.9.9.9"),
        ("9.9.9.9, unknown", "10.0.0.1"),
        ("9.9.9.9, unknown, 10.0.0.9", "10.0.0.9"),
        ("9.9.9.9, 1.2.3.4.5", "10.0.0.1"),
        ("9.9.9.9,", "10.0.0.1"),
        ("", "10.0.0.1"),
        ("localhost", "10.0.0.1"),
        ("203.0.113.07", "10.0.0.1"),
        ('"203.0.113.7"', "10.0.0.1"),
    ],
)
def test_the_last_address_that_is_no_trusted_proxys_is_the_visitors(
    chain: str, visitor: str
) -> None:
    assert read(("x-forwarded-for", chain)).address == visitor.encode()
    assert read(("x-forwarded-for", chain), ("forwarded", "for=6.6.6.6")).address == (
        visitor.encode()
    )


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("for=203.0.113.7", ("203.0.113.7", "", "", "")),
        ("For=203.0.113.7;Proto=https;host=a.test", ("203.0.113.7", "https", "a.test", "443")),
        (
            'for="203.0.113.7:80"; by=10.0.0.1;proto="http" ;host="a.test:8080"',
            ("203.0.113.7", "http", "a.test:8080", "8080"),
        ),
        ('for="[2001:db8::7]:1";proto=https', ("2001:db8::7", "https", "", "443")),
        (
            "for=9.9.9.9;proto=https;host=evil.test, for=203.0.113.7;proto=http, for=10.0.0.9",
            ("203.0.113.7", "http", "", "80"),
        ),
        ("for=unknown;proto=https", ("10.0.0.1", "https", "", "443")),
        ("for=_hidden, for=10.0.0.9;proto=https", ("10.0.0.9", "https", "", "443")),
        ("proto=https", ("10.0.0.1", "https", "", "443")),
        ("for=203.0.113.7;for=9.9.9.9", ("10.0.0.1", "", "", "")),
        ('for="203.0.113.7', ("10.0.0.1", "", "", "")),
        ("for=203.0.113.7 proto=https", ("10.0.0.1", "", "", "")),
        ('host="a\\"b";for=203.0.113.7', ("203.0.113.7", "", "", "")),
        ("", ("10.0.0.1", "", "", "")),
    ],
)
def test_the_standard_field_says_the_same(field: str, expected: tuple[str, ...]) -> None:
    assert read(("forwarded", field)) == tuple(each.encode() for each in expected)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"proto": "https"}, ("https", "", "443")),
        ({"proto": "HTTPS"}, ("https", "", "443")),
        ({"proto": "wss"}, ("https", "", "443")),
        ({"proto": "gopher"}, ("", "", "")),
        ({"proto": "https", "port": "8443"}, ("https", "", "8443")),
        ({"proto": "https", "port": "0"}, ("https", "", "443")),
        ({"proto": "https", "port": "x"}, ("https", "", "443")),
        ({"host": "a.test:81"}, ("", "a.test:81", "81")),
        ({"host": "[::1]:81"}, ("", "[::1]:81", "81")),
        ({"host": "[::1]"}, ("", "[::1]", "")),
        ({"host": "a.test/evil"}, ("", "", "")),
        ({"host": "a.test:99999", "proto": "http"}, ("http", "a.test:99999", "80")),
        # Two proxies wrote theirs: that counts to which the visitor came.
        ({"for": "203.0.113.7, 10.0.0.9", "proto": "https, http"}, ("https", "", "443")),
        ({"for": "203.0.113.7, 10.0.0.9", "proto": "http, https, http"}, ("https", "", "443")),
        ({"for": "9.9.9.9, 203.0.113.7", "proto": "https, http"}, ("http", "", "80")),
        ({"for": "203.0.113.7, 10.0.0.9", "proto": "https"}, ("https", "", "443")),
    ],
)
def test_how_the_visitor_came(fields: dict[str, str], expected: tuple[str, ...]) -> None:
    found = read(*((f"x-forwarded-{name}", value) for name, value in fields.items()))
    assert found[1:] == tuple(each.encode() for each in expected)


@given(
    st.dictionaries(
        st.sampled_from(sorted(FORWARDED)),
        st.text(st.sampled_from('for=host;proto,. "\\[]:0123456789af\t_é'), max_size=60).map(
            lambda text: text.encode("latin-1")
        ),
    )
)
def test_whatever_is_said_what_is_believed_is_well_formed(fields: dict[bytes, bytes]) -> None:
    found = forwarded.read(fields, PEER, trusts)
    ipaddress.ip_address(found.address.decode())
    assert found.scheme in (b"", b"http", b"https")
    assert not found.port or 0 < int(found.port) < 65536
    assert not set(found.host) & set(b'\r\n ,;"')


@pytest.mark.parametrize(
    ("tlvs", "secure"),
    [
        (b"\x20\0\5\1\0\0\0\0", True),
        (b"\x01\0\2h2\x20\0\x0f\7\0\0\0\0\x21\0\7TLSv1.3", True),
        (b"\x20\0\5\0\0\0\0\0", False),
        (b"\x20\0\5\6\0\0\0\0", False),
        (b"\x20\0\1\1", False),
        (b"\x20\0\6\1\0\0\0\0", False),
        (b"\x04\0\5\1\0\0\0\0", False),
        (b"", False),
    ],
)
def test_a_proxy_header_says_whether_the_visitor_speaks_tls(tlvs: bytes, secure: bool) -> None:
    header = proxyprotocol.read(block(ONE, TWO, 1, 2, tlvs))
    assert header is not None and header.secure is secure


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """A router behind HTTP proxies on this host, and with visitors from 127.0.1.0/24 too."""
    router = Router(
        tmp_path_factory.mktemp("behind"),
        limits=(*FAST_LIMITS, "connections_per_address=3", "keep_alive_s=100"),
        forwarding=("127.0.0.0/24", "10.0.0.0/8"),
    )
    yield router
    router.stop()


@pytest.fixture
def site(behind: Router, make_app: Any) -> Iterator[Any]:
    app = make_app()
    behind.publish(app.entry)
    yield app
    behind.withdraw(app.id)


SPOOFED = (
    b"X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.test\r\n"
    b"X-Forwarded-Port: 1\r\nForwarded: for=6.6.6.6;host=evil.test\r\nX-Real-IP: 6.6.6.6\r\n"
    b"X-Forwarded-Ssl: on\r\nx_forwarded_host: evil.test\r\nX-Forwarded_Host: evil.test\r\n"
    b"X-Forwarded-Prefix: /evil\r\nX-Forwarded-Client-Cert: evil\r\n"
)


def test_nobody_else_is_believed(router: Router, app: Any) -> None:
    assert router.fetch(app.host, extra=SPOOFED).status == 200
    (seen,) = app.requests
    assert b"6.6.6.6" not in seen and b"evil" not in seen
    assert seen.lower().count(b"forwarded") == 3
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n" in seen
    assert 'fwd="127.0.0.1"' in router.lines(app.id)[0]


def test_a_visitor_beside_the_proxies_is_not_believed_either(behind: Router, site: Any) -> None:
    visitor = behind.visit()
    visitor.socket = socket.create_connection(behind.address, PATIENCE_S, ("127.0.1.9", 0))
    visitor.get(site.host, extra=SPOOFED)
    assert visitor.response().status == 200
    (seen,) = site.requests
    assert b"6.6.6.6" not in seen and b"evil" not in seen
    assert b"\r\nX-Forwarded-For: 127.0.1.9\r\n" in seen


def test_app_and_log_hear_of_the_visitor_and_how_it_came(behind: Router, site: Any) -> None:
    visitor = behind.visit()
    for extra in (
        b"X-Forwarded-For: 6.6.6.6, 203.0.113.7, 10.0.0.9\r\nX-Forwarded-Proto: https\r\n"
        b"X-Forwarded-Host: www.example.com\r\nX-Forwarded-Prefix: /a\r\n"
        b"Forwarded: for=6.6.6.6\r\n",
        b"Forwarded: for=6.6.6.6, for=203.0.113.7;proto=https;host=www.example.com\r\n"
        b"Forwarded: for=10.0.0.9\r\n",
        b"X-Other: y\r\n",
    ):
        visitor.get(site.host, extra=extra)
        assert visitor.response().status == 200
    first, second, last = site.requests
    for seen in (first, second):
        assert b"\r\nHost: %b\r\n" % site.host in seen
        assert b"\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n" in seen
        assert b"\r\nX-Forwarded-Port: 443\r\n" in seen
        assert b"\r\nX-Forwarded-Host: www.example.com\r\n" in seen
        assert b"6.6.6.6" not in seen and b"\r\nForwarded" not in seen
    assert b"\r\nX-Forwarded-Prefix: /a\r\n" in first
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Proto: http\r\n" in last
    assert b"Host: www" not in last
    lines = behind.lines(site.id, 3)
    assert all('fwd="203.0.113.7"' in line and "protocol=https" in line for line in lines[:2])
    assert 'fwd="127.0.0.1"' in lines[2] and "protocol=http" in lines[2]


def test_limits_count_visitors_and_not_their_proxy(behind: Router, site: Any) -> None:
    behind.publish(entry_of(site, routing={"requests_per_second": 0.001, "burst": 1}))
    held = [behind.visit() for _ in range(8)]  # more connections than an address may have
    for number, visitor in enumerate(held):
        visitor.get(site.host, extra=b"X-Forwarded-For: 203.0.113.%d\r\n" % number)
        assert visitor.response().status == 200
    for number, visitor in enumerate(reversed(held)):  # the same visitors, over other connections
        visitor.get(site.host, extra=b"X-Forwarded-For: 9.9.9.9, 203.0.113.%d\r\n" % number)
        assert visitor.response().status == 429


def test_https_is_where_the_proxy_says_so(behind: Router, site: Any) -> None:
    behind.publish(entry_of(site, https="redirect"))
    came = {b"X-Forwarded-Proto: https\r\n": 200, b"Forwarded: proto=https\r\n": 200}
    for extra, status in came.items():
        assert behind.fetch(site.host, extra=extra).status == status
    plain = b"X-Forwarded-Proto: http\r\n"
    answer = behind.fetch(site.host, b"/a", plain)
    assert (answer.status, answer.header("location")) == (301, f"https://{site.host.decode()}/a")
    answer = behind.fetch(site.host, b"/a", plain + b"X-Forwarded-Host: www.example.com:80\r\n")
    assert answer.header("location") == "https://www.example.com/a"
    behind.publish(entry_of(site, routing={"sticky": True}))
    cookie = behind.fetch(site.host, extra=b"X-Forwarded-Proto: https\r\n").header("set-cookie")
    assert cookie is not None and cookie.endswith("; Secure")


def test_a_visitor_of_a_proxy_that_ends_tls_is_https(tmp_path: Path, make_app: Any) -> None:
    router = Router(tmp_path, trusted=("127.0.0.0/8",))
    try:
        app = make_app()
        router.publish(app.entry)
        for tlvs, scheme in ((b"\x20\0\5\1\0\0\0\0", b"https"), (b"", b"http")):
            visitor = router.visit()
            visitor.send(block(ONE, TWO, 1000, 8443, tlvs))
            visitor.get(app.host, extra=SPOOFED)
            assert visitor.response().status == 200
            assert b"\r\nX-Forwarded-For: 192.0.2.1\r\n" in app.requests[-1]
            assert b"\r\nX-Forwarded-Proto: %b\r\n" % scheme in app.requests[-1]
            assert b"evil" not in app.requests[-1]
            assert router.line_with(app.id, f"protocol={scheme.decode()}")
    finally:
        router.stop()


NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5;
  server {{ listen 127.0.0.1:{port}; location / {{
    proxy_pass http://127.0.0.1:{router}; proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto https; }} }}
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
  option forwardfor
  http-request set-header X-Forwarded-Proto https
  default_backend router
backend router
  server router 127.0.0.1:{router}
"""


@pytest.mark.parametrize("program", ["haproxy", "nginx"])
def test_behind_the_real_proxies(behind: Router, site: Any, tmp_path: Path, program: str) -> None:
    """They pass on what a visitor claims; it counts for nothing all the same."""
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    (port,) = free_ports(1)
    path = tmp_path / "configuration"
    text = HAPROXY if program == "haproxy" else NGINX
    path.write_text(text.format(folder=tmp_path, port=port, router=behind.address[1]))
    flags = ["-db", "-f"] if program == "haproxy" else ["-c"]
    with _in_front([program, *flags, str(path)], [port]):
        connection = socket.create_connection(("127.0.0.1", port), PATIENCE_S, ("127.0.1.9", 0))
        spoofed = b"X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nConnection: close\r\n"
        connection.sendall(b"GET / HTTP/1.1\r\nHost: %b\r\n%b\r\n" % (site.host, spoofed))
        answer = b""
        while data := connection.recv(65536):
            answer += data
        connection.close()
    assert answer.endswith(b"hello")
    (seen,) = site.requests
    assert b"\r\nX-Forwarded-For: 127.0.1.9\r\nX-Forwarded-Proto: https\r\n" in seen
    assert b"6.6.6.6" not in seen
