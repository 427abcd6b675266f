"""Repositories over HTTP, served by git's own `http-backend`, in a network of their own.

Zones reach it as they do the internet. What is asked for may need a login.
"""

import base64
import http.server
import json
import os
import queue
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paas.settings import Settings
from tests.names import new_name
from tests.paas.node.lan import internet

PORT = 8418
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
PLAIN = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
TIMEOUT_S = 30


@dataclass
class GitHost:
    """`folder` is what is served; `login` (`user:password`) is asked of everybody, `is_down` closes
    the door. Whoever wants a pack has `reached` it and waits for `opens`; what is said to an API
    is in `told`: path, headers and content.
    """

    folder: Path
    host: str
    port: int = PORT
    login: str = ""
    is_down: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    opens: threading.Event = field(default_factory=threading.Event)
    told: "queue.Queue[tuple[str, Mapping[str, str], dict[str, Any]]]" = field(
        default_factory=queue.Queue
    )

    def __post_init__(self) -> None:
        self.opens.set()

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

    def url(self, name: str) -> str:
        return f"{self.address}/{name}.git"

    def commit(self, name: str, files: Mapping[str, str], branch: str = "main") -> str:
        """The repository's next commit has these files, those below `bin` executable."""
        work, bare = self.folder / f"{name}.work", self.folder / f"{name}.git"
        if not work.exists():
            bare.mkdir(parents=True)
            _git(bare, "init", "--quiet", "--bare", "-b", "main")
            _git(self.folder, "init", "--quiet", "-b", branch, str(work))
        for path, text in files.items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_text(text)
            if "bin/" in path:
                (work / path).chmod(0o755)
        _git(work, "add", "--all")
        _git(work, *IDENTITY, "commit", "--quiet", "--allow-empty", "-m", "change")
        _git(work, "push", "--quiet", "--force", str(bare), f"HEAD:refs/heads/{branch}")
        return _git(work, "rev-parse", "HEAD").strip()


@contextmanager
def outside(folder: Path) -> Iterator[GitHost]:
    """In a network that zones can reach."""
    folder.mkdir()
    key = Settings(installation=new_name("git")).key
    with internet(key) as network:
        listener = network.open(socket.AF_INET, socket.SOCK_STREAM)
        listener.settimeout(None)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((str(network.address), PORT))
        listener.listen()
        with _serving(GitHost(folder, str(network.address)), listener) as found:
            yield found


@contextmanager
def on_loopback(folder: Path) -> Iterator[GitHost]:
    folder.mkdir()
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    with _serving(GitHost(folder, "127.0.0.1", port), listener) as found:
        yield found


@contextmanager
def _serving(found: GitHost, listener: socket.socket) -> Iterator[GitHost]:
    address = (found.host, found.port)
    server = http.server.ThreadingHTTPServer(address, _handler(found), bind_and_activate=False)
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


def _handler(host: GitHost) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve(b"")

        def do_POST(self) -> None:
            # Who asks may have been killed meanwhile.
            with suppress(BrokenPipeError):
                self._serve(self.rfile.read(int(self.headers.get("content-length", "0"))))

        def _serve(self, body: bytes) -> None:
            if self.path.startswith("/api/"):
                host.told.put((self.path, dict(self.headers), json.loads(body)))
                self.send_response(201)
                self.end_headers()
                return
            if self.path.endswith("/git-upload-pack"):
                host.reached.set()
                host.opens.wait(TIMEOUT_S)
            expected = "Basic " + base64.b64encode(host.login.encode()).decode()
            if host.is_down:
                self.send_error(503)
            elif host.login and self.headers.get("authorization") != expected:
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.end_headers()
            elif self.path.endswith((".tgz", ".tar.gz")):
                self._file(host.folder / self.path.lstrip("/"))
            else:
                self._git(body)

        def _file(self, path: Path) -> None:
            content = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _git(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            environment = {
                **os.environ,
                **PLAIN,
                "GIT_PROJECT_ROOT": str(host.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("content-type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("content-encoding", ""),
                "GIT_PROTOCOL": self.headers.get("git-protocol", ""),
            }
            done = subprocess.run(
                ["git", "http-backend"],
                input=body,
                env=environment,
                capture_output=True,
                timeout=TIMEOUT_S,
            )
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = [line.partition(": ") for line in head.decode().splitlines()]
            status = next((value for name, _, value in fields if name == "Status"), "200 OK")
            self.send_response(int(status.split()[0]))
            for name, _, value in fields:
                if name != "Status":
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    return Handler


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={**os.environ, **PLAIN},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
