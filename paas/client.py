"""Client of the API (Heroku's Platform API v3 wire format), over HTTP or the host's Unix socket.

It finds the platform, carries the token, follows pages and streams, and turns every failure into a
UserError that says what to do. What the answers mean is the caller's matter.
"""

import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from paas.errors import UserError
from paas.login import Login
from paas.settings import Settings

ACCEPT = "application/vnd.heroku+json; version=3"
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0
CHANGE_TIMEOUT_S = 600.0
"""A change of config or formation answers when the new instances are ready and the old drained."""
PAGES_MAX = 1000
EXIT_CODES = {"not_found": 3, "unauthorized": 4, "forbidden": 4, "platform_unavailable": 5}


@dataclass(frozen=True)
class Endpoint:
    """Where the API is: `url` names it and its git repositories, `unix` reaches it on this host."""

    url: str
    unix: Path | None = None
    token: str | None = field(default=None, repr=False)


def find_endpoint(
    settings: Settings, environment: Mapping[str, str] | None = None, login: Login | None = None
) -> Endpoint:
    """The platform to talk to: `PAAS_API`, then the last `paas login`, then this host's own.

    Naming an installation (`PAAS_INSTALLATION`) means this host's, whatever was logged in to.
    Raises UserError when there is none.
    """
    environment = os.environ if environment is None else environment
    login = Login.load(environment) if login is None else login
    here = f"http://localhost:{settings.control_port}"
    token = environment.get("PAAS_TOKEN") or None
    if environment.get("PAAS_API"):
        url = checked_url(environment["PAAS_API"])
        return Endpoint(url, token=token or login.token(url))
    if token:
        return Endpoint(here, token=token)
    if login.current and not environment.get("PAAS_INSTALLATION"):
        return Endpoint(login.current, token=login.token(login.current))
    if may_open(settings.control_socket):
        return Endpoint(here, unix=settings.control_socket)
    if os.geteuid() == 0:
        raise not_running(f"there is no {settings.control_socket}")
    if login.token(here):
        return Endpoint(here, token=login.token(here))
    raise UserError(
        "unauthorized",
        "You are not logged in to a platform.",
        f"If it runs on this machine: run `sudo paas auth:code`, then `paas login {here}`.\n"
        "If it runs on a server: run `ssh -L 8081:localhost:8081 root@SERVER` and,\n"
        "with the code that `paas auth:code` prints there, `paas login http://localhost:8081`.",
        exit_code=4,
    )


def may_open(path: Path) -> bool:
    return path.is_socket() and os.access(path, os.R_OK | os.W_OK)


def checked_url(text: str) -> str:
    """`text` as scheme, host and port. A token is never sent in the clear over a network.

    Raises UserError for anything that is not the address of a platform.
    """
    text = text if "://" in text else f"http://{text}"
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise UserError(
            "invalid_params",
            f"{text!r} is not the address of a platform.",
            "It looks like http://localhost:8081 or https://paas.example.com.",
            exit_code=2,
        )
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise UserError(
            "invalid_params",
            f"{text} is not encrypted: your token could be read on the way.",
            f"Use https, or forward the port (`ssh -L 8081:localhost:8081 root@{parts.hostname}`)\n"
            "and use http://localhost:8081.",
            exit_code=2,
        )
    return f"{parts.scheme}://{parts.netloc.lower()}"


def is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or re.fullmatch(r"127(\.\d{1,3}){3}", host) is not None


def path(*parts: str) -> str:
    """`/apps/hello/config-vars`: each part quoted, so that a name can't become a path."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


class Client:
    """Requests to one endpoint. `paas.client.path` makes the paths."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        headers = {"Accept": ACCEPT, "User-Agent": "paas"}
        if endpoint.token:
            headers["Authorization"] = f"Bearer {endpoint.token}"
        encrypted = endpoint.url.startswith("https:")
        transport = httpx.HTTPTransport(
            uds=str(endpoint.unix) if endpoint.unix else None,
            verify=encrypted,
            socket_options=None if endpoint.unix else _KEEPALIVE,
        )
        self._http = httpx.Client(
            transport=transport, base_url=endpoint.url, headers=headers, trust_env=False
        )

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
        response = self._send(method, path, body, window, timeout_s)
        answer = _parsed(response)
        for _ in range(PAGES_MAX):
            following = response.headers.get("Next-Range")
            if newest or response.status_code != 206 or not following:
                break
            response = self._send(method, path, body, {"Range": following}, timeout_s)
            answer += _parsed(response)
        return answer

    def _send(
        self, method: str, path: str, body: Any, headers: dict[str, str], timeout_s: float
    ) -> httpx.Response:
        timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S))
        try:
            response = self._http.request(method, path, json=body, headers=headers, timeout=timeout)
        except httpx.HTTPError as error:
            raise self._failure(error) from error
        _raise_for_status(response, self.endpoint)
        return response

    def lines(self, url: str, *, forever: bool = False) -> Iterator[str]:
        """The lines of a stream that an answer named (logs, build output), without their ends.

        Of `url` only path and query count: the stream is at the endpoint that named it, and the
        token goes nowhere else. Understands plain text and server-sent events (WHATWG HTML, 9.2).
        `forever`: silence is no failure.
        """
        parts = urlsplit(url)
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        read_s = None if forever else READ_TIMEOUT_S
        timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S, read=read_s)
        headers = {"Accept": "text/event-stream, text/plain"}
        try:
            with self._http.stream("GET", target, headers=headers, timeout=timeout) as response:
                if response.is_error:
                    response.read()
                _raise_for_status(response, self.endpoint)
                yield from _decoded(response)
        except httpx.HTTPError as error:
            raise self._failure(error) from error

    def _failure(self, error: httpx.HTTPError) -> UserError:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return not_running(f"nothing answers at {self.endpoint.unix or self.endpoint.url}")
        if isinstance(error, httpx.TimeoutException):
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


_KEEPALIVE = [
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    *(
        (socket.IPPROTO_TCP, getattr(socket, name), value)
        for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    ),
]


def not_running(detail: str) -> UserError:
    return UserError(
        "platform_unavailable",
        f"The platform is not running: {detail}.",
        "Start it on its server with `paas up -d` (or `script/server` in the checkout).",
        exit_code=5,
    )


def _parsed(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return response.json()
    except ValueError as error:
        raise UserError(
            "bad_answer",
            f"What answers at {response.url.host} is not a platform's API.",
            "Check the address (PAAS_API, `paas login`).",
        ) from error


def _raise_for_status(response: httpx.Response, endpoint: Endpoint) -> None:
    if not response.is_error:
        return
    try:
        body = json.loads(response.content)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    id = str(body.get("id") or _ID_BY_STATUS.get(response.status_code, "failed"))
    message = str(body.get("message") or f"The platform answered {response.status_code}.")
    hint = str(body.get("hint") or "")
    if response.status_code == 401:
        id, hint = "unauthorized", hint or _login_hint(endpoint)
    raise UserError(id, message, hint, exit_code=EXIT_CODES.get(id, 1))


_ID_BY_STATUS = {401: "unauthorized", 403: "forbidden", 404: "not_found", 409: "conflict"}


def _login_hint(endpoint: Endpoint) -> str:
    return f"Run `paas auth:code` on the server, then `paas login {endpoint.url}` here."


def _decoded(response: httpx.Response) -> Iterator[str]:
    events = response.headers.get("Content-Type", "").startswith("text/event-stream")
    for line in _lines(response.iter_bytes()):
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
