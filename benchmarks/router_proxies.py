"""The proxies that the router's benchmarks compare, and the app behind them.

All have equal features: an access log to a file, X-Forwarded-For and -Proto, a request id, TLS with
one certificate (not Caddy here), and as many workers. They are started here, and stopped when their
ExitStack ends.
"""

import asyncio
import getpass
import json
import os
import platform
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

HERE = Path(__file__).resolve().parent.parent
PYTHON = HERE / ".venv/bin/python"
BASELINE = "nginx tcp"
HOST = "bench.localhost"
CROWD = 10_000
CROWD_INSTANCES = 1_000
"""Apps in the table of `router crowd`, and how many of them have an instance."""
HEADERS = {
    "Host": HOST,
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/131.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9",
    "Cache-Control": "max-age=0",
    "Cookie": "theme=dark; session=0123456789abcdef0123456789abcdef",
}
NODE_HEAD = (
    b"HTTP/1.1 200 OK\r\nX-Powered-By: Express\r\nContent-Type: text/html; charset=utf-8\r\n"
    b'Content-Length: %d\r\nETag: W/"14-Ck1VqNd45QIvq3AZd8XYQLvEhtA"\r\n'
    b"Date: Sun, 22 Nov 2026 12:00:00 GMT\r\nConnection: keep-alive\r\n"
    b"Keep-Alive: timeout=5\r\n\r\n"
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"


@dataclass
class Target:
    """A proxy that runs; it speaks TLS on `secure_port`, if that is not 0."""

    name: str
    port: int
    secure_port: int
    process: subprocess.Popen[bytes]
    cost_ns: dict[str, list[float]] = field(default_factory=dict)
    rate: dict[str, list[float]] = field(default_factory=dict)
    p99: dict[str, list[float]] = field(default_factory=dict)

    def cpu_ns(self) -> int:
        total = 0
        for pid in family(self.process.pid):
            for path in Path(f"/proc/{pid}/task").glob("*/schedstat"):
                total += int(path.read_text().split()[0])
        return total


def start_all(stack: ExitStack, folder: Path, names: list[str], workers: int = 1) -> list[Target]:
    """`workers` are nginx's processes and ours, and the threads of HAProxy and Caddy."""
    unix, port = str(folder / "app.sock"), _free_port()
    _certificate(folder)
    command = [str(PYTHON), __file__, unix, str(port)]
    app = stack.enter_context(_running(command, folder / "app.log"))
    _wait_for(port, app)
    starters: dict[str, Callable[[], tuple[list[str], int, int]]] = {
        "router unix": lambda: _router(folder / "router-unix", {"unix": unix}, workers),
        "router crowd": lambda: _router(folder / "router-crowd", {"unix": unix}, workers, CROWD),
        "router tcp": lambda: _router(folder / "router-tcp", {"tcp": ["127.0.0.1", port]}, workers),
        "nginx tcp": lambda: _nginx(folder / "nginx-tcp", f"127.0.0.1:{port}", workers),
        "nginx unix": lambda: _nginx(folder / "nginx-unix", f"unix:{unix}", workers),
        "haproxy tcp": lambda: _haproxy(folder / "haproxy-tcp", f"127.0.0.1:{port}", workers),
        "caddy tcp": lambda: _caddy(folder / "caddy-tcp", f"127.0.0.1:{port}", workers),
    }
    targets = []
    for name in names:
        (folder / name.replace(" ", "-")).mkdir()
        command, own_port, secure_port = starters[name]()
        log = folder / name.replace(" ", "-") / "stdout"
        process = stack.enter_context(_running(command, log))
        _wait_for(own_port, process)
        if name.startswith("router"):
            _publish(folder / name.replace(" ", "-"))
        targets.append(Target(name, own_port, secure_port, process))
    return targets


def _router(
    folder: Path, target: dict[str, Any], workers: int, apps: int = 1
) -> tuple[list[str], int, int]:
    port, secure_port = _free_port(), _free_port()
    instance = {"id": "bench-1", "name": "web.1", "target": target}
    app = {"id": "bench", "name": "bench", "domains": [], "maintenance": False, "state": "live"}
    table: dict[str, Any] = {
        "version": 1,
        "bases": ["localhost"],
        "apps": [{**app, "instances": [instance]}],
    }
    for number in range(1, apps):
        name = f"other-{number}"
        present = [{**instance, "id": f"{name}-1"}] if number < CROWD_INSTANCES else []
        table["apps"].append({**app, "id": name, "name": name, "instances": present})
    (folder / "publish.json").write_text(json.dumps(table))
    command = [str(PYTHON), "-m", "router.keeper", "--control-socket", str(folder / "router.sock")]
    command += ["--table", str(folder / "table.json"), "--log-folder", str(folder)]
    command += ["--listen", f"127.0.0.1:{port}", "--listen-tls", f"127.0.0.1:{secure_port}"]
    return [*command, "--workers", str(workers)], port, secure_port


def _publish(folder: Path) -> None:
    """The table and the certificate, to a router that has just started."""
    chain, key = ((folder.parent / name).read_text() for name in ("chain.pem", "key.pem"))
    certificate = {"names": ["*"], "chain": chain, "key": key}
    _say(folder, {"type": "table", "table": json.loads((folder / "publish.json").read_text())})
    _say(folder, {"type": "certificates", "version": 1, "certificates": [certificate]})


def _say(folder: Path, request: dict[str, Any]) -> None:
    body = json.dumps(request).encode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(folder / "router.sock"))
        connection.sendall(struct.pack(">I", len(body)) + body)
        if b'"version"' not in (answer := connection.recv(4096)):
            sys.exit(f"the router did not take its {request['type']}: {answer!r}")


def _certificate(folder: Path) -> None:
    """One for all: ECDSA with P-256, as a certificate authority gives them."""
    output(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        *("-nodes", "-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"),
        *("-keyout", str(folder / "key.pem"), "-out", str(folder / "chain.pem")),
    )
    both = (folder / "chain.pem").read_text() + (folder / "key.pem").read_text()
    (folder / "both.pem").write_text(both)


def _nginx(folder: Path, upstream: str, workers: int) -> tuple[list[str], int, int]:
    port, secure_port = _free_port(), _free_port()
    user = f"user {getpass.getuser()};" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"""daemon off; worker_processes {workers}; {user}
pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  log_format router '$time_iso8601 method=$request_method path="$request_uri" host=$host '
    'request_id=$request_id fwd="$proxy_add_x_forwarded_for" connect=$upstream_connect_time '
    'service=$upstream_response_time status=$status bytes=$body_bytes_sent';
  map $http_upgrade $upgrade {{ default upgrade; "" ""; }}
  access_log {folder}/access.log router; keepalive_requests 1000000000; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream app {{ server {upstream}; keepalive 64; keepalive_requests 1000000000; }}
  ssl_certificate {folder.parent}/chain.pem; ssl_certificate_key {folder.parent}/key.pem;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:all:10m;
  server {{ listen 127.0.0.1:{port} backlog=4096; listen 127.0.0.1:{secure_port} ssl backlog=4096;
    location / {{ proxy_pass http://app; proxy_http_version 1.1;
      proxy_set_header Connection $upgrade;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Request-Id $request_id; }} }}
}}"""
    )
    command = ["nginx", "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    return command, port, secure_port


def _haproxy(folder: Path, upstream: str, workers: int) -> tuple[list[str], int, int]:
    port, secure_port = _free_port(), _free_port()
    (folder / "haproxy.cfg").write_text(
        f"""global
  nbthread {workers}
  maxconn 4096
  log stdout format raw local0
defaults
  mode http
  log global
  option httplog
  option forwardfor
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 55s
  timeout server 55s
frontend visitors
  bind 127.0.0.1:{port} backlog 4096
  bind 127.0.0.1:{secure_port} backlog 4096 ssl crt {folder.parent}/both.pem
  unique-id-format %{{+X}}o\\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
  unique-id-header X-Request-Id
  http-request set-header X-Forwarded-Proto http
  default_backend app
backend app
  server one {upstream}
"""
    )
    return ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")], port, secure_port


def _caddy(folder: Path, upstream: str, workers: int) -> tuple[list[str], int, int]:
    port = _free_port()
    (folder / "Caddyfile").write_text(
        f"""{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  log {{
    output file {folder}/access.log
  }}
  reverse_proxy {upstream} {{
    header_up X-Request-Id {{http.request.uuid}}
  }}
}}
"""
    )
    environment = ["env", f"GOMAXPROCS={workers}", f"HOME={folder}", f"XDG_DATA_HOME={folder}"]
    return [*environment, "caddy", "run", "--config", str(folder / "Caddyfile")], port, 0


class App(asyncio.Protocol):
    """Answers by path, as an Express app's head would look; bodies are counted and thrown away."""

    bodies: ClassVar[dict[bytes, bytes]] = {}

    def __init__(self) -> None:
        self.buffer = b""
        self.body_left = 0
        self.upgraded = False

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        if self.body_left:
            self.body_left -= len(data)
            if not self.body_left:
                self.transport.write(self.bodies[b"/"])
            return
        if self.upgraded:
            self.transport.write(data)
            return
        data = self.buffer + data
        end = data.find(b"\r\n\r\n")
        self.buffer = data if end < 0 else b""
        if end < 0:
            return
        if b"\r\nupgrade: echo" in data.lower():
            self.upgraded = True
            self.transport.write(SWITCH)
            return
        at = data.find(b"Content-Length: ", 0, end)
        if at > 0:
            length = int(data[at + 16 : data.index(b"\r\n", at)])
            self.body_left = length - (len(data) - end - 4)
            if self.body_left:
                return
        target = data[4 : data.index(b" ", 5)]
        self.transport.write(self.bodies.get(target) or self.bodies[b"/"])


def serve_app(path: str, port: int) -> None:
    import uvloop

    for target, size in ((b"/", 20), (b"/10k", 10240), (b"/1m", 2**20), (b"/16m", 2**24)):
        App.bodies[target] = NODE_HEAD % size + b"x" * size

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        unix = await loop.create_unix_server(App, path, backlog=1024)
        tcp = await loop.create_server(App, "127.0.0.1", port, backlog=1024)
        await asyncio.gather(unix.serve_forever(), tcp.serve_forever())

    uvloop.run(serve())


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=HERE, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def family(pid: int) -> list[int]:
    pids = [pid]
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        pids += family(int(child))
    return pids


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 15
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    sys.exit(f"{process.args} does not listen on port {port}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def machine() -> str:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    version = output(str(PYTHON), "-c", "import platform; print(platform.python_version())")
    return f"{model[1] if model else 'CPU'}, Linux {platform.release()}, Python {version}"


def output(*command: str) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=True
    ).stdout.strip()


if __name__ == "__main__":
    serve_app(sys.argv[1], int(sys.argv[2]))
