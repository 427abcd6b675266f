"""A node of the tests' own: an installation made once a module, and gone afterwards."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from paas.node.client import Node
from paas.node.upkeep import remove
from paas.settings import Settings
from tests.names import own_name

PORT = 5000
PATIENCE_S = 60.0
"""What should be there at once may take long on a busy machine."""


@dataclass
class RunningNode:
    """paas-node as a process of its own, and what a test needs to ask it."""

    settings: Settings
    process: subprocess.Popen[bytes] | None = None
    made: list[str] = field(default_factory=list)
    prefix: tuple[str, ...] = ()
    """What stands before its command: the way into another namespace."""

    @property
    def client(self) -> Node:
        return Node(self.settings.node_socket)

    def start(self) -> None:
        read, write = os.pipe()
        self.process = subprocess.Popen(
            [*self.prefix, sys.executable, "-m", "paas.node.server"],
            env={
                **os.environ,
                "PAAS_INSTALLATION": self.settings.installation,
                "PAAS_READY_FD": str(write),
            },
            pass_fds=[write],
            stderr=(self.settings.logs / "node.log").open("ab"),
        )
        os.close(write)
        with os.fdopen(read, "rb") as ready:
            assert ready.read(1), (self.settings.logs / "node.log").read_text()[-4000:]

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)

    def stop(self) -> None:
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def log(self, machine: str) -> str:
        return (self.settings.logs / "machines" / f"{machine}.log").read_text()

    def socket(self, machine: str) -> Path:
        return self.settings.machines_run / machine / "web.sock"

    async def payload(self, command: list[str], **changes: Any) -> dict[str, Any]:
        """Of an instance; `metadata` changes its internal_metadata."""
        images = await self.client.images()
        metadata = {
            "docker:cmd": json.dumps(command),
            "docker:env": "[]",
            "docker:workdir": "/app",
            "docker:user": "app",
            "docker:restartpolicy": "always",
            "smartplatform:stack": _image(images, "stack", variant="run"),
            "smartplatform:runtime": _image(images, "runtime"),
            "smartplatform:port": PORT,
            **changes.pop("metadata", {}),
        }
        return {
            "uuid": str(uuid.uuid4()),
            "brand": "lx",
            "docker": True,
            "image_uuid": _image(images, "base"),
            "max_physical_memory": 256,
            "quota": 1,
            "max_lwps": 64,
            "internal_metadata": {k: v for k, v in metadata.items() if v is not None},
            **changes,
        }

    async def until(self, machine: str, test: Any, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The machine when `test` holds for it, by event."""
        stream = self.client.events()
        try:
            async with asyncio.timeout(timeout_s):
                async for event in stream:
                    vms = json.loads(event["vms"]) if event["type"] == "ready" else [event["vm"]]
                    for vm in vms:
                        if vm["uuid"] == machine and test(vm):
                            return dict(vm)
        finally:
            await stream.aclose()
        raise AssertionError("the event stream ended")

    async def output(self, machine: str, *command: str, **more: Any) -> tuple[int, str]:
        """Exit code and output of a command in the machine."""
        read, write = os.pipe()
        null = os.open(os.devnull, os.O_RDWR)
        try:
            waiting = asyncio.to_thread(Path(f"/proc/self/fd/{read}").read_bytes)
            reading = asyncio.ensure_future(waiting)
            status = await self.client.exec(
                machine, command, stdin=null, stdout=write, stderr=write, **more
            )
            os.close(write)
            write = -1
            return status.code, (await reading).decode(errors="replace")
        finally:
            for descriptor in (read, write, null):
                if descriptor >= 0:
                    os.close(descriptor)


@pytest.fixture(scope="module")
def running_node() -> Iterator[RunningNode]:
    if os.geteuid() != 0:
        pytest.skip("needs root: a node makes zones, mounts and networks")
    if not list(Path("/var/cache/smartplatform").glob("stack-*.tar")):
        pytest.skip("there is no stack in /var/cache/smartplatform: run script/bootstrap")
    settings = Settings(installation=own_name("test-zones"))
    settings.logs.mkdir(parents=True)
    node = RunningNode(settings)
    try:
        node.start()
        yield node
    finally:
        stopped(node)
        gone(settings)


def stopped(node: RunningNode) -> None:
    """The node, its machines and its pool."""
    if node.process is not None:
        node.stop()
    asyncio.run(remove.remove(node.settings))


def gone(settings: Settings) -> None:
    shutil.rmtree(settings.state, ignore_errors=True)
    shutil.rmtree(settings.run, ignore_errors=True)


def get(socket: Path, path: str = "/", timeout_s: float = PATIENCE_S) -> str:
    """The body of a GET over a Unix socket, by curl."""
    argv = ["curl", "-sS", "--max-time", str(timeout_s), "--unix-socket", str(socket)]
    done = subprocess.run(
        [*argv, f"http://app{path}"], capture_output=True, text=True, timeout=timeout_s + 5
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def get_over_tcp(address: str, path: str = "/", timeout_s: float = PATIENCE_S) -> str:
    """The same at a machine's own address, for what has no fast path."""
    argv = ["curl", "-sS", "--max-time", str(timeout_s), f"http://{address}:{PORT}{path}"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=timeout_s + 5)
    assert done.returncode == 0, done.stderr
    return done.stdout


def since_ms(start_s: float) -> float:
    return (time.perf_counter() - start_s) * 1000


def _image(images: list[dict[str, Any]], role: str, **tags: str) -> str:
    for image in images:
        found = image["tags"]
        if found.get("smartplatform:role") == role and all(
            found.get(f"smartplatform:{key}") == value for key, value in tags.items()
        ):
            return str(image["uuid"])
    raise AssertionError(f"there is no {role} image")
