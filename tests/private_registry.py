"""An npm registry that hands out one package, and that only to whoever has its token.

It is in a network of its own, where zones reach it as they do the internet.
"""

import base64
import hashlib
import http.server
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

from paas.settings import Settings
from tests.names import new_name
from tests.paas.builder.packages import packed
from tests.paas.node.lan import internet

PORT = 4873
TOKEN = "npm_5up3r-s3cr3t-0f-the-private-registry"
NAME = "@acme/greeting"
VERSION = "1.0.0"


def _nothing() -> None:
    pass


@dataclass
class PrivateRegistry:
    """`on_archive` is called while whoever asked for the package's archive waits for it.

    `refusal` is what those without the token get: 401 with most registries, 404 from npm's own.
    """

    host: str
    refusal: int = 401
    on_archive: Callable[[], None] = _nothing
    archives: int = 0
    errors: list[BaseException] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"http://{self.host}:{PORT}/"

    @property
    def server(self) -> str:
        """As a line of .npmrc names it."""
        return f"//{self.host}:{PORT}/"


@contextmanager
def private_registry() -> Iterator[PrivateRegistry]:
    key = Settings(installation=new_name("registry")).key
    with internet(key) as outside:
        found = PrivateRegistry(str(outside.address))
        listener = outside.open(socket.AF_INET, socket.SOCK_STREAM)
        listener.settimeout(None)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((found.host, PORT))
        listener.listen()
        server = http.server.ThreadingHTTPServer(
            (found.host, PORT), _handler(found), bind_and_activate=False
        )
        server.socket.close()
        server.socket = listener
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
    assert not found.errors, found.errors


def _handler(registry: PrivateRegistry) -> type[http.server.BaseHTTPRequestHandler]:
    archive = packed(
        {
            "package.json": json.dumps({"name": NAME, "version": VERSION}),
            "index.js": "module.exports = 'a private greeting'\n",
        }
    )
    manifest = {
        "name": NAME,
        "version": VERSION,
        "dist": {
            "tarball": f"{registry.address}{NAME}/-/greeting-{VERSION}.tgz",
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(archive).digest()).decode(),
            "shasum": hashlib.sha1(archive).hexdigest(),
        },
    }
    document = {
        "name": NAME,
        "dist-tags": {"latest": VERSION},
        "versions": {VERSION: manifest},
        "time": {VERSION: "2020-01-01T00:00:00.000Z"},
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path = unquote(self.path)
            if self.headers.get("authorization") != f"Bearer {TOKEN}":
                self._answer(registry.refusal, b'{"error": "no"}')
            elif path == f"/{NAME}":
                self._answer(200, json.dumps(document).encode())
            elif path.endswith(".tgz"):
                try:
                    registry.on_archive()
                except BaseException as error:
                    registry.errors.append(error)
                registry.archives += 1
                self._answer(200, archive)
            else:
                self._answer(404, b'{"error": "not found"}')

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            if status == 401:
                self.send_header("www-authenticate", "Bearer")
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler
