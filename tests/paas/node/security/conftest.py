"""One node with a few zones for all tests of the walls, and ways to try things from inside them."""

import asyncio
import json
import os
import platform
import shutil
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest

from paas.node.pools import btrfs_ioctls, quotas
from paas.node.upkeep import remove
from paas.settings import Settings
from tests.names import own_name
from tests.paas.node.conftest import RunningNode
from tests.paas.node.lan import Internet, internet

Result = TypeVar("Result")
INSIDE = Path(__file__).parent / "inside"
SERVER = "require('http').createServer((q, r) => r.end('hello')).listen(process.env.PORT)"
IDLE = {"smartplatform:port": None, "docker:restartpolicy": "no"}
_LINKS = ("bin", "sbin", "lib", "lib64")


def wait(work: Coroutine[Any, Any, Result]) -> Result:
    return asyncio.run(work)


@dataclass(frozen=True)
class Walls:
    """The node and its zones: `app` and `neighbour` as instances have them, `capable` as others."""

    node: RunningNode
    app: dict[str, Any]
    neighbour: dict[str, Any]
    capable: dict[str, Any]
    internet: Internet

    def run(self, machine: str, *command: str, **more: Any) -> tuple[int, str]:
        return wait(self.node.output(machine, *command, **more))

    def python(self, machine: str, source: str, *words: str, **more: Any) -> Any:
        """What a Python program in the zone says on its last line, as JSON."""
        code, text = self.run(machine, "python3", "-c", source, *words, **more)
        assert code == 0, text[-2000:]
        return json.loads(text.splitlines()[-1])

    @contextmanager
    def machine(self, command: list[str], **changes: Any) -> Iterator[str]:
        """One more zone, as an instance has it, with Python; gone afterwards."""
        vm = wait(create(self.node, command, **changes))
        try:
            yield vm["uuid"]
        finally:
            wait(self.node.client.delete(vm["uuid"]))

    def vm(self, machine: str) -> dict[str, Any]:
        return wait(self.node.client.get(machine))


def shrink(walls: Walls, uuid: str, quota_bytes: int) -> None:
    """A quota below the smallest package's, so that it is soon full."""
    pool = walls.node.settings.pool_mount
    with btrfs_ioctls.opened(pool) as root:
        kind = quotas.kind(root)
    quotas.limit(pool, pool / uuid, quota_bytes, kind)


def source(name: str) -> str:
    """A program to run inside: `inside/<name>.py`."""
    return (INSIDE / f"{name}.py").read_text()


@pytest.fixture(scope="session")
def walls() -> Iterator[Walls]:
    if os.geteuid() != 0:
        pytest.skip("needs root: a node makes zones, mounts and networks")
    if platform.machine() != "x86_64":
        pytest.skip("the system calls are tried by their numbers on x86_64")
    if not list(Path("/var/cache/smartplatform").glob("stack-*.tar")):
        pytest.skip("there is no stack in /var/cache/smartplatform: run script/bootstrap")
    settings = Settings(installation=own_name("test-walls"))
    settings.logs.mkdir(parents=True)
    node = RunningNode(settings)
    with internet(settings.key) as outside:
        try:
            node.start()
            yield wait(_build(node, outside))
        finally:
            if node.process is not None:
                node.stop()
            asyncio.run(remove.remove(settings))
            shutil.rmtree(settings.state, ignore_errors=True)
            shutil.rmtree(settings.run, ignore_errors=True)


async def _build(node: RunningNode, outside: Internet) -> Walls:
    app, neighbour, capable = await asyncio.gather(
        create(node, ["sleep", "1000"], metadata=IDLE),
        create(node, ["node", "-e", SERVER]),
        create_capable(node),
    )
    neighbour = await node.until(neighbour["uuid"], lambda vm: vm["listening"] == "unix")
    return Walls(node, app, neighbour, capable, outside)


async def create(node: RunningNode, command: list[str], **changes: Any) -> dict[str, Any]:
    """With the `build` stack, which has Python."""
    stack = {"smartplatform:stack": await build_stack(node)}
    payload = await node.payload(
        command, **{**changes, "metadata": {**stack, **changes.pop("metadata", {})}}
    )
    return await node.client.create(payload)


async def build_stack(node: RunningNode) -> str:
    for image in await node.client.images():
        if image["tags"].get("smartplatform:variant") == "build":
            return str(image["uuid"])
    raise AssertionError("there is no build stack")


async def create_capable(node: RunningNode) -> dict[str, Any]:
    """A machine whose image is a whole userland: the stack itself, with the links of a root."""
    bare = dict.fromkeys(
        ("smartplatform:stack", "smartplatform:runtime", "smartplatform:port", "docker:user")
    )
    payload = await node.payload(
        ["sleep", "1000"],
        image_uuid=await build_stack(node),
        autoboot=False,
        metadata={**bare, "docker:restartpolicy": "no", "docker:workdir": "/"},
    )
    payload["docker"] = False
    vm = await node.client.create(payload)
    root = node.settings.pool_mount / vm["uuid"] / "root"
    for name in _LINKS:
        (root / name).symlink_to(f"usr/{name}")
    return await node.client.start(vm["uuid"])
