"""HTTP to addresses that somebody else names: never into this host's own networks, within limits.

A name is resolved once, every address is judged, and the connection is made to the one that was
judged: a name can't lead elsewhere in between (DNS rebinding). Redirects are judged like the first
address, and credentials stay with the host that they were given for. Blocks: for threads.
"""

import base64
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import BinaryIO
from urllib.parse import SplitResult, unquote, urljoin, urlsplit, urlunsplit

REDIRECTS_MAX = 5
SILENCE_S = 30.0
_READ_BYTES = 256 * 1024
_REDIRECTS = (301, 302, 303, 307, 308)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """The address may not be asked, or did not answer as it should; the message says why."""


@dataclass(frozen=True)
class Limits:
    """`private`: the operator lets such addresses be asked, and those without TLS."""

    bytes: int
    seconds: float
    private: bool = False


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    content: bytes = b""


@dataclass
class Request:
    """`headers` go to the host of `url` only. `stop` ends it from another thread."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    stop: threading.Event = field(default_factory=threading.Event)


def ask(request: Request, limits: Limits, into: BinaryIO | None = None) -> Answer:
    """The answer, its content in `into` where that is given. Raises Refused."""
    deadline_s = time.monotonic() + limits.seconds
    url, headers = request.url, dict(request.headers)
    for _ in range(REDIRECTS_MAX + 1):
        parts = _judged(url, limits)
        connection = _connected(parts, limits, deadline_s)
        try:
            target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
            sent = headers | _credentials(parts) | {"User-Agent": "SmartPlatform"}
            connection.request(request.method, target, request.body, sent)
            response = connection.getresponse()
            place = response.headers.get("Location", "")
            if response.status not in _REDIRECTS or not place:
                return _read(response, request, limits, into, deadline_s)
        except (OSError, http.client.HTTPException) as error:
            raise Refused(f"{shown(url)}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        url = urljoin(url, place)
        if urlsplit(url).netloc != parts.netloc:
            headers = {}
    raise Refused(f"{shown(request.url)} redirects more than {REDIRECTS_MAX} times")


def connect(host: str, port: int, limits: Limits) -> socket.socket:
    """A connection of TCP to who has the name. Raises Refused."""
    return _reached(host, port, limits, time.monotonic() + limits.seconds)


def shown(url: str) -> str:
    """Without what may be secret: credentials and the query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def is_public(address: Address) -> bool:
    """Whether it is of the internet; IPv4 inside of IPv6 counts as itself."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None:
            return False
    return address.is_global and not address.is_multicast


def _judged(url: str, limits: Limits) -> SplitResult:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it raises for one that is no port
    except ValueError as error:
        raise Refused(f"{url[:200]!r} is no address") from error
    if not parts.hostname or any(ord(letter) <= 32 or ord(letter) > 126 for letter in url):
        raise Refused(f"{shown(url)[:200]!r} is no address")
    if parts.scheme != "https" and not (limits.private and parts.scheme == "http"):
        raise Refused(f"{shown(url)} does not begin with https://")
    return parts


def _connected(parts: SplitResult, limits: Limits, deadline_s: float) -> http.client.HTTPConnection:
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    raw = _reached(host, port, limits, deadline_s)
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.sock = (
            ssl.create_default_context().wrap_socket(raw, server_hostname=host)
            if parts.scheme == "https"
            else raw
        )
    except OSError as error:
        raw.close()
        raise Refused(f"{host}: {error}") from error
    return connection


def _reached(host: str, port: int, limits: Limits, deadline_s: float) -> socket.socket:
    last: OSError | None = None
    for address in _addresses(host, port, limits):
        left_s = _left(deadline_s)
        try:
            return socket.create_connection((address, port), timeout=min(left_s, SILENCE_S))
        except OSError as error:
            last = error
    raise Refused(f"{host} can't be reached: {last}")


def _addresses(host: str, port: int, limits: Limits) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Refused(f"{host} is not known: {error}") from error
    addresses = [str(item[4][0]).partition("%")[0] for item in found]
    allowed = [a for a in addresses if limits.private or is_public(ipaddress.ip_address(a))]
    if not allowed:
        raise Refused(f"{host} is {addresses[0]}, an address of a private network")
    return list(dict.fromkeys(allowed))


def _credentials(parts: SplitResult) -> dict[str, str]:
    if parts.username is None:
        return {}
    secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Authorization": f"Basic {base64.b64encode(secret.encode()).decode()}"}


def _read(
    response: http.client.HTTPResponse,
    request: Request,
    limits: Limits,
    into: BinaryIO | None,
    deadline_s: float,
) -> Answer:
    out = BytesIO() if into is None else into
    received = 0
    while part := response.read1(_READ_BYTES):
        received += len(part)
        if received > limits.bytes:
            raise Refused(f"{shown(request.url)} has over {limits.bytes >> 20} MiB")
        if request.stop.is_set():
            raise Refused("it was cancelled")
        _left(deadline_s)
        out.write(part)
    if response.length:
        raise Refused(f"{shown(request.url)} ended before all of it had come")
    content = out.getvalue() if isinstance(out, BytesIO) and into is None else b""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, content)


def _left(deadline_s: float) -> float:
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise Refused("it took too long")
    return left_s
