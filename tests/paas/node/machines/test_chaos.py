"""Create and delete cycles while node, conmon and runc are killed at random: nothing leaks.

`PAAS_CHAOS_CYCLES` (500 for the whole proof) and `PAAS_CHAOS_SEED` choose another run.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from paas.node.client import Node
from paas.node.errors import NodeError
from tests.paas.node.conftest import RunningNode
from tests.paas.node.leftovers import leftovers, processes_of

CYCLES = int(os.environ.get("PAAS_CHAOS_CYCLES", "15"))
SEED = os.environ.get("PAAS_CHAOS_SEED") or str(time.time_ns())
_WORKERS = 4
_KEEPERS = 3
_PATIENCE_S = 90.0
_KILLED = ("Unavailable", "StartFailed")
"""What a caller sees when something was killed under its request; it then repeats it."""
_KEEPER = 'echo "$HOSTNAME" > /app/kept; exec sleep 100000'

pytestmark = [pytest.mark.root, pytest.mark.timeout(60 + CYCLES * 4)]


async def patiently(call: Callable[[Node], Awaitable[Any]], node: RunningNode) -> Any:
    """The call's result, however often a kill stands in its way."""
    deadline_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return await call(node.client)
        except NodeError as error:
            if error.code not in _KILLED or time.monotonic() > deadline_s:
                raise
            await asyncio.sleep(0.05)


async def cycle(node: RunningNode, chance: random.Random) -> None:
    payload = await patiently(lambda client: random_payload(node, chance), node)
    uuid = payload["uuid"]
    await patiently(lambda client: client.create(payload), node)
    for verb in chance.sample(("stop", "start", "reboot", "update"), chance.randint(0, 2)):
        more = ({"max_lwps": chance.randint(64, 256)},) if verb == "update" else ()
        await patiently(lambda client, v=verb, m=more: getattr(client, v)(uuid, *m), node)  # type: ignore[misc]
    await patiently(lambda client: client.delete(uuid), node)
    with pytest.raises(NodeError) as gone:
        await patiently(lambda client: client.get(uuid), node)
    assert gone.value.code == "VmNotFound"


async def random_payload(node: RunningNode, chance: random.Random) -> dict[str, Any]:
    script = chance.choice(("exec sleep 1000", "exit 1", "exec sleep 0.05", _KEEPER))
    return await node.payload(
        ["sh", "-c", script],
        metadata={
            "docker:restartpolicy": chance.choice(("always", "no")),
            "smartplatform:port": chance.choice((None, 5000)),
            "smartplatform:class": chance.choice(("machines", "builds")),
        },
    )


async def kill_at_random(
    node: RunningNode, chance: random.Random, kills: Counter[str], over: asyncio.Event
) -> None:
    """Until it is over; a node that was killed has been started again by then."""
    while not over.is_set():
        await asyncio.sleep(chance.uniform(0, 0.5))
        victim = chance.choices(("paas-node", "conmon", "runc"), (2, 4, 6))[0]
        if victim == "paas-node":
            await asyncio.to_thread(node.kill)
            await asyncio.sleep(chance.uniform(0, 0.05))
            await asyncio.to_thread(node.start)
            kills[victim] += 1
        else:
            kills[victim] += await kill_one(node, victim, chance)


async def kill_one(node: RunningNode, program: str, chance: random.Random) -> int:
    """Kill one of the installation's processes of a program, when there is one; how many."""
    deadline_s = time.monotonic() + 0.5
    while time.monotonic() < deadline_s:
        found = [pid for pid, name, _ in processes_of(node.settings) if name == program]
        if found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(found), signal.SIGKILL)
                return 1
        await asyncio.sleep(0.002)
    return 0


async def run_cycles(node: RunningNode) -> Counter[str]:
    kills: Counter[str] = Counter()
    left = iter(range(CYCLES))

    async def work(number: int) -> None:
        for cycle_number in left:
            await cycle(node, random.Random(f"{SEED}-{number}-{cycle_number}"))

    over = asyncio.Event()
    killer = asyncio.ensure_future(kill_at_random(node, random.Random(SEED), kills, over))
    workers = asyncio.gather(*(work(number) for number in range(_WORKERS)))
    try:
        await asyncio.wait({killer, workers}, return_when=asyncio.FIRST_COMPLETED)
        if killer.done():
            await killer
        await workers
    finally:
        over.set()
        workers.cancel()
        await asyncio.gather(killer, workers, return_exceptions=True)
    await killer
    return kills


async def nothing_but(node: RunningNode, machines: set[str]) -> None:
    """The dead need a moment to be gone; then nothing may be left."""
    assert node.process is not None
    images = {image["uuid"] for image in await node.client.images()}
    deadline_s = time.monotonic() + 30
    while left := leftovers(node.settings, machines, images, node.process.pid):
        assert time.monotonic() < deadline_s, "\n".join(left)
        await asyncio.sleep(0.1)


def test_nothing_is_left_over_and_nothing_lost_by_kills_at_random(
    running_node: RunningNode,
) -> None:
    print(f"PAAS_CHAOS_CYCLES={CYCLES} PAAS_CHAOS_SEED={SEED}", flush=True)

    async def story() -> None:
        start_s = time.monotonic()
        keepers = {}
        for _ in range(_KEEPERS):
            payload = await running_node.payload(["sh", "-c", _KEEPER])
            vm = await running_node.client.create(payload)
            keepers[vm["uuid"]] = vm["nics"][0]["ip"]
        kills = await run_cycles(running_node)
        found = {vm["uuid"]: vm for vm in await running_node.client.list()}
        assert found.keys() == keepers.keys()
        for uuid, address in keepers.items():
            # `failed`: its last boot was killed, and the node is about to try again.
            vm = found[uuid]
            assert vm["state"] in ("running", "failed") or vm.get("restarting"), vm
            vm = await running_node.client.start(uuid)
            assert (vm["state"], vm["nics"][0]["ip"]) == ("running", address)
            assert (running_node.settings.pool_mount / uuid / "root/app/kept").exists()
        await nothing_but(running_node, set(keepers))
        for uuid in keepers:
            await running_node.client.delete(uuid)
        await nothing_but(running_node, set())
        seconds = time.monotonic() - start_s
        print(f"{CYCLES} cycles in {seconds:.0f} s, killed: {json.dumps(kills)}")

    try:
        asyncio.run(story())
    except BaseException:
        print((running_node.settings.logs / "node.log").read_text()[-20_000:])
        raise
