"""PROXY protocol: the header judged without sockets, then behind the real HAProxy and nginx."""

import contextlib
import ipaddress
import shutil
import socket
import ssl
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.http import proxyprotocol
from router.http.proxyprotocol import SIGNATURE, Header, ProxyError
from tests.ports import free_ports
from tests.router.conftest import FAST_LIMITS, PATIENCE_S, Router, Visitor, entry_of
from tests.router.tls.test_tls import careless, make, push

V4 = st.ip_addresses(v=4)
V6 = st.ip_addresses(v=6)
PORTS = st.integers(0, 65535)
PAIRS = st.one_of(st.tuples(V4, V4), st.tuples(V6, V6))


def line(source: Any, destination: Any, source_port: int, port: int) -> bytes:
    return f"PROXY TCP{source.version} {source} {destination} {source_port} {port}\r\n".encode()


def block(
    source: Any, destination: Any, source_port: int, port: int, more: bytes = b"", command: int = 1
) -> bytes:
    body = source.packed + destination.packed + struct.pack(">HH", source_port, port) + more
    family = 0x11 if source.version == 4 else 0x21
    return SIGNATURE + struct.pack(">BBH", 0x20 | command, family, len(body)) + body


def expected(header: bytes, source: Any, port: int) -> Header:
    mapped = getattr(source, "ipv4_mapped", None)
    return Header(len(header), str(mapped or source).encode(), port)


@given(PAIRS, PORTS, PORTS, st.binary(max_size=20))
def test_a_line_says_who_the_visitor_is(
    pair: tuple[Any, Any], one: int, two: int, after: bytes
) -> None:
    text = line(*pair, one, two)
    if len(text) <= proxyprotocol.V1_BYTES_MAX:
        assert proxyprotocol.read(text + after) == expected(text, pair[0], two)


@given(PAIRS, PORTS, PORTS, st.binary(max_size=300), st.binary(max_size=20))
def test_a_block_too_and_its_tlvs_are_skipped(
    pair: tuple[Any, Any], one: int, two: int, tlvs: bytes, after: bytes
) -> None:
    data = block(*pair, one, two, tlvs)
    assert proxyprotocol.read(data + after) == expected(data, pair[0], two)


@given(PAIRS, PORTS, PORTS, st.booleans())
def test_every_beginning_waits_for_more(
    pair: tuple[Any, Any], one: int, two: int, old: bool
) -> None:
    data = line(*pair, one, two) if old else block(*pair, one, two, b"\x04\0\1x")
    for size in range(len(data)):
        assert proxyprotocol.read(data[:size]) is None


@given(st.one_of(st.binary(max_size=200), st.binary(max_size=60).map(lambda b: SIGNATURE + b)))
def test_any_bytes_are_read_waited_for_or_refused(data: bytes) -> None:
    with contextlib.suppress(ProxyError):
        header = proxyprotocol.read(data)
        assert header is None or header.size <= len(data)
        if header is None:
            assert len(data) < proxyprotocol.V2_BYTES_MAX
        elif header.source:
            ipaddress.ip_address(header.source.decode())


@given(st.sampled_from([0x00, 0x11, 0x21, 0x31, 0xFF]), st.binary(max_size=60))
def test_a_proxy_that_speaks_for_itself_has_no_source(family: int, body: bytes) -> None:
    data = SIGNATURE + struct.pack(">BBH", 0x20, family, len(body)) + body
    assert proxyprotocol.read(data) == Header(len(data))


def test_unknown_has_no_source() -> None:
    for text in (b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"):
        assert proxyprotocol.read(text + b"GET") == Header(len(text))


ONE, TWO = ipaddress.ip_address("192.0.2.1"), ipaddress.ip_address("192.0.2.2")
GOOD = block(ONE, TWO, 1, 2)


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n",
        b"proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
        b"PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n",
        b"PROXY TCP4 192.0.2.1 192.0.2.2 1 -2\r\n",
        b"PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
        b"PROXY TCP4 ::1 ::2 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
        b"PROXY UNKNOWN\n",
        b"PROXY UNKNOWN \0\r\n",
        b"PROXY " + b"x" * 101,
        SIGNATURE[:-1] + b"X" + GOOD[12:],
        GOOD[:12] + b"\x11" + GOOD[13:],
        GOOD[:12] + b"\x22" + GOOD[13:],
        GOOD[:13] + b"\x13" + GOOD[14:],
        GOOD[:14] + b"\x00\x0b" + GOOD[16:],
        GOOD[:13] + b"\x21" + GOOD[14:],
        GOOD[:14] + b"\xff\xff" + GOOD[16:],
    ],
)
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyError):
        proxyprotocol.read(data)


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """A router that trusts this host."""
    limits = (*FAST_LIMITS, "connections_per_address=5", "keep_alive_s=100")
    router = Router(tmp_path_factory.mktemp("proxied"), limits=limits, trusted=("127.0.0.0/8",))
    yield router
    router.stop()


@pytest.fixture
def site(proxied: Router, make_app: Any) -> Iterator[Any]:
    app = make_app()
    proxied.publish(entry_of(app, domains=["proxied.test"]))
    yield app
    proxied.withdraw(app.id)


def request(close: bool = True) -> bytes:
    end = b"Connection: close\r\n" if close else b""
    return b"GET / HTTP/1.1\r\nHost: proxied.test\r\n%b\r\n" % end


@pytest.mark.parametrize("header", [line(ONE, TWO, 1000, 8443), block(ONE, TWO, 1000, 8443)])
def test_the_app_and_the_log_hear_of_the_visitor(proxied: Router, site: Any, header: bytes) -> None:
    visitor = proxied.visit()
    visitor.send(header + request())
    assert visitor.response().body == b"hello"
    (seen,) = site.requests
    assert b"\r\nX-Forwarded-For: 192.0.2.1\r\n" in seen
    assert b"\r\nX-Forwarded-Port: 8443\r\n" in seen
    assert 'fwd="192.0.2.1"' in proxied.lines(site.id)[0]


def test_a_header_may_come_a_byte_at_a_time(tmp_path: Path, make_app: Any) -> None:
    router = Router(tmp_path, limits=("head_s=60",), trusted=("127.0.0.0/8",))
    try:
        app = make_app()
        router.publish(entry_of(app, domains=["proxied.test"]))
        for header in (line(ONE, TWO, 1, 2), block(ONE, TWO, 1, 2, b"\x04\0\1x")):
            visitor = router.visit()
            visitor.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for byte in header:
                visitor.send(bytes([byte]))
                time.sleep(0.002)
            visitor.send(request())
            assert visitor.response().body == b"hello"
        assert len(app.requests) == 2
        assert all(b"\r\nX-Forwarded-For: 192.0.2.1\r\n" in each for each in app.requests)
    finally:
        router.stop()


def test_a_proxy_that_speaks_for_itself_is_the_visitor(proxied: Router, site: Any) -> None:
    for header in (b"PROXY UNKNOWN\r\n", block(ONE, TWO, 1, 2, command=0)):
        visitor = proxied.visit()
        visitor.send(header + request())
        assert visitor.response().body == b"hello"
    assert all(b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in each for each in site.requests)


@pytest.mark.parametrize("sent", [request(), b"PROXY TCP4 nonsense\r\n", b"PROXY", b""])
def test_without_a_whole_header_nothing_is_served(proxied: Router, site: Any, sent: bytes) -> None:
    visitor = proxied.visit()
    visitor.send(sent)
    assert visitor.everything() == b""
    assert not site.requests


def test_a_header_from_elsewhere_is_no_request(router: Router, app: Any) -> None:
    visitor = router.visit()
    visitor.send(line(ONE, TWO, 1, 2) + b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % app.host)
    assert visitor.response().status == 400
    assert not app.requests


def test_it_stands_before_the_handshake(proxied: Router, site: Any) -> None:
    push(proxied, make("proxied.test"))
    plain = socket.create_connection(proxied.secure_address, PATIENCE_S)
    plain.sendall(block(ONE, TWO, 1000, 443))
    visitor = Visitor.__new__(Visitor)
    visitor.buffer = b""
    visitor.socket = careless().wrap_socket(plain, server_hostname="proxied.test")
    visitor.send(request())
    assert visitor.response().body == b"hello"
    (seen,) = site.requests
    assert b"\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n" in seen
    assert b"\r\nX-Forwarded-Port: 443\r\n" in seen


def _from(proxied: Router, source: str, close: bool = False) -> Visitor:
    visitor = proxied.visit()
    header = line(ipaddress.ip_address(source), ipaddress.ip_address("2001:db8::9"), 1, 2)
    with contextlib.suppress(ConnectionError):  # it may be turned away at once
        visitor.send(header + request(close))
    return visitor


def test_no_address_has_more_connections_than_it_may(proxied: Router, site: Any) -> None:
    """The /64 counts; others, and the same one when some have gone, are let in."""
    held = [_from(proxied, f"2001:db8:0:7::{number}") for number in range(1, 6)]
    assert [each.response().status for each in held] == [200] * 5
    assert _from(proxied, "2001:db8:0:7:ffff::1").everything() == b""
    other = _from(proxied, "2001:db8:0:8::1")
    assert other.response().status == 200
    held.pop().close()
    end = time.monotonic() + PATIENCE_S
    while not _from(proxied, "2001:db8:0:7::9", close=True).everything():
        assert time.monotonic() < end
    for each in (*held, other):
        each.close()


HAPROXY = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen old
  bind 127.0.0.1:{0}
  server router 127.0.0.1:{plain} send-proxy
listen new
  bind 127.0.0.1:{1}
  server router 127.0.0.1:{plain} send-proxy-v2
listen secure
  bind 127.0.0.1:{2}
  server router 127.0.0.1:{secure} send-proxy-v2
"""
NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
events {{ worker_connections 64; }}
stream {{
  proxy_protocol on;
  server {{ listen 127.0.0.1:{0}; proxy_pass 127.0.0.1:{plain}; }}
  server {{ listen 127.0.0.1:{1}; proxy_pass 127.0.0.1:{secure}; }}
}}
"""


@contextlib.contextmanager
def _in_front(command: list[str], ports: list[int]) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        end = time.monotonic() + PATIENCE_S
        for port in ports:
            while True:
                assert process.poll() is None, process.communicate()[1]
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                    break
                assert time.monotonic() < end
                time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.communicate()


def _ask(port: int, secure: bool) -> bytes:
    connection = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
    if secure:
        connection = careless().wrap_socket(connection, server_hostname="proxied.test")
    connection.sendall(request())
    answer = b""
    with contextlib.suppress(ssl.SSLEOFError):
        while data := connection.recv(65536):
            answer += data
    connection.close()
    return answer


@pytest.mark.parametrize("program", ["haproxy", "nginx"])
def test_behind_the_real_proxies(proxied: Router, site: Any, tmp_path: Path, program: str) -> None:
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed")
    if program == "nginx" and not Path("/usr/lib/nginx/modules/ngx_stream_module.so").exists():
        pytest.skip("nginx has no stream module here")
    push(proxied, make("proxied.test"))
    text = HAPROXY if program == "haproxy" else NGINX
    ports = free_ports(3 if program == "haproxy" else 2)
    configuration = tmp_path / "configuration"
    configuration.write_text(
        text.format(
            *ports,
            plain=proxied.address[1],
            secure=proxied.secure_address[1],
            folder=tmp_path,
        )
    )
    command = ["haproxy", "-f", str(configuration)]
    if program == "nginx":
        command = ["nginx", "-c", str(configuration)]
    with _in_front(command, ports):
        for port in ports:
            answer = _ask(port, secure=port == ports[-1])
            assert answer.endswith(b"hello"), answer
    assert len(site.requests) == len(ports)
    for port, seen in zip(ports, site.requests, strict=True):
        assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in seen
        assert b"\r\nX-Forwarded-Port: %d\r\n" % port in seen
