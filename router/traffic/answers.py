"""What the router itself answers though nothing has failed: ACME's challenges, and redirects."""

from http import HTTPStatus
from time import time
from typing import Final

from router.http import pages
from router.http.request_head import host
from router.traffic import endings
from router.traffic.visit import Visit

CHALLENGE_PATH: Final = "/.well-known/acme-challenge/"
"""RFC 8555 §8.3."""
HTTPS_PORT: Final = 443


def challenge(visit: Visit, authorization: bytes) -> None:
    """Prove to a certificate authority that requests for this host come here; whosever host."""
    _answer(visit, 200, b"Content-Type: application/octet-stream\r\n", authorization)


def knows_https(visit: Visit) -> bool:
    """TLS is spoken here, or by the proxy in front that said what the visitor speaks."""
    return bool(visit.worker.secure_port or _scheme_by_proxy(visit))


def redirect(visit: Visit) -> None:
    """The same address with https. 308 keeps the method (RFC 9110 §15.4.9); 301 is better known."""
    name, port = visit.fields.host, visit.worker.secure_port
    said = visit.forwarded
    if said is not None and said.scheme:
        name, port = host(said.host) if said.host else name, HTTPS_PORT
    location = b"https://%b%b%b" % (
        name,
        b"" if port == HTTPS_PORT else b":%d" % port,
        visit.line.target if visit.line.target.startswith(b"/") else b"/",
    )
    known = visit.line.method in (b"GET", b"HEAD")
    _answer(visit, 301 if known else 308, b"Location: %b\r\n" % location, b"")


def _scheme_by_proxy(visit: Visit) -> bytes:
    return visit.forwarded.scheme if visit.forwarded is not None else b""


def _answer(visit: Visit, status: int, fields: bytes, body: bytes) -> None:
    endings.close_where_due(visit)
    head = b"HTTP/1.1 %d %b\r\n%b%bContent-Length: %d\r\nX-Request-Id: %b\r\n%b\r\n" % (
        status,
        HTTPStatus(status).phrase.encode(),
        pages.date(int(time())),
        fields,
        len(body),
        visit.request_id,
        b"Connection: close\r\n" if visit.closing else b"",
    )
    sent = b"" if visit.line.method == b"HEAD" else body
    endings.deliver(visit, status, head + sent, len(sent))
