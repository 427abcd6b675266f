"""After the host's reboot what should run runs again as it was; damaged machines fail alone."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from paas.node.errors import NodeError
from paas.settings import Settings
from tests.paas.node.conftest import RunningNode, get
from tests.paas.node.leftovers import leftovers, processes_of
from tests.processes import has_ended

# The tests' own waits block on purpose.
# ruff: noqa: ASYNC221
pytestmark = pytest.mark.root
PATIENCE_S = 60
APP = "require('http').createServer((q, r) => r.end('hi')).listen(process.env.PORT)"
STAY = ["sh", "-c", "echo kept > /app/kept; exec sleep 100000"]


def reboot(node: RunningNode) -> None:
    """Everything that a reboot takes: processes, mounts, /run, network, cgroups; by hand."""
    node.kill()
    settings = node.settings
    ended = [*_in_cgroups(settings), *(pid for pid, _, _ in processes_of(settings))]
    for pid in ended:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    # A zone's own mounts hold the pool until the last of its processes has ended.
    until(lambda: all(map(has_ended, ended)))
    for _ in range(2):
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        for point in [line.split()[4] for line in reversed(lines)]:
            if point.startswith((f"{settings.run}/", f"{settings.state}/")):
                subprocess.run(["umount", "--lazy", point], check=True, timeout=20)
    argv = ["losetup", "-j", str(settings.pool_file)]
    until(lambda: not subprocess.check_output(argv, timeout=20))
    shutil.rmtree(settings.run)
    for family in ("inet", "bridge"):
        argv = ["nft", "delete", "table", family, settings.nftables_table]
        subprocess.run(argv, check=True, timeout=20)
    subprocess.run(["ip", "link", "delete", settings.bridge], check=True, timeout=20)


def until(condition: Callable[[], bool]) -> None:
    """The kernel tells nobody when what held a file system has let go of it."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "something of the machines stays"
        time.sleep(0.02)


def _in_cgroups(settings: Settings) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cgroup"):
        with suppress(OSError):
            if f"/{settings.installation}/" in entry.read_text():
                found.append(int(entry.parent.name))
    return found


async def payloads(node: RunningNode) -> dict[str, dict[str, Any]]:
    plain = {"docker:restartpolicy": None, "smartplatform:port": None}
    once = {"docker:restartpolicy": "no", "smartplatform:port": None}
    always = {"smartplatform:port": None}
    return {
        "web": await node.payload(["node", "-e", APP]),
        "plain": await node.payload(STAY, metadata=plain),
        "late": await node.payload(STAY, metadata=plain, autoboot=False),
        "off": await node.payload(STAY, metadata=plain),
        "once": await node.payload(STAY, metadata=once),
        "stopped": await node.payload(STAY, metadata=always),
        "record": await node.payload(STAY, metadata=always),
        "dataset": await node.payload(STAY, metadata=always),
        "image": await node.payload(STAY, metadata=always),
    }


async def make(node: RunningNode) -> dict[str, dict[str, Any]]:
    wanted = await payloads(node)
    image = str(wanted["image"]["uuid"]).replace("-4", "-5", 1)
    plain = await node.client.create(wanted["plain"])
    await node.client.create_image(plain["uuid"], {"uuid": image, "name": "x"}, keep_machine=True)
    wanted["image"]["internal_metadata"]["smartplatform:runtime"] = image
    made = {name: await node.client.create(payload) for name, payload in wanted.items()}
    for name in ("stopped", "off"):
        await node.client.stop(made[name]["uuid"], force=True)
    await node.client.update(made["late"]["uuid"], {"autoboot": True})
    await node.until(made["web"]["uuid"], lambda vm: vm["listening"] == "unix")
    return made


def damage(node: RunningNode, machines: dict[str, dict[str, Any]]) -> None:
    """Behind the node's back, with the pool as it is mounted."""
    pool = node.settings.pool_mount
    record = pool / ".machines" / f"{machines['record']['uuid']}.json"
    record.write_text(record.read_text()[:-40])
    image = machines["image"]["internal_metadata"]["smartplatform:runtime"]
    (pool / ".images" / f"{image}.json").unlink()
    for path in (
        pool / machines["dataset"]["uuid"],
        pool / ".snapshots" / image / "final",
        pool / image,
    ):
        command = ["btrfs", "subvolume", "delete", str(path)]
        subprocess.run(command, check=True, timeout=20, capture_output=True)


def test_a_reboot_brings_back_what_ran_and_damaged_machines_fail_alone(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        client = running_node.client
        before = await make(running_node)
        await asyncio.to_thread(running_node.kill)
        await asyncio.to_thread(running_node.start)
        late = await client.get(before["late"]["uuid"])
        assert late["state"] == "stopped", "only the host boots it"
        damage(running_node, before)
        await asyncio.to_thread(reboot, running_node)
        await asyncio.to_thread(running_node.start)
        uuid = {name: vm["uuid"] for name, vm in before.items()}
        after = {
            name: await running_node.until(uuid[name], lambda vm: vm["state"] == "running")
            for name in ("web", "plain", "late")
        }
        for name, vm in after.items():
            assert vm["nics"] == before[name]["nics"]
            assert vm["pid"] != before[name].get("pid")
        await running_node.until(uuid["web"], lambda vm: vm["listening"] == "unix")
        assert get(running_node.socket(uuid["web"])) == "hi"
        assert (running_node.settings.pool_mount / uuid["plain"] / "root/app/kept").exists()
        for name in ("once", "stopped", "off"):
            assert (await client.get(uuid[name]))["state"] == "stopped"
        for name, reason in (
            ("record", "can't be read"),
            ("dataset", f"zones/{uuid['dataset']} is missing"),
            ("image", "the runtime node that it mounts is missing"),
        ):
            vm = await running_node.until(uuid[name], lambda vm: vm["state"] == "failed")
            assert reason in vm["failure"]
            with pytest.raises(NodeError, match=reason):
                await client.start(uuid[name])
        assert {vm["uuid"] for vm in await client.list()} == set(uuid.values())
        await clear(running_node, uuid)

    asyncio.run(story())


async def clear(node: RunningNode, uuid: dict[str, str]) -> None:
    """Also damaged machines can be deleted, and nothing of them stays."""
    for machine in uuid.values():
        await node.client.delete(machine)
    images = {image["uuid"] for image in await node.client.images()}
    assert node.process is not None
    assert leftovers(node.settings, set(), images, node.process.pid) == []


def test_a_machine_goes_back_to_its_snapshots(running_node: RunningNode) -> None:
    async def story() -> None:
        client = running_node.client
        payload = await running_node.payload(
            ["sh", "-c", "touch /app/file; exec sleep 1000"], metadata={"smartplatform:port": None}
        )
        uuid = (await client.create(payload))["uuid"]
        file = running_node.settings.pool_mount / uuid / "root/app/file"
        try:
            file.write_text("one")
            vm = await client.create_snapshot(uuid, "first")
            assert [item["name"] for item in vm["snapshots"]] == ["first"]
            assert vm["snapshots"][0]["created_at"].endswith("Z")
            file.write_text("two")
            await client.create_snapshot(uuid, "second")
            vm = await client.rollback_snapshot(uuid, "first")
            assert (vm["state"], [item["name"] for item in vm["snapshots"]]) == (
                "running",
                ["first"],
            )
            assert await running_node.output(uuid, "cat", "/app/file") == (0, "one")
            # What only the pool knows was half made: the next node forgets it.
            running_node.kill()
            folder = running_node.settings.pool_mount / ".snapshots" / uuid
            command = ["btrfs", "subvolume", "snapshot", str(folder / "vmsnap-first")]
            subprocess.run([*command, str(folder / "vmsnap-half")], check=True, timeout=20)
            running_node.start()
            assert [path.name for path in folder.iterdir()] == ["vmsnap-first"]
            vm = await client.delete_snapshot(uuid, "first")
            assert vm["snapshots"] == []
            for name, code in (("first", "SnapshotNotFound"), ("a/b", "InvalidSnapshotName")):
                with pytest.raises(NodeError) as refused:
                    await client.rollback_snapshot(uuid, name)
                assert refused.value.code == code
        finally:
            await client.delete(uuid)

    asyncio.run(story())


def test_running_out_of_memory_is_said_and_no_stray_file_appears(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        here = set(Path.cwd().iterdir())
        eat = "const a = []; for (;;) a.push(Buffer.alloc(16 << 20, 1))"
        for _ in range(3):
            payload = await running_node.payload(
                ["node", "-e", eat],
                max_physical_memory=128,
                metadata={"docker:restartpolicy": "no", "smartplatform:port": None},
            )
            await running_node.client.create(payload)
            vm = await running_node.until(payload["uuid"], lambda vm: vm["state"] != "running")
            assert vm["failure"] == "The machine ran out of memory."
            await running_node.client.delete(payload["uuid"])
        assert {path.name for path in set(Path.cwd().iterdir()) - here} == set()

    asyncio.run(story())
