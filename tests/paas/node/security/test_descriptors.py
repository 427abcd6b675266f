"""The listener and the FIFO that a zone is handed: it can hurt nobody with them but itself."""

import asyncio
import json
import os
import socket
import statistics
import time
from pathlib import Path

import pytest

from router.wire import frames
from tests.paas.node.conftest import get
from tests.paas.node.security.conftest import Walls, build_stack, source, wait

pytestmark = pytest.mark.root

WATCHED_S = 2.0
NODE_CPU_MAX = 0.25
LIST_TIME_MAX_S = 0.25
PATIENCE_S = 60


def command(how: str) -> list[str]:
    return ["python3", "-c", source("descriptors"), how]


def test_what_the_descriptors_are_can_not_be_changed(walls: Walls) -> None:
    with walls.machine(command("touch")) as uuid:
        wait(walls.node.until(uuid, lambda vm: vm["listening"] == "unix"))
        found = json.loads(walls.run(uuid, "cat", "/app/found")[1])
        assert found.pop("descriptors") == [0, 1, 2, 3, 4]
        assert "done" not in found.values(), found
        path, reports = walls.node.socket(uuid), walls.node.socket(uuid).with_name("reports")
        assert path.stat().st_uid == reports.stat().st_uid == 0
        assert path.stat().st_mode & 0o777 == 0o660
        assert reports.stat().st_mode & 0o777 == 0o600
        assert get(path) == "hello"


def test_an_exec_has_no_descriptor_but_its_own(walls: Walls) -> None:
    listing = "import json, os; print(json.dumps(sorted(map(int, os.listdir('/proc/self/fd')))))"
    for zone in (walls.app, walls.neighbour):
        assert walls.python(zone["uuid"], listing) == [0, 1, 2, 3]  # 3 is the listing's.


def test_a_listener_that_was_shut_down_is_replaced(walls: Walls) -> None:
    with walls.machine(command("shutdown")) as uuid:
        vm = wait(
            walls.node.until(uuid, lambda vm: vm["init_restarts"] > 0 and vm["listening"] == "unix")
        )
        assert vm["exit_status"] == 137
        assert get(walls.node.socket(uuid)) == "hello"
        assert vm["exit_reason"] == "it shut down the socket it was given"
        assert "shut down the socket" in walls.node.log(uuid)


def test_a_listener_that_a_child_shut_down_is_replaced_and_the_router_is_told(
    walls: Walls,
) -> None:
    async def story() -> None:
        node, told = walls.node, asyncio.Queue[tuple[str, bool]]()

        async def router(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while (message := await frames.read(reader)) is not None:
                if message["type"] == "machine":
                    told.put_nowait((message["machine"], message["up"]))
                writer.write(frames.encode({"type": "noted"}))
            writer.close()

        async def until(uuid: str, up: bool) -> None:
            async with asyncio.timeout(PATIENCE_S):
                while await told.get() != (uuid, up):
                    pass

        path = node.settings.router_socket
        path.parent.mkdir(exist_ok=True)
        server = await asyncio.start_unix_server(router, path)
        stack = {"smartplatform:stack": await build_stack(node)}
        payload = await node.payload(command("shutdown by a child"), metadata=stack)
        uuid = payload["uuid"]
        try:
            await node.client.create(payload)
            await until(uuid, True)
            before = node.socket(uuid).stat().st_ino
            assert await asyncio.to_thread(get, node.socket(uuid)) == "hello"
            await node.output(uuid, "touch", "/app/shutdown")
            await until(uuid, False)
            await until(uuid, True)
            assert node.socket(uuid).stat().st_ino != before
            assert await asyncio.to_thread(get, node.socket(uuid)) == "hello"
        finally:
            await node.client.delete(uuid)
            server.close()
            path.unlink(missing_ok=True)

    wait(story())


def test_who_takes_connections_from_its_own_server_hurts_nobody_else(walls: Walls) -> None:
    with walls.machine(command("steal")) as uuid:
        path = walls.node.socket(uuid)
        vm = wait(walls.node.until(uuid, lambda vm: vm["listening"] == "unix"))
        assert get(path) == "hello"
        inode = path.stat().st_ino
        walls.run(uuid, "touch", "/app/steal")
        # The server itself gets one at most, and waits for a request on it for ever.
        stolen = 'until [ "$(cat /app/stolen 2>/dev/null || echo 0)" -ge 49 ]; do sleep 0.02; done'
        waiting = []
        try:
            for _ in range(50):
                waiting.append(socket.socket(socket.AF_UNIX))
                waiting[-1].connect(str(path))
            assert walls.run(uuid, "sh", "-c", stolen)[0] == 0
            assert get(walls.node.socket(walls.neighbour["uuid"])) == "hello"
            walls.run(uuid, "rm", "/app/steal")
            wait(walls.node.client.reboot(uuid, force=True))
        finally:
            for connection in waiting:
                connection.close()
        wait(walls.node.until(uuid, lambda vm: vm["listening"] == "unix"))
        assert get(path) == "hello"
        assert path.stat().st_ino == inode
        assert walls.vm(uuid)["init_restarts"] == vm["init_restarts"]


def test_a_flood_of_reports_costs_the_node_nothing_and_harms_no_neighbour(walls: Walls) -> None:
    assert walls.node.process is not None
    with walls.machine(command("flood"), cpu_cap=100) as uuid:
        wait(walls.node.until(uuid, lambda vm: vm["state"] == "running"))
        before_s, start_s = cpu_s(walls.node.process.pid), time.monotonic()
        times_s: list[float] = []
        while time.monotonic() - start_s < WATCHED_S:
            asked_s = time.monotonic()
            assert wait(walls.node.client.list())
            times_s.append(time.monotonic() - asked_s)
            time.sleep(0.05)
        used = (cpu_s(walls.node.process.pid) - before_s) / (time.monotonic() - start_s)
        assert get(walls.node.socket(walls.neighbour["uuid"])) == "hello"
        assert walls.vm(uuid)["listening"] is None, "it says so, and answers nobody"
    assert used < NODE_CPU_MAX
    assert statistics.median(times_s) < LIST_TIME_MAX_S


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
