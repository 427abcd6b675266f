"""HTTP/1.1 to the API: over TCP, TLS, a proxy's tunnel or the host's Unix socket.

Built on http.client, because the command is typed all day and this loads in a few milliseconds.
What is asked, and what an answer means, is paas.client.api's matter.
"""

import contextlib
import http.client
import json
import select
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlsplit

from paas.client.endpoint import Endpoint, is_loopback, not_running
from paas.errors import UserError

CONNECT_TIMEOUT_S = 5.0

_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    ),
]


class Connection:
    """Requests to one endpoint, one after the other, on one connection while it lasts.

    Every failure is a UserError: `platform_unavailable`, `untrusted_certificate`,
    `bad_answer`, `timeout`, `connection_lost`.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._http = _connection(endpoint)

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Any = None,
        *,
        timeout_s: float | None,
    ) -> http.client.HTTPResponse:
        """The head of the answer; its body is read with `read` or `pieces` before the next `send`.

        `body` is sent as JSON unless it is None. `timeout_s` is the longest silence.
        """
        data = None if body is None else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": "application/json"}
        self._open(timeout_s)
        try:
            self._http.request(method, target, data, {**headers, **kind})
            return self._http.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from error

    def upload(
        self, target: str, headers: Mapping[str, str], content: BinaryIO, *, timeout_s: float
    ) -> http.client.HTTPResponse:
        """Like `send`, with POST and a file, whose length stands in the headers."""
        self._open(timeout_s)
        try:
            # Who refuses an upload may stop reading it: the answer says why.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._http.request("POST", target, content, dict(headers))
            return self._http.getresponse()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from error

    def read(self, response: http.client.HTTPResponse) -> bytes:
        """The whole body."""
        try:
            return response.read()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from error

    def piece(self, response: http.client.HTTPResponse) -> bytes:
        """What has come of the body, at least a byte; nothing at its end."""
        try:
            data = response.read1()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from error
        if not data and response.length:
            raise self._lost(http.client.IncompleteRead(data, response.length))
        return data

    def close(self) -> None:
        self._http.close()

    def _open(self, timeout_s: float | None) -> None:
        connection = self._http
        if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            connection.close()  # the other side has ended it meanwhile
        if connection.sock is None:
            limit = CONNECT_TIMEOUT_S if timeout_s is None else min(timeout_s, CONNECT_TIMEOUT_S)
            connection.timeout = limit
            try:
                connection.connect()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                raise self._unreachable(error) from error
        connection.sock.settimeout(timeout_s)

    def _unreachable(self, error: Exception) -> UserError:
        import ssl

        place = str(self.endpoint.unix or self.endpoint.url)
        if isinstance(error, ssl.SSLCertVerificationError):
            return UserError(
                "untrusted_certificate",
                f"The certificate of {place} is not trusted: {error.verify_message}.",
                "Trust its authority on this machine, or name it in SSL_CERT_FILE.",
            )
        if isinstance(error, ssl.SSLError):
            return UserError(
                "bad_answer",
                f"What answers at {place} does not speak TLS ({error.reason or error}).",
                "Check the address (PAAS_API, `paas login`).",
            )
        if str(error).startswith("Tunnel connection failed"):
            return UserError(
                "platform_unavailable",
                f"The proxy in HTTPS_PROXY does not lead to {place}: {error}.",
                f"If it is reached directly: NO_PROXY={urlsplit(place).hostname}",
            )
        return not_running(f"nothing answers at {place}")

    def _lost(self, error: Exception) -> UserError:
        self._http.close()
        if isinstance(error, TimeoutError):
            return UserError(
                "timeout",
                "The platform did not answer in time.",
                "It may still be at work: `paas releases` and `paas ps` show what has happened.",
            )
        return UserError(
            "connection_lost",
            f"The connection to the platform was lost ({str(error) or type(error).__name__}).",
            "Try again; `paas doctor` on the server says whether it is healthy.",
        )


def opened(endpoint: Endpoint, timeout_s: float) -> socket.socket:
    """A connection to the endpoint for something else than requests, with all that leads there
    (TLS, tunnel). Raises UserError."""
    made = Connection(endpoint)
    made._open(timeout_s)
    return made._http.sock


class _UnixConnection(http.client.HTTPConnection):
    """To the host's own control socket."""

    def __init__(self, host: str, port: int | None, path: Path) -> None:
        super().__init__(host, port)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class _PlainConnection(http.client.HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _keep_alive(self.sock)


def _keep_alive(connection: socket.socket) -> None:
    for level, option, value in _KEEPALIVE:
        connection.setsockopt(level, option, value)


def _connection(endpoint: Endpoint) -> http.client.HTTPConnection:
    parts = urlsplit(endpoint.url)
    host = parts.hostname or ""
    if endpoint.unix is not None:
        return _UnixConnection(host, parts.port, endpoint.unix)
    if parts.scheme == "http":
        return _PlainConnection(host, parts.port)
    return _encrypted(host, parts.port)


def _encrypted(host: str, port: int | None) -> http.client.HTTPConnection:
    """TLS, checked against the system's authorities; through the tunnel of the proxy that the
    environment names, unless it is this machine. The proxy sees no token.
    """
    import ssl

    class EncryptedConnection(http.client.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            _keep_alive(self.sock)

    context = ssl.create_default_context()
    proxy = None if is_loopback(host) else _proxy(host)
    if proxy is None:
        return EncryptedConnection(host, port, context=context)
    connection = EncryptedConnection(proxy[0], proxy[1], context=context)
    connection.set_tunnel(host, port or 443, proxy[2])
    return connection


def _proxy(host: str) -> tuple[str, int, dict[str, str]] | None:
    """Host, port and headers of the proxy that HTTPS_PROXY (or ALL_PROXY) names for this host."""
    import base64
    from urllib.parse import unquote
    from urllib.request import getproxies, proxy_bypass

    found = getproxies()
    url = found.get("https") or found.get("all")
    if not url or proxy_bypass(host):
        return None
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme != "http" or not parts.hostname:
        raise UserError(
            "invalid_params",
            f"HTTPS_PROXY names a proxy of a kind that paas can't use ({parts.scheme or url}).",
            f"Use the address of an HTTP proxy, or NO_PROXY={host}.",
            exit_code=2,
        )
    headers = {}
    if parts.username:
        secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(secret.encode()).decode()}"
    return parts.hostname, parts.port or 8080, headers
