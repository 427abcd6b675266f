"""Every verb killed at any of its lines and repeated: the machine is as asked for, nothing leaks.

A forked child runs the verb on a node of its own and ends at its n-th line; another one starts a
node on what is left, repeats the verb and looks. `PAAS_KILL_POINTS` says how many lines of each.
"""

import asyncio
import hashlib
import io
import itertools
import os
import random
import sys
import tarfile
import tempfile
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from paas.node.errors import NodeError
from paas.node.images import manifests
from paas.node.machines.machines import Machines
from paas.node.server.prepare import prepare
from paas.settings import Settings
from tests.paas.node.conftest import RunningNode
from tests.paas.node.images.streams import file, stream
from tests.paas.node.leftovers import leftovers

POINTS = int(os.environ.get("PAAS_KILL_POINTS", "1"))
SEED = os.environ.get("PAAS_CHAOS_SEED", "1")
_IMAGE = "11111111-1111-4111-8111-111111111111"
_KILLED = 9
_PATIENCE_S = 30.0
Story = Callable[[Machines, dict[str, Any]], Awaitable[Any]]

pytestmark = [pytest.mark.root, pytest.mark.timeout(120 + POINTS * 30)]


async def create(machines: Machines, payload: dict[str, Any]) -> None:
    await machines.create(payload)


async def create_stopped(machines: Machines, payload: dict[str, Any]) -> None:
    await create(machines, payload)
    await stop(machines, payload)


async def start(machines: Machines, payload: dict[str, Any]) -> None:
    await machines.start(payload["uuid"])


async def stop(machines: Machines, payload: dict[str, Any]) -> None:
    await machines.stop(payload["uuid"], force=True, timeout_s=0)


async def reboot(machines: Machines, payload: dict[str, Any]) -> None:
    await machines.reboot(payload["uuid"], force=True, timeout_s=0)


async def update(machines: Machines, payload: dict[str, Any]) -> None:
    await machines.update(payload["uuid"], {"max_lwps": 177, "quota": 2})


async def delete(machines: Machines, payload: dict[str, Any]) -> None:
    try:
        await machines.delete(payload["uuid"])
    except NodeError as error:
        assert error.code == "VmNotFound"


async def copy(machines: Machines, payload: dict[str, Any]) -> None:
    manifest = {"uuid": _IMAGE, "name": "made"}
    await machines.imaging.create(payload["uuid"], manifest, keep_machine=True)


async def convert(machines: Machines, payload: dict[str, Any]) -> None:
    manifest = {"uuid": _IMAGE, "name": "made"}
    await machines.imaging.create(payload["uuid"], manifest, keep_machine=False)


async def derive(machines: Machines, payload: dict[str, Any]) -> None:
    with tempfile.TemporaryFile() as differences:
        differences.write(stream([b"gone"], [file(b"later", b"1")]))
        differences.seek(0)
        manifest = {"uuid": _IMAGE, "name": "made"}
        origin = payload["image_uuid"]
        await machines.imaging.derive(origin, manifest, 1, differences.fileno())


async def install(machines: Machines, payload: dict[str, Any]) -> None:
    """A file laid over an origin: the longer way."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        archive.add("/dev/null", "./app/later", filter=_regular)
        archive.addfile(tarfile.TarInfo("./.wh.srv"))
        folder = tarfile.TarInfo("./more")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    described = {
        "sha1": hashlib.sha1(content.getvalue()).hexdigest(),
        "size": len(content.getvalue()),
        "compression": "none",
    }
    manifest = manifests.complete({"uuid": _IMAGE, "name": "made", "files": [described]})
    manifest |= {"origin": payload["image_uuid"], "published_at": "2026-11-22T15:04:05Z"}
    with tempfile.TemporaryFile() as file:
        file.write(content.getvalue())
        file.flush()
        await machines.imaging.install(manifest, "http://source", file.fileno())


def _regular(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.type, info.size = tarfile.REGTYPE, 0
    return info


async def export(machines: Machines, payload: dict[str, Any]) -> None:
    with tempfile.TemporaryFile() as target:
        uuid = payload["uuid"]
        await machines.imaging.export(uuid, incremental=True, target=target.fileno())
        target.seek(0)
        with tarfile.open(fileobj=target) as archive:
            assert "." in archive.getnames()


async def snapshot(machines: Machines, payload: dict[str, Any]) -> None:
    try:
        await machines.create_snapshot(payload["uuid"], "kept")
    except NodeError as error:
        assert error.code == "SnapshotExists"


async def create_with_snapshot(machines: Machines, payload: dict[str, Any]) -> None:
    await create(machines, payload)
    await snapshot(machines, payload)
    await write_later(machines, payload)


async def write_later(machines: Machines, payload: dict[str, Any]) -> None:
    _file(machines, payload).write_text("later")
    await machines.update(payload["uuid"], {"set_tags": {"written": "later"}})


async def create_written(machines: Machines, payload: dict[str, Any]) -> None:
    await create(machines, payload)
    await write_later(machines, payload)


async def reprovision(machines: Machines, payload: dict[str, Any]) -> None:
    await machines.reprovision(payload["uuid"], payload["image_uuid"])


async def send_away(machines: Machines, payload: dict[str, Any]) -> None:
    await create_written(machines, payload)
    with _stream(machines).open("wb") as target:
        await machines.send(payload["uuid"], target.fileno(), 0)
    await delete(machines, payload)


async def receive(machines: Machines, payload: dict[str, Any]) -> None:
    with _stream(machines).open("rb") as source:
        try:
            await machines.receive(source.fileno())
        except NodeError as error:
            assert error.code == "VmAlreadyExists"


async def rollback(machines: Machines, payload: dict[str, Any]) -> None:
    await machines.rollback_snapshot(payload["uuid"], "kept")


async def forget(machines: Machines, payload: dict[str, Any]) -> None:
    try:
        await machines.delete_snapshot(payload["uuid"], "kept")
    except NodeError as error:
        assert error.code == "SnapshotNotFound"


def runs(machines: Machines, payload: dict[str, Any]) -> None:
    vm = machines.get(payload["uuid"])
    assert vm["state"] == "running", vm
    assert Path(f"/proc/{vm['pid']}").exists()


def is_stopped(machines: Machines, payload: dict[str, Any]) -> None:
    vm = machines.get(payload["uuid"])
    assert (vm["state"], vm.get("pid")) == ("stopped", None), vm


def is_updated(machines: Machines, payload: dict[str, Any]) -> None:
    runs(machines, payload)
    vm = machines.get(payload["uuid"])
    assert (vm["max_lwps"], vm["quota"]) == (177, 2)
    installation = machines.host.settings.installation
    (limit,) = {
        file.read_text().strip()
        for file in Path("/sys/fs/cgroup").glob(
            f"**/{installation}/machines/{payload['uuid']}/pids.max"
        )
    }
    assert limit == "177"


def is_gone(machines: Machines, payload: dict[str, Any]) -> None:
    assert machines.list() == []


def is_image_too(machines: Machines, payload: dict[str, Any]) -> None:
    runs(machines, payload)
    assert machines.images.get(_IMAGE)["name"] == "made"


def is_image(machines: Machines, payload: dict[str, Any]) -> None:
    is_gone(machines, payload)
    assert (machines.host.pool.path(_IMAGE) / "root/app").is_dir()


def is_derived(machines: Machines, payload: dict[str, Any]) -> None:
    assert (machines.host.pool.path(_IMAGE) / "root/app/later").read_text() == "1"
    assert machines.host.pool.snapshots(_IMAGE) == ["final"]


def is_installed(machines: Machines, payload: dict[str, Any]) -> None:
    tree = machines.host.pool.path(_IMAGE) / "root"
    assert (tree / "app/later").is_file() and (tree / "more").is_dir()
    assert not (tree / "srv").exists()
    assert machines.host.pool.snapshots(_IMAGE) == ["final"]
    assert machines.images.source(_IMAGE) == "http://source"


def has_snapshot(machines: Machines, payload: dict[str, Any]) -> None:
    runs(machines, payload)
    assert [item["name"] for item in machines.get(payload["uuid"])["snapshots"]] == ["kept"]


def is_back(machines: Machines, payload: dict[str, Any]) -> None:
    has_snapshot(machines, payload)
    assert not _file(machines, payload).exists()
    assert machines.get(payload["uuid"])["tags"] == {}


def is_anew(machines: Machines, payload: dict[str, Any]) -> None:
    runs(machines, payload)
    assert not _file(machines, payload).exists()
    assert machines.get(payload["uuid"])["tags"] == {"written": "later"}


def is_received(machines: Machines, payload: dict[str, Any]) -> None:
    assert machines.get(payload["uuid"])["state"] == "receiving"
    assert _file(machines, payload).read_text() == "later"
    assert machines.host.pool.snapshots(payload["uuid"]) == []


def has_no_snapshot(machines: Machines, payload: dict[str, Any]) -> None:
    assert machines.get(payload["uuid"])["snapshots"] == []
    assert machines.host.pool.snapshots(payload["uuid"]) == []


async def nothing(machines: Machines, payload: dict[str, Any]) -> None:
    """Starting the node is the verb."""


STORIES: dict[str, tuple[Story, Story, Callable[[Machines, dict[str, Any]], None]]] = {
    "create": (nothing, create, runs),
    "start": (create_stopped, start, runs),
    "stop": (create, stop, is_stopped),
    "reboot": (create, reboot, runs),
    "update": (create, update, is_updated),
    "delete": (create, delete, is_gone),
    "copy to an image": (create, copy, is_image_too),
    "become an image": (create_stopped, convert, is_image),
    "derive an image": (nothing, derive, is_derived),
    "install an image": (nothing, install, is_installed),
    "export a machine": (create_stopped, export, is_stopped),
    "snapshot": (create, snapshot, has_snapshot),
    "rollback": (create_with_snapshot, rollback, is_back),
    "reprovision": (create_written, reprovision, is_anew),
    "receive": (send_away, receive, is_received),
    "delete a snapshot": (create_with_snapshot, forget, has_no_snapshot),
    "adopt": (create, nothing, runs),
}


@pytest.fixture(scope="module")
def prepared(running_node: RunningNode) -> Iterator[tuple[Settings, dict[str, Any]]]:
    """The images are there, the node is not."""
    payload = asyncio.run(
        running_node.payload(
            ["sh", "-c", "exec sleep 1000"], max_lwps=100, metadata={"smartplatform:port": 5000}
        )
    )
    running_node.stop()
    yield running_node.settings, payload


@pytest.mark.parametrize("name", STORIES)
def test_a_verb_killed_at_any_line_can_be_repeated(
    prepared: tuple[Settings, dict[str, Any]], name: str
) -> None:
    settings, payload = prepared
    before, verb, check = STORIES[name]
    lines = Lines()
    assert in_child(lambda: first(settings, payload, before, verb, lines, name)) == 0
    total = lines.total()
    assert total > 10
    assert in_child(lambda: again(settings, payload, verb, check)) == 0
    chance = random.Random(f"{SEED}-{name}")
    for step in sorted(chance.sample(range(1, total), min(POINTS, total - 1))):
        killed = Lines(step)
        status = in_child(lambda at=killed: first(settings, payload, before, verb, at, name))  # type: ignore[misc]
        assert status == _KILLED, f"line {step} of {total}"
        assert in_child(lambda: again(settings, payload, verb, check)) == 0, (
            f"after line {step} of {total}"
        )


class Lines:
    """Counts the lines of paas.node that all threads run; ends the process at one of them.

    No two runs have the same number of lines, because some wait: one that has fewer is ended last.
    """

    def __init__(self, last: int = -1) -> None:
        self._last = last
        self._count = itertools.count(1)
        self._read, self._write = os.pipe()

    def begin(self) -> None:
        # Workers that live already are not traced: a new set of them is.
        asyncio.get_running_loop().set_default_executor(
            ThreadPoolExecutor(8, initializer=lambda: sys.settrace(self._trace))
        )
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def end(self) -> None:
        sys.settrace(None)
        if self._last > 0:
            os._exit(_KILLED)
        os.write(self._write, f"{next(self._count)}\n".encode())

    def total(self) -> int:
        return int(os.read(self._read, 100))

    def _trace(self, frame: FrameType, event: str, argument: object) -> Any:
        file = frame.f_code.co_filename
        if "/paas/node/" not in file or "/tests/" in file:
            return None
        if event == "line" and next(self._count) == self._last:
            os._exit(_KILLED)
        return self._trace


async def first(
    settings: Settings,
    payload: dict[str, Any],
    before: Story,
    verb: Story,
    lines: Lines,
    name: str,
) -> None:
    machines = (await prepare(settings)).machines
    await machines.adopt()
    await before(machines, payload)
    if name == "adopt":
        machines.detach()
        lines.begin()
        machines = (await prepare(settings)).machines
        await machines.adopt()
    else:
        lines.begin()
        await verb(machines, payload)
    lines.end()
    machines.detach()


async def again(
    settings: Settings,
    payload: dict[str, Any],
    verb: Story,
    check: Callable[[Machines, dict[str, Any]], None],
) -> None:
    machines = (await prepare(settings)).machines
    await machines.adopt()
    await verb(machines, payload)
    check(machines, payload)
    await delete(machines, payload)
    if any(image["uuid"] == _IMAGE for image in machines.images.list()):
        machines.images.delete(_IMAGE)
    images = {image["uuid"] for image in machines.images.list()}
    assert machines.list() == []
    machines.detach()
    deadline_s = time.monotonic() + _PATIENCE_S
    while left := leftovers(settings, set(), images, os.getpid()):
        assert time.monotonic() < deadline_s, "\n".join(left)
        await asyncio.sleep(0.1)


def _file(machines: Machines, payload: dict[str, Any]) -> Path:
    return machines.host.pool.path(payload["uuid"]) / "root/app/later"


def _stream(machines: Machines) -> Path:
    return machines.host.settings.state / "sent"


def in_child(story: Callable[[], Any]) -> int:
    """The exit status of a forked process that runs the story: 1 with its traceback printed."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(story())
            status = 0
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
