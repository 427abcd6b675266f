"""Let's Encrypt's test server, a router and a database, all real, in folders of their own."""

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paas.certificates.authority import Authority
from paas.settings import Settings
from paas.system.files import write_by_rename
from tests.ports import free_port

START_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Installation(Settings):
    """One whose state is in a folder of the test."""

    folder: Path = Path("/nonexistent")

    @property
    def state(self) -> Path:
        return self.folder

    @property
    def run(self) -> Path:
        return self.folder


def wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None or time.monotonic() > end:
            pytest.fail(f"{process.args!r} did not start: {log.read_text()[-2000:]}")
        time.sleep(0.05)


@contextlib.contextmanager
def running(command: list[str], log: Path, **environment: str) -> Iterator[Any]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env=os.environ | environment
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass
class RouterProcess:
    """The router with its TLS and plain ports, and its control socket below `folder`."""

    folder: Path
    port: int
    secure_port: int


@pytest.fixture
def router(tmp_path: Path) -> Iterator[RouterProcess]:
    found = RouterProcess(tmp_path, free_port(), free_port())
    (tmp_path / "router").mkdir()
    command = [sys.executable, "-m", "router.keeper", "--workers", "1"]
    command += ["--control-socket", str(tmp_path / "router" / "router.sock")]
    command += ["--table", str(tmp_path / "table.json"), "--log-folder", str(tmp_path)]
    command += ["--listen", f"127.0.0.1:{found.port}"]
    command += ["--listen-tls", f"127.0.0.1:{found.secure_port}"]
    with running(command, tmp_path / "router.log") as process:
        wait_for(found.secure_port, process, tmp_path / "router.log")
        while not (tmp_path / "router" / "router.sock").exists():
            time.sleep(0.02)
        yield found


@dataclass
class Pebble:
    directory: str
    root: Path


@pytest.fixture
def pebble(
    tmp_path: Path, router: RouterProcess, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., contextlib.AbstractContextManager[Pebble]]]:
    """Starts the server: it looks for proofs at the router, and refuses so many nonces."""
    if shutil.which("pebble") is None or shutil.which("pebble-challtestsrv") is None:
        pytest.skip("pebble is not installed (apt-get install pebble)")

    @contextlib.contextmanager
    def start(nonces_refused_percent: int = 0, port: int | None = None) -> Iterator[Pebble]:
        own = Authority.open(tmp_path / "pebble" / "root.pem", "pebble")
        issued = own.issue(["localhost"])
        write_by_rename(tmp_path / "pebble" / "leaf.pem", issued.chain.encode())
        write_by_rename(tmp_path / "pebble" / "leaf.key", issued.key.encode())
        listen, manage, dns, dns_manage = port or free_port(), free_port(), free_port(), free_port()
        configuration = {
            "listenAddress": f"127.0.0.1:{listen}",
            "managementListenAddress": f"127.0.0.1:{manage}",
            "certificate": str(tmp_path / "pebble" / "leaf.pem"),
            "privateKey": str(tmp_path / "pebble" / "leaf.key"),
            "httpPort": router.port,
            "tlsPort": router.secure_port,
            "domainBlocklist": ["blocked-domain.example"],
        }
        path = tmp_path / "pebble" / "pebble.json"
        path.write_text(json.dumps({"pebble": configuration}))
        names = ["pebble-challtestsrv", "-dns01", f"127.0.0.1:{dns}", "-defaultIPv4", "127.0.0.1"]
        names += ["-defaultIPv6", "", "-management", f"127.0.0.1:{dns_manage}"]
        names += ["-http01", "", "-https01", "", "-tlsalpn01", ""]
        command = ["pebble", "-config", str(path), "-dnsserver", f"127.0.0.1:{dns}"]
        log = tmp_path / "pebble.log"
        with (
            running(names, tmp_path / "names.log") as resolver,
            running(
                command,
                log,
                PEBBLE_VA_NOSLEEP="1",
                PEBBLE_WFE_NONCEREJECT=str(nonces_refused_percent),
            ) as server,
        ):
            wait_for(dns_manage, resolver, tmp_path / "names.log")
            wait_for(listen, server, log)
            yield Pebble(f"https://localhost:{listen}/dir", tmp_path / "pebble" / "root.pem")

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "pebble" / "root.pem"))
    yield start


@pytest.fixture
def installation(tmp_path: Path, router: RouterProcess) -> Installation:
    (tmp_path / "control").mkdir()
    return Installation(
        installation="test-certificates",
        folder=tmp_path,
        router_port=router.port,
        router_tls_port=router.secure_port,
    )


@pytest.fixture
def call() -> Callable[..., Any]:
    """Runs a coroutine, at most for a while."""
    return lambda work, timeout_s=60.0: asyncio.run(asyncio.wait_for(work, timeout_s))
