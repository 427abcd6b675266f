"""HTTP/1.1 to the API: over TCP, TLS, a proxy's tunnel or the host's Unix socket.

The command is typed all day, so nothing is loaded that this endpoint does not need: HTTP in the
clear is paas.client.exchange's, TLS paas.client.encrypted's. What is asked, and what an answer
means, is paas.client.api's matter.
"""

import contextlib
import json
import select
import socket
from collections.abc import Mapping
from typing import Any, BinaryIO, Protocol
from urllib.parse import urlsplit

from paas.client.endpoint import Endpoint, not_running
from paas.client.exchange import Exchange, unix_dial
from paas.client.keepalive import keep_alive
from paas.errors import UserError

CONNECT_TIMEOUT_S = 5.0


class Fields(Protocol):
    def get(self, name: str, default: str = ..., /) -> str: ...


class Answer(Protocol):
    """Answer, or paas.client.exchange.Answer."""

    status: int
    length: int | None

    @property
    def headers(self) -> Fields: ...

    def read(self) -> bytes: ...

    def read1(self) -> bytes: ...


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
    ) -> Answer:
        """The head of the answer; its body is read with `read` or `pieces` before the next `send`.

        `body` is sent as JSON unless it is None. `timeout_s` is the longest silence.
        """
        data = None if body is None else json.dumps(body).encode()
        kind = {} if data is None else {"Content-Type": "application/json"}
        self._open(timeout_s)
        try:
            self._http.request(method, target, data, {**headers, **kind})
            answer: Answer = self._http.getresponse()
            return answer
        except self._http.failures as error:
            raise self._lost(error) from error

    def upload(
        self, target: str, headers: Mapping[str, str], content: BinaryIO, *, timeout_s: float
    ) -> Answer:
        """Like `send`, with POST and a file, whose length stands in the headers."""
        self._open(timeout_s)
        try:
            # Who refuses an upload may stop reading it: the answer says why.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._http.request("POST", target, content, dict(headers))
            answer: Answer = self._http.getresponse()
            return answer
        except self._http.failures as error:
            raise self._lost(error) from error

    def read(self, response: Answer) -> bytes:
        """The whole body."""
        try:
            return response.read()
        except self._http.failures as error:
            raise self._lost(error) from error

    def piece(self, response: Answer) -> bytes:
        """What has come of the body, at least a byte; nothing at its end."""
        try:
            data = response.read1()
        except self._http.failures as error:
            raise self._lost(error) from error
        if not data and response.length:
            raise self._lost(ConnectionError(f"{response.length} bytes are missing"))
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
            except self._http.failures as error:
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
    connected: socket.socket = made._http.sock
    return connected


def _connection(endpoint: Endpoint) -> Any:
    """An Exchange, or an http.client.HTTPSConnection, whose methods have the same names."""
    parts = urlsplit(endpoint.url)
    host = parts.hostname or ""
    if endpoint.unix is not None:
        return Exchange(parts.netloc, unix_dial(str(endpoint.unix)))
    if parts.scheme == "http":
        return Exchange(parts.netloc, lambda timeout_s: _dial(host, parts.port or 80, timeout_s))
    from paas.client import encrypted

    return encrypted.connection(host, parts.port)


def _dial(host: str, port: int, timeout_s: float | None) -> socket.socket:
    """Without delay, as http.client does it: a head may be sent before its body."""
    made = socket.create_connection((host, port), timeout_s)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    keep_alive(made)
    return made
