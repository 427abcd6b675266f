"""The kernel's counters of limit hits, in cgroup v1 and v2, and being told of them."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paas.node.zone import limit_hits
from paas.node.zone.limit_hits import Counts, Watch, counts
from tests.paas.node.conftest import RunningNode

PATH = "/inst/machines/u"
QUIET = {"smartplatform:port": None}
HOG = "const all = []; for (;;) all.push(Buffer.alloc(1e7, 1))"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_counters_are_read_in_v1(tmp_path: Path) -> None:
    zone = PATH.strip("/") + "/zone"
    assert counts(PATH, tmp_path) == Counts()
    write(tmp_path / "memory" / zone / "memory.oom_control", "under_oom 1\noom_kill 3\n")
    write(tmp_path / "pids" / zone / "pids.events", "max 12\n")
    assert counts(PATH, tmp_path) == Counts(oom_kills=3, lwps_hits=12)


@pytest.mark.parametrize("place", ["zone/pids.events", "pids.events"])
def test_counters_are_read_in_v2_wherever_the_kernel_counts_forks(
    tmp_path: Path, place: str
) -> None:
    folder = tmp_path / PATH.strip("/")
    write(tmp_path / "cgroup.controllers", "memory pids")
    write(folder / "zone/pids.events", "max 0\n")
    write(folder / place, "max 4\n")
    write(folder / "zone/memory.events", "low 0\noom 9\noom_kill 2\noom_group_kill 0\n")
    assert counts(PATH, tmp_path) == Counts(oom_kills=2, lwps_hits=4)


def test_a_change_of_v2_counters_is_told_until_the_watch_ends(tmp_path: Path) -> None:
    async def story() -> None:
        folder = tmp_path / PATH.strip("/")
        write(tmp_path / "cgroup.controllers", "memory pids")
        write(folder / "zone/memory.events", "oom_kill 0\n")
        write(folder / "pids.events", "max 0\n")
        told = asyncio.Event()
        watch = Watch(tmp_path)
        try:
            watch.begin(PATH, told.set)
            for file, text in (("zone/memory.events", "oom_kill 1\n"), ("pids.events", "max 1\n")):
                (folder / file).write_text(text)
                await asyncio.wait_for(told.wait(), 30)
                told.clear()
            watch.end(PATH)
            (folder / "pids.events").write_text("max 2\n")
            await asyncio.sleep(0)
            assert not told.is_set()
        finally:
            watch.close()

    asyncio.run(story())


def test_v1_counters_without_an_event_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        pids = tmp_path / "pids" / PATH.strip("/") / "zone/pids.events"
        write(pids, "max 0\n")
        told = asyncio.Event()
        watch = Watch(tmp_path)
        try:
            watch.begin(PATH, told.set)
            pids.write_text("max 1\n")
            await asyncio.wait_for(told.wait(), 30)
        finally:
            watch.close()

    monkeypatch.setattr(limit_hits, "LOOK_S", 0.01)
    asyncio.run(story())


async def after(
    node: RunningNode, script: str, test: Callable[[dict[str, Any]], bool], **changes: Any
) -> dict[str, Any]:
    """The machine once `test` holds, running `script`; its log under `log`. Gone afterwards."""
    payload = await node.payload(["sh", "-c", script], metadata=QUIET, **changes)
    try:
        await node.client.create(payload)
        vm = await node.until(payload["uuid"], test, 60)
        return {**vm, "log": node.log(payload["uuid"])}
    finally:
        await node.client.delete(payload["uuid"])


@pytest.mark.root
def test_a_child_killed_for_memory_is_an_event_of_a_machine_that_runs_on(
    running_node: RunningNode,
) -> None:
    script = f"node -e '{HOG}'; exec sleep 1000"
    memory = {"max_physical_memory": 128, "max_swap": 256}

    def killed(vm: dict[str, Any]) -> bool:
        return vm.get("oom_kills", 0) > 0

    async def story() -> None:
        payload = await running_node.payload(["sh", "-c", script], metadata=QUIET, **memory)
        uuid = payload["uuid"]
        try:
            await running_node.client.create(payload)
            vm = await running_node.until(uuid, killed, 60)
            assert (vm["state"], vm.get("failure")) == ("running", None)
            # The kernel may choose a second one before the first has given its memory back.
            assert vm["oom_kills"] >= 1
            assert vm["oom_kill_timestamp"] > vm["boot_timestamp"]
            running_node.kill()
            running_node.start()
            assert (await running_node.client.get(uuid))["oom_kills"] >= vm["oom_kills"]
        finally:
            await running_node.client.delete(uuid)

    asyncio.run(story())


@pytest.mark.root
def test_a_process_that_eats_all_memory_is_said_to_have_crashed_of_it(
    running_node: RunningNode,
) -> None:
    def crashed(vm: dict[str, Any]) -> bool:
        return vm.get("init_restarts", 0) > 0 and vm.get("exit_reason") is not None

    vm = asyncio.run(after(running_node, f"exec node -e '{HOG}'", crashed, max_physical_memory=128))
    assert (vm["exit_status"], vm["exit_reason"]) == (137, "out of memory")
    assert vm["oom_kills"] >= 1
    lines = [line.split(" ", 3)[1:] for line in vm["log"].splitlines()]
    said = [text for stream, _, text in lines if stream == "heroku"]
    assert said[:5] == [
        "Error R15 (Memory quota vastly exceeded)",
        "Stopping process with SIGKILL",
        "Process exited with status 137",
        "State changed from up to crashed",
        "State changed from crashed to starting",
    ]


@pytest.mark.root
def test_forks_beyond_the_limit_are_an_event(running_node: RunningNode) -> None:
    script = (
        "import os, time\n"
        "for _ in range(60):\n"
        "    try:\n"
        "        if os.fork() == 0: time.sleep(1000)\n"
        "    except OSError: pass\n"
    )

    async def story() -> None:
        stack = next(
            image["uuid"]
            for image in await running_node.client.images()
            if image["tags"].get("smartplatform:variant") == "build"
        )
        command = json.dumps(["python3", "-c", script])
        once = {"docker:restartpolicy": "no"}
        metadata = {**QUIET, **once, "docker:cmd": command, "smartplatform:stack": stack}
        payload = await running_node.payload([], metadata=metadata, max_lwps=20)
        uuid = payload["uuid"]
        try:
            await running_node.client.create(payload)
            # The first event may come in the middle of them.
            await running_node.until(uuid, lambda vm: vm.get("lwps_hits", 0) > 10, 60)
            assert "Process limit of 20 reached" in running_node.log(uuid)
        finally:
            await running_node.client.delete(uuid)

    asyncio.run(story())
