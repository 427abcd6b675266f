"""Receivers of drains: syslog over TCP and TLS, and HTTPS as Heroku's receivers are."""

import contextlib
import datetime
import ipaddress
import re
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

MESSAGE = re.compile(
    rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00) (\S+) (\S+) (\S+) - ([^\n]*)\n"
)


@dataclass(frozen=True)
class Message:
    priority: int
    host: str
    source: str
    process: str
    text: str


def frames(data: bytes) -> tuple[list[bytes], bytes]:
    """Whole messages by their counts (RFC 6587), and what is left."""
    found = []
    while match := re.match(rb"(\d+) ", data):
        end = match.end() + int(match[1])
        if len(data) < end:
            break
        found.append(data[match.end() : end])
        data = data[end:]
    assert not data or data[:1].isdigit(), data[:80]
    return found, data


def parsed(raw: bytes) -> Message:
    match = MESSAGE.fullmatch(raw)
    assert match, raw[:200]
    priority, _, host, source, process, text = (part.decode() for part in match.groups())
    return Message(int(priority), host, source, process, text)


@dataclass
class Received:
    """Whoever waits for more is woken. Without `may_read` the receiver takes no byte."""

    messages: list[Message] = field(default_factory=list)
    requests: list[dict[str, str]] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    may_read: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def add(self, raw: list[bytes]) -> None:
        with self.changed:
            self.messages += [parsed(each) for each in raw]
            self.changed.notify_all()

    def until(self, condition: Any, timeout_s: float = 60) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: condition(self), timeout_s), self.messages[-3:]


@contextlib.contextmanager
def tcp(context: ssl.SSLContext | None = None, buffer_bytes: int = 0) -> Iterator[Any]:
    """The port, and what comes to it."""
    found = Received()
    found.may_read.set()
    listening = socket.create_server(("127.0.0.1", 0))
    if buffer_bytes:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)

    def take(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if context:
                connection = context.wrap_socket(connection, server_side=True)
            with found.changed:
                found.connections.append(connection)
                found.changed.notify_all()
            rest = b""
            while found.may_read.wait() and (data := connection.recv(65536)):
                raw, rest = frames(rest + data)
                found.add([each.replace(b" - - ", b" - ", 1) for each in raw])
        connection.close()

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection = listening.accept()[0]
                threading.Thread(target=take, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1], found
    finally:
        found.may_read.set()
        with contextlib.suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for connection in list(found.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join(30)


@contextlib.contextmanager
def https(context: ssl.SSLContext) -> Iterator[Any]:
    found = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = found.answers.pop(0) if found.answers else 204
            with found.changed:
                found.requests.append({**self.headers, "path": self.path, "answer": str(answer)})
                found.changed.notify_all()
            if answer == 204:
                raw, rest = frames(body)
                assert not rest and len(raw) == int(self.headers["Logplex-Msg-Count"])
                found.add(raw)
            self.send_response(answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1], found
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Of 127.0.0.1 and localhost; the file is what a client has to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    return context, chain
