"""A small API server in Heroku's format on a Unix socket, for tests of the command line.

It answers from a table (method and path → status, body) and records what was asked.
"""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


@dataclass
class Answer:
    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    text: str | None = None
    """A plain body instead of JSON."""


@dataclass
class Asked:
    method: str
    path: str
    body: Any
    headers: dict[str, str]


class FakeApi:
    """`api.answers["GET /apps"] = Answer([...])`; a list is given one after the other."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | list[Answer]] = {}
        self.asked: list[Asked] = []

    def requests(self) -> list[str]:
        return [f"{one.method} {one.path}" for one in self.asked]

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        found = self.answers.get(f"{asked.method} {asked.path}")
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        missing = {"id": "not_found", "message": "Couldn't find that app."}
        return found or Answer(missing, status=404)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: FakeApi

    def handle_one_request(self) -> None:
        self.client_address = ("unix", 0)
        super().handle_one_request()

    def respond(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        asked = Asked(self.command, self.path, body, dict(self.headers))
        answer = self.api.answer(asked)
        data = json.dumps(answer.body) if answer.text is None else answer.text
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data.encode())))
        with suppress(BrokenPipeError):  # a client may go away, as on Ctrl-C
            self.end_headers()
            self.wfile.write(data.encode())

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = respond

    def log_message(self, format: str, *args: object) -> None:
        """Tests read stderr: the server says nothing."""


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True


@contextmanager
def serving(api: FakeApi, address: Path | tuple[str, int]) -> Iterator[int]:
    """Serve until the block ends; the value is the port (0 for a Unix socket)."""
    handler = type("BoundHandler", (Handler,), {"api": api})
    server = (
        Server(str(address), handler) if isinstance(address, Path) else TcpServer(address, handler)
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield 0 if isinstance(address, Path) else server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
