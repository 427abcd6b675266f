"""What the router itself answers though nothing has failed: ACME's challenges, and redirects."""

from http import HTTPStatus
from time import time
from typing import TYPE_CHECKING, Final

from router.http import pages
from router.http.request_head import host
from router.traffic import endings, phases

if TYPE_CHECKING:
    from router.traffic.client import Client

CHALLENGE_PATH: Final = "/.well-known/acme-challenge/"
"""RFC 8555 §8.3."""
HTTPS_PORT: Final = 443


def challenge(client: "Client", authorization: bytes) -> None:
    """Prove to a certificate authority that requests for this host come here; whosever host."""
    client.app = client.routes = None
    _answer(client, 200, b"Content-Type: application/octet-stream\r\n", authorization)


def knows_https(client: "Client") -> bool:
    """TLS is spoken here, or by the proxy in front that said what the visitor speaks."""
    return bool(client.plane.secure_port or _scheme_by_proxy(client))


def redirect(client: "Client") -> None:
    """The same address with https. 308 keeps the method (RFC 9110 §15.4.9); 301 is better known."""
    name, port = client.fields.host, client.plane.secure_port
    said = client.forwarded
    if said is not None and said.scheme:
        name, port = host(said.host) if said.host else name, HTTPS_PORT
    location = b"https://%b%b%b" % (
        name,
        b"" if port == HTTPS_PORT else b":%d" % port,
        client.line.target if client.line.target.startswith(b"/") else b"/",
    )
    known = client.line.method in (b"GET", b"HEAD")
    _answer(client, 301 if known else 308, b"Location: %b\r\n" % location, b"")


def _scheme_by_proxy(client: "Client") -> bytes:
    return client.forwarded.scheme if client.forwarded is not None else b""


def _answer(client: "Client", status: int, fields: bytes, body: bytes) -> None:
    if client.phase == phases.BODY or client.plane.stopping or not client.line.minor:
        client.closing = True
    client.status = status
    client.responding = True
    head = b"HTTP/1.1 %d %b\r\n%b%bContent-Length: %d\r\nX-Request-Id: %b\r\n%b\r\n" % (
        status,
        HTTPStatus(status).phrase.encode(),
        pages.date(int(time())),
        fields,
        len(body),
        client.request_id,
        b"Connection: close\r\n" if client.closing else b"",
    )
    sent = b"" if client.line.method == b"HEAD" else body
    client.bytes_out = len(sent)
    client.transport.write(head + sent)
    endings.end(client)
    client.settled()
