"""Real zones on a node of the tests' own: boot, reach, crash, adopt, isolate, and leave nothing."""

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from paas.node.errors import NodeError
from paas.node.zone import cgroups
from tests.paas.node.conftest import PATIENCE_S, RunningNode, get, since_ms
from tests.paas.node.leftovers import processes_of
from tests.processes import nobody_collects_orphans

# The tests' own waits block on purpose; a cgroup has no event for its processes.
# ruff: noqa: ASYNC110, ASYNC221, ASYNC240
pytestmark = pytest.mark.root

APP = """
require('http').createServer((request, response) => {
  if (request.url === '/crash') process.exit(3);
  response.end(JSON.stringify({
    from: request.socket.remoteAddress, options: process.env.NODE_OPTIONS }));
}).listen(process.env.PORT);
"""
CLUSTER = """
const cluster = require('cluster');
if (cluster.isPrimary) { cluster.fork(); cluster.fork(); }
else require('http').createServer((q, r) => r.end('worker')).listen(process.env.PORT);
"""


def is_listening(vm: dict[str, Any]) -> bool:
    """An open port may be noticed before the server's own word arrives."""
    return bool(vm["listening"] == "unix")


@asynccontextmanager
async def machine(node: RunningNode, command: list[str], **changes: Any) -> AsyncIterator[str]:
    payload = await node.payload(command, **changes)
    try:
        await node.client.create(payload)
        yield payload["uuid"]
    finally:
        await node.client.delete(payload["uuid"])


def test_a_machine_boots_and_its_server_answers_on_the_hosts_socket(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        payload = await running_node.payload(["node", "-e", APP])
        start_s = time.perf_counter()
        vm = await running_node.client.create(payload)
        first_process_ms = since_ms(start_s)
        assert vm["state"] == "running"
        vm = await running_node.until(vm["uuid"], is_listening)
        listening_ms = since_ms(start_s)
        answer = json.loads(get(running_node.socket(vm["uuid"])))
        assert answer["from"] == "127.0.0.1"
        assert "--max-old-space-size=158" in answer["options"]
        assert await running_node.client.create(payload) == vm
        start_s = time.perf_counter()
        await running_node.client.delete(vm["uuid"])
        print(
            f"first process {first_process_ms:.0f} ms, listening {listening_ms:.0f} ms, "
            f"delete {since_ms(start_s):.0f} ms"
        )
        with pytest.raises(NodeError, match="No such zone configured"):
            await running_node.client.delete(vm["uuid"], missing_ok=False)
        assert not running_node.socket(vm["uuid"]).parent.exists()
        assert vm["uuid"] not in Path("/proc/mounts").read_text()
        assert vm["uuid"] not in cgroups.names(running_node.settings.installation, "machines")

    asyncio.run(story())


@pytest.mark.parametrize(
    ("command", "how"),
    [
        (["sh", "-c", 'node -e "$SCRIPT"; true'], "unix"),
        (
            [
                "node",
                "--input-type=module",
                "-e",
                "import http from 'node:http';" + APP.replace("require('http')", "http"),
            ],
            "unix",
        ),
        (["sh", "-c", 'echo "$CLUSTER" > main.js; exec node main.js'], "unix"),
        (["sh", "-c", 'NODE_OPTIONS= node -e "$SCRIPT"'], "tcp"),
    ],
    ids=["through a shell", "as a module", "in a cluster", "without the module"],
)
def test_it_is_noticed_how_a_server_listens(
    running_node: RunningNode, command: list[str], how: str
) -> None:
    async def story() -> None:
        metadata = {"docker:env": json.dumps([f"SCRIPT={APP}", f"CLUSTER={CLUSTER}"])}
        async with machine(running_node, command, metadata=metadata) as uuid:
            vm = await running_node.until(uuid, lambda vm: vm["listening"] == how)
            if how == "unix":
                assert get(running_node.socket(uuid))
            else:
                address = (vm["nics"][0]["ip"], 5000)
                _, writer = await asyncio.wait_for(asyncio.open_connection(*address), 30)
                writer.close()

    asyncio.run(story())


def test_a_crashed_machine_restarts_with_the_same_socket_and_queue(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        async with machine(running_node, ["node", "-e", APP]) as uuid:
            before = await running_node.until(uuid, is_listening)
            inode = running_node.socket(uuid).stat().st_ino
            subprocess.run(
                ["curl", "-s", "--unix-socket", str(running_node.socket(uuid)), "http://x/crash"],
                timeout=10,
            )
            # Sent while the process is dead or starts: it waits in the queue.
            assert json.loads(get(running_node.socket(uuid)))
            after = await running_node.until(
                uuid, lambda vm: vm["init_restarts"] and is_listening(vm)
            )
            assert after["exit_status"] == 3
            assert after["listened"] == "unix"
            assert after["pid"] != before["pid"]
            assert running_node.socket(uuid).stat().st_ino == inode

    asyncio.run(story())


def test_machines_outlive_a_killed_node_and_are_adopted(running_node: RunningNode) -> None:
    async def story() -> None:
        async with machine(running_node, ["node", "-e", APP]) as uuid:
            before = await running_node.until(uuid, is_listening)
            running_node.kill()
            assert get(running_node.socket(uuid))
            running_node.start()
            after = await running_node.client.get(uuid)
            assert (after["pid"], after["listening"]) == (before["pid"], "unix")
            assert get(running_node.socket(uuid))
            os.kill(after["pid"], 9)
            again = await running_node.until(
                uuid, lambda vm: is_listening(vm) and vm["pid"] != before["pid"]
            )
            assert again["exit_status"] == 137
            assert get(running_node.socket(uuid))

    asyncio.run(story())


def test_what_ended_while_the_node_was_away_is_booted_again(running_node: RunningNode) -> None:
    async def story() -> None:
        async with machine(running_node, ["node", "-e", APP]) as uuid:
            before = await running_node.until(uuid, is_listening)
            running_node.kill()
            os.kill(before["pid"], 9)
            running_node.start()
            after = await running_node.until(
                uuid, lambda vm: is_listening(vm) and vm["pid"] != before["pid"]
            )
            assert after["state"] == "running"
            assert get(running_node.socket(uuid))

    asyncio.run(story())


def test_stop_lets_a_server_finish_and_start_boots_it_again(running_node: RunningNode) -> None:
    async def story() -> None:
        async with machine(running_node, ["node", "-e", APP]) as uuid:
            await running_node.until(uuid, is_listening)
            # By itself: SIGKILL would be another status.
            vm = await running_node.client.stop(uuid, timeout_s=60)
            assert (vm["state"], vm["exit_status"], vm["listening"]) == ("stopped", 143, None)
            assert (await running_node.client.stop(uuid))["state"] == "stopped"
            assert (await running_node.client.start(uuid))["state"] == "running"
            await running_node.until(uuid, is_listening)

    asyncio.run(story())


def test_a_command_that_does_not_exist_is_named(running_node: RunningNode) -> None:
    async def story() -> None:
        payload = await running_node.payload(["no-such-command"])
        try:
            with pytest.raises(NodeError, match="no-such-command") as caught:
                await running_node.client.create(payload)
            assert caught.value.code == "StartFailed"
            assert (await running_node.client.get(payload["uuid"]))["state"] == "failed"
            assert "no-such-command" in running_node.log(payload["uuid"])
        finally:
            await running_node.client.delete(payload["uuid"])

    asyncio.run(story())


def test_boots_that_fail_leave_the_node_no_descriptors(running_node: RunningNode) -> None:
    """With a port each has a fast path: one is kept for the boot that gets through."""

    async def story() -> None:
        payload = await running_node.payload(["no-such-command"])
        assert running_node.process is not None
        open_files = Path(f"/proc/{running_node.process.pid}/fd")
        counts = []
        try:
            with pytest.raises(NodeError):
                await running_node.client.create(payload)
            for _ in range(5):
                with pytest.raises(NodeError):
                    await running_node.client.start(payload["uuid"])
                counts.append(len(list(open_files.iterdir())))
            assert counts[-1] <= counts[0] + 2, counts
        finally:
            await running_node.client.delete(payload["uuid"])

    asyncio.run(story())


def test_exec_has_exit_codes_and_ends_with_its_caller(running_node: RunningNode) -> None:
    async def story() -> None:
        async with machine(
            running_node, ["sleep", "1000"], metadata={"smartplatform:port": None}
        ) as uuid:
            assert await running_node.output(
                uuid, "sh", "-c", "echo $A; exit 7", environment={"A": "b"}
            ) == (7, "b\n")
            code, text = await running_node.output(uuid, "sh", "-c", "kill -9 $$")
            assert code == 137, text
            path = cgroups.name(running_node.settings.installation, "machines", uuid)
            own = len(cgroups.processes(path))
            task = asyncio.ensure_future(
                running_node.output(uuid, "sh", "-c", "sleep 4321 & sleep 4321")
            )
            async with asyncio.timeout(PATIENCE_S):
                while len(cgroups.processes(path)) < own + 3:
                    await asyncio.sleep(0.05)
            task.cancel()
            async with asyncio.timeout(PATIENCE_S):
                while len(cgroups.processes(path)) > own:
                    await asyncio.sleep(0.05)

    asyncio.run(story())


def test_a_machine_ends_after_an_exec_was_cut_off_where_nobody_collects_orphans(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        async with machine(
            running_node, ["sleep", "1000"], metadata={"smartplatform:port": None}
        ) as uuid:
            command = running_node.output(uuid, "sh", "-c", "touch /app/runs; sleep 4321")
            task = asyncio.ensure_future(command)
            file = running_node.settings.pool_mount / uuid / "root/app/runs"
            async with asyncio.timeout(30):
                while not file.exists():
                    await asyncio.sleep(0.05)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            vm = await running_node.client.stop(uuid, force=True)
            assert vm["state"] == "stopped"

    with nobody_collects_orphans():
        asyncio.run(story())


def test_a_machine_ends_though_the_runtime_of_an_exec_was_killed(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        async with machine(
            running_node, ["sleep", "1000"], metadata={"smartplatform:port": None}
        ) as uuid:
            command = running_node.output(uuid, "sh", "-c", "touch /app/runs; sleep 4321")
            task = asyncio.ensure_future(command)
            file = running_node.settings.pool_mount / uuid / "root/app/runs"
            async with asyncio.timeout(30):
                while not file.exists():
                    await asyncio.sleep(0.05)
            (runtime,) = [
                pid
                for pid, program, arguments in processes_of(running_node.settings)
                if program == "runc" and " exec " in arguments and uuid in arguments
            ]
            os.kill(runtime, signal.SIGKILL)
            with suppress(asyncio.CancelledError):
                await task
            vm = await running_node.client.stop(uuid, force=True)
            assert vm["state"] == "stopped"

    with nobody_collects_orphans():
        asyncio.run(story())


def test_a_zone_is_walled_in(running_node: RunningNode) -> None:
    async def story() -> None:
        settings = running_node.settings
        gateway = str(settings.network.network_address + 1)
        idle = {"smartplatform:port": None}
        async with (
            machine(running_node, ["sleep", "1000"], metadata=idle) as uuid,
            machine(running_node, ["node", "-e", APP]) as other,
        ):
            neighbour = (await running_node.until(other, is_listening))["nics"][0]["ip"]
            own = await running_node.client.get(uuid)
            status = Path(f"/proc/{own['pid']}/status").read_text()
            assert "\nUid:\t0" not in status
            assert "\nCapEff:\t0000000000000000" in status
            assert "\nCapBnd:\t0000000000000000" in status
            assert "\nNoNewPrivs:\t1" in status
            assert "\nSeccomp:\t2" in status
            for forbidden in (
                "unshare -U true",
                "mount -t tmpfs x /tmp",
                "touch /usr/x",
                "touch /opt/node/x",
                "touch /etc/hosts",
                "echo 1 > /proc/sys/kernel/hostname",
                "cat /proc/kcore",
                f"ls {settings.pool_mount}",
                f"ls {settings.run}",
            ):
                code, text = await running_node.output(uuid, "sh", "-c", forbidden)
                assert code != 0, (forbidden, text)
            for target in (
                f"{gateway}:8081",
                f"{gateway}:22",
                f"{neighbour}:5000",
                "169.254.169.254:80",
            ):
                assert not await _connects(running_node, uuid, target, 1.5), target
            assert await _connects(running_node, other, f"{neighbour}:5000", 30)
            code, text = await running_node.output(uuid, "sh", "-c", "ls /proc | grep -c '^[0-9]'")
            assert int(text) < 10
            assert (await running_node.output(uuid, "cat", "/etc/hostname"))[1].strip() == uuid

    asyncio.run(story())


FORK_BOMB = "for i in $(seq 200); do sleep 100 >/dev/null 2>&1 & done; wait"
MEMORY_HOG = "const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))"
DISK_HOG = "head -c 3G /dev/zero > /app/full"


@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        (["timeout", "60", "sh", "-c", FORK_BOMB], 2, "fork"),
        (["node", "-e", MEMORY_HOG], 137, ""),
        (["sh", "-c", DISK_HOG], 1, "quota"),
    ],
    ids=["processes", "memory", "disk"],
)
def test_limits_hold(
    running_node: RunningNode, command: list[str], status: int, words: str
) -> None:
    async def story() -> None:
        idle = {"smartplatform:port": None, "docker:restartpolicy": "no"}
        async with machine(running_node, ["sleep", "1000"], metadata=idle) as uuid:
            code, text = await running_node.output(uuid, *command)
            assert code == status, text
            assert words in text.lower()

    asyncio.run(story())


def _resolves_registry() -> bool:
    try:
        subprocess.run(["npm", "ping"], capture_output=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def test_a_build_zone_reaches_the_registry(running_node: RunningNode) -> None:
    if not _resolves_registry():
        pytest.skip("this host itself reaches no npm registry")

    async def story() -> None:
        build = {"smartplatform:port": None, "smartplatform:class": "builds"}
        async with machine(
            running_node, ["sleep", "1000"], metadata=build, max_physical_memory=1024
        ) as uuid:
            code, text = await running_node.output(uuid, "npm", "ping")
            assert code == 0, text

    asyncio.run(story())


def test_a_machines_dataset_becomes_an_image(running_node: RunningNode) -> None:
    async def story() -> None:
        idle = {"smartplatform:port": None}
        payload = await running_node.payload(["sleep", "1000"], metadata=idle)
        await running_node.client.create(payload)
        await running_node.output(payload["uuid"], "sh", "-c", "echo built > /app/result")
        manifest = {
            "uuid": payload["uuid"][:-4] + "beef",
            "name": "app",
            "version": "1",
            "tags": {"smartplatform:role": "app"},
        }
        with pytest.raises(NodeError, match="stop it first"):
            await running_node.client.create_image(payload["uuid"], manifest, keep_machine=False)
        await running_node.client.stop(payload["uuid"], force=True)
        made = await running_node.client.create_image(payload["uuid"], manifest, keep_machine=False)
        with pytest.raises(NodeError, match="No such zone"):
            await running_node.client.get(payload["uuid"])
        async with machine(
            running_node, ["sleep", "9"], metadata=idle, image_uuid=made["uuid"]
        ) as uuid:
            assert await running_node.output(uuid, "cat", "/app/result") == (0, "built\n")
            with pytest.raises(NodeError, match="in use"):
                await running_node.client.delete_image(made["uuid"])
        await running_node.client.delete_image(made["uuid"])

    asyncio.run(story())


async def _connects(node: RunningNode, uuid: str, target: str, patience_s: float) -> bool:
    host, port = target.split(":")
    script = (
        "const s=require('net').connect(+process.argv[2],process.argv[1]);"
        "s.on('connect',()=>process.exit(0));s.on('error',()=>process.exit(1));"
        "setTimeout(()=>process.exit(2),process.argv[3]*1000)"
    )
    code, _ = await node.output(uuid, "node", "-e", script, host, port, str(patience_s))
    return code == 0


def test_a_quota_below_what_is_used_is_refused_and_nothing_changes(running_node) -> None:
    async def story() -> None:
        node = running_node.client
        vm = await node.create(await running_node.payload(["sleep", "infinity"], quota=3))
        try:
            root = running_node.settings.pool_mount / vm["uuid"] / "root"
            with (root / "large").open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, 1200 << 20)
                os.fsync(file.fileno())
            with pytest.raises(NodeError) as caught:
                await node.update(vm["uuid"], {"quota": 1, "max_lwps": 99})
            assert caught.value.code == "QuotaExceeded"
            assert "delete files first" in caught.value.message
            after = await node.get(vm["uuid"])
            assert (after["quota"], after["max_lwps"]) == (3, vm["max_lwps"])
            assert (await node.update(vm["uuid"], {"quota": 2}))["quota"] == 2
            assert (await node.update(vm["uuid"], {"quota": 0}))["quota"] == 0
        finally:
            await node.delete(vm["uuid"])

    asyncio.run(story())
