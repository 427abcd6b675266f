"""Client of the API (Heroku's Platform API v3 wire format).

It carries the token, follows pages and streams, and turns every refusal into a UserError that says
what to do. What the answers mean is the caller's matter; where the platform is, that of
paas.client.endpoint.
"""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import quote, urlsplit

from paas.client.connection import Answer, Connection
from paas.client.endpoint import Endpoint
from paas.errors import UserError

ACCEPT = "application/vnd.heroku+json; version=3"
READ_TIMEOUT_S = 30.0
CHANGE_TIMEOUT_S = 600.0
"""A change of config or formation answers when the new instances are ready and the old drained."""
PAGES_MAX = 1000


def path(*parts: str) -> str:
    """`/apps/hello/config-vars`: each part quoted, so that a name can't become a path."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


class Client:
    """Requests to one endpoint. `paas.client.api.path` makes the paths."""

    def __init__(self, endpoint: Endpoint, login: tuple[str, str] | None = None) -> None:
        """`login`: e-mail and password, in the place of a token."""
        self.endpoint = endpoint
        self._connection = Connection(endpoint)
        self._headers = {"Accept": ACCEPT, "User-Agent": "paas"}
        if endpoint.token:
            self._headers["Authorization"] = f"Bearer {endpoint.token}"
        if login:
            import base64

            text = base64.b64encode(":".join(login).encode(errors="surrogateescape")).decode()
            self._headers["Authorization"] = f"Basic {text}"

    def get(self, path: str, **options: Any) -> Any:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self.request("POST", path, {} if body is None else body, **options)

    def patch(self, path: str, body: Any, **options: Any) -> Any:
        return self.request("PATCH", path, body, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.request("DELETE", path, **options)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        newest: tuple[str, int] | None = None,
        timeout_s: float | None = None,
    ) -> Any:
        """The parsed answer; lists are whole (Heroku pages them by Range and Next-Range).

        `newest=("version", 15)` asks for the 15 greatest by that key instead.
        """
        if timeout_s is None:
            timeout_s = READ_TIMEOUT_S if method == "GET" else CHANGE_TIMEOUT_S
        window = {"Range": f"{newest[0]} ..; max={newest[1]}, order=desc"} if newest else {}
        response, answer = self._ask(method, path, body, window, timeout_s)
        for _ in range(PAGES_MAX):
            following = response.headers.get("Next-Range")
            if newest or response.status != 206 or not following:
                break
            response, more = self._ask(method, path, body, {"Range": following}, timeout_s)
            answer += more
        return answer

    def _ask(
        self, method: str, path: str, body: Any, headers: dict[str, str], timeout_s: float
    ) -> tuple[Answer, Any]:
        headers = self._headers | headers
        response = self._connection.send(method, path, headers, body, timeout_s=timeout_s)
        data = self._connection.read(response)
        _raise_for_status(response.status, data, self.endpoint)
        return response, _parsed(data, self.endpoint)

    def content(self, path: str) -> bytes:
        """An answer that is no JSON."""
        response = self._connection.send("GET", path, self._headers, timeout_s=READ_TIMEOUT_S)
        data = self._connection.read(response)
        _raise_for_status(response.status, data, self.endpoint)
        return data

    def upload(
        self, path: str, content: BinaryIO, length: int, content_type: str, *, timeout_s: float
    ) -> Iterator[bytes]:
        """Sends a file; the answer's pieces as they come. `timeout_s` is the longest silence."""
        headers = {"Content-Type": content_type, "Content-Length": str(length)}
        headers = self._headers | headers
        try:
            response = self._connection.upload(path, headers, content, timeout_s=timeout_s)
            if response.status >= 300:
                _raise_for_status(response.status, self._connection.read(response), self.endpoint)
            yield from iter(lambda: self._connection.piece(response), b"")
        finally:
            self._connection.close()

    def lines(self, url: str, *, forever: bool = False) -> Iterator[str]:
        """The lines of a stream that an answer named (logs, build output), without their ends.

        Of `url` only path and query count: the stream is at the endpoint that named it, and the
        token goes nowhere else. Understands plain text and server-sent events (WHATWG HTML, 9.2).
        `forever`: silence is no failure.
        """
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = self._headers | {"Accept": "text/event-stream, text/plain"}
        timeout_s = None if forever else READ_TIMEOUT_S
        try:
            response = self._connection.send("GET", target, headers, timeout_s=timeout_s)
            if response.status >= 300:
                _raise_for_status(response.status, self._connection.read(response), self.endpoint)
            yield from _decoded(response, iter(lambda: self._connection.piece(response), b""))
        finally:
            self._connection.close()


def _parsed(data: bytes, endpoint: Endpoint) -> Any:
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError as error:
        raise _not_a_platform(endpoint) from error


def _not_a_platform(endpoint: Endpoint) -> UserError:
    return UserError(
        "bad_answer",
        f"What answers at {urlsplit(endpoint.url).hostname} is not a platform's API.",
        "Check the address (PAAS_API, `paas login`).",
    )


def _raise_for_status(status: int, data: bytes, endpoint: Endpoint) -> None:
    if status < 300:
        return
    if status < 400:  # this API redirects nothing, and the token goes nowhere else
        raise _not_a_platform(endpoint)
    try:
        body = json.loads(data)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    id = str(body.get("id") or _ID_BY_STATUS.get(status, "failed"))
    message = str(body.get("message") or f"The platform answered {status}.")
    hint = str(body.get("hint") or "")
    if status == 401:
        id, hint = "unauthorized", hint or _login_hint(endpoint)
    raise UserError(id, message, hint)


_ID_BY_STATUS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict"}


def _login_hint(endpoint: Endpoint) -> str:
    return f"Run `paas auth:code` on the server, then `paas login {endpoint.url}` here."


def _decoded(response: Answer, pieces: Iterator[bytes]) -> Iterator[str]:
    events = response.headers.get("Content-Type", "").startswith("text/event-stream")
    for line in _lines(pieces):
        if not events:
            yield line
        elif line.startswith("data:"):
            yield line[5:].removeprefix(" ")


def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    """Split at line feeds only: an app may print any other separator that Unicode knows."""
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
