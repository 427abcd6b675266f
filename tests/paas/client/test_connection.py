"""The connection: bodies that end or break, connections kept, TLS and a proxy's tunnel."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paas.certificates.authority import Authority
from paas.client.api import Client
from paas.client.endpoint import Endpoint
from paas.errors import UserError

WAIT_S = 30
HOST = "paas.example.com"
EMPTY_LIST = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]"

Conversation = Callable[[socket.socket], None]


@contextmanager
def speaking(*conversations: Conversation) -> Iterator[int]:
    """A server whose n-th connection is given to the n-th conversation; the value is its port."""

    def serve() -> None:
        for conversation in conversations:
            with listening.accept()[0] as connection:
                connection.settimeout(WAIT_S)
                conversation(connection)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(WAIT_S)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(WAIT_S)


def saying(*answers: bytes) -> Conversation:
    """One answer a request, then the end of the connection."""

    def converse(connection: socket.socket) -> None:
        for answer in answers:
            assert head(connection)
            connection.sendall(answer)

    return converse


def head(connection: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            break
        received += piece
    return received


def client(port: int) -> Client:
    return Client(Endpoint(f"http://127.0.0.1:{port}"))


def test_one_connection_serves_several_requests() -> None:
    with speaking(saying(EMPTY_LIST, EMPTY_LIST)) as port:
        api = client(port)
        assert (api.get("/a"), api.get("/b")) == ([], [])


def test_a_connection_that_the_server_ended_is_made_again() -> None:
    with speaking(saying(EMPTY_LIST), saying(EMPTY_LIST)) as port:
        api = client(port)
        assert api.get("/a") == []
        kept = api._connection._http.sock
        assert kept.recv(1, socket.MSG_PEEK) == b""  # the end has come
        assert api.get("/b") == []


def test_a_chunked_stream_arrives_piece_by_piece() -> None:
    first_is_read = threading.Event()

    def converse(connection: socket.socket) -> None:
        head(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\neins\r\n")
        connection.sendall(b"1\r\n\n\r\n")
        assert first_is_read.wait(WAIT_S)
        connection.sendall(b"4\r\nzwei\r\n0\r\n\r\n")

    with speaking(converse) as port:
        lines = client(port).lines("/streams/1")
        assert next(lines) == "eins"
        first_is_read.set()
        assert list(lines) == ["zwei"]


@pytest.mark.parametrize(
    "answer",
    [
        b"Transfer-Encoding: chunked\r\n\r\n4\r\neins\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n9\r\neins",
        b"Content-Length: 9\r\n\r\neins",
    ],
)
def test_a_body_that_breaks_off_is_no_end(answer: bytes) -> None:
    whole = b"HTTP/1.1 200 OK\r\n" + answer
    with speaking(saying(whole), saying(whole)) as port:
        for ask in (lambda: list(client(port).lines("/s")), lambda: client(port).get("/s")):
            with pytest.raises(UserError) as caught:
                ask()
            assert caught.value.id == "connection_lost"


def test_a_redirection_is_not_followed() -> None:
    moved = saying(b"HTTP/1.1 301 Moved\r\nLocation: http://evil.example/\r\n\r\n")
    with speaking(moved) as port, pytest.raises(UserError, match="is not a platform's API"):
        client(port).get("/apps")


@pytest.fixture
def certified(tmp_path: Path) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS for HOST, and the authority's root."""
    root = tmp_path / "root.pem"
    issued = Authority.open(root, "test").issue([HOST, "localhost"])
    chain = tmp_path / "chain.pem"
    chain.write_text(issued.chain + issued.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return context, root


def encrypted(context: ssl.SSLContext, asked: list[bytes]) -> Conversation:
    def converse(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as inside:
                asked.append(head(inside))
                inside.sendall(EMPTY_LIST)
        except ssl.SSLError as error:
            asked.append(str(error).encode())

    return converse


def test_an_encrypted_platform_must_have_a_trusted_certificate(
    certified: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, root = certified
    asked: list[bytes] = []
    with speaking(encrypted(context, asked), encrypted(context, asked)) as port:
        endpoint = Endpoint(f"https://localhost:{port}", token="secret")
        with pytest.raises(UserError, match="is not trusted") as caught:
            Client(endpoint).get("/apps")
        monkeypatch.setenv("SSL_CERT_FILE", str(root))
        assert Client(endpoint).get("/apps") == []
    assert caught.value.id == "untrusted_certificate"
    assert b"secret" not in asked[0] and b"Bearer secret" in asked[1]


def test_a_remote_platform_is_reached_through_the_proxy_of_the_environment(
    certified: tuple[ssl.SSLContext, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    context, root = certified
    asked: list[bytes] = []

    def proxy(connection: socket.socket) -> None:
        asked.append(head(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        encrypted(context, asked)(connection)

    monkeypatch.setenv("SSL_CERT_FILE", str(root))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with speaking(proxy) as port:
        monkeypatch.setenv("https_proxy", f"http://me:p%40ss@127.0.0.1:{port}")
        assert Client(Endpoint(f"https://{HOST}", token="secret")).get("/apps") == []
    assert asked[0].startswith(f"CONNECT {HOST}:443 HTTP/1".encode())
    assert b"Proxy-Authorization: Basic bWU6cEBzcw==" in asked[0] and b"secret" not in asked[0]
    assert b"Bearer secret" in asked[1] and b"Proxy-Authorization" not in asked[1]


def test_a_proxy_that_refuses_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with speaking(saying(b"HTTP/1.1 403 Forbidden\r\n\r\n")) as port:
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{port}")
        with pytest.raises(UserError, match=r"HTTPS_PROXY.*403") as caught:
            Client(Endpoint(f"https://{HOST}")).get("/apps")
    assert f"NO_PROXY={HOST}" in caught.value.hint
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:1")
    with pytest.raises(UserError, match="can't use"):
        Client(Endpoint(f"https://{HOST}"))


def test_a_server_without_tls_is_said_to_have_none() -> None:
    def plain(connection: socket.socket) -> None:
        assert connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad\r\n\r\n")

    with speaking(plain) as port, pytest.raises(UserError, match="does not speak TLS"):
        Client(Endpoint(f"https://localhost:{port}")).get("/apps")
