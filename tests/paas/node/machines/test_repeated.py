"""Verbs that are repeated, or asked for several times at once: each caller is told the truth."""

import asyncio
import random
import subprocess
import sys
import uuid
from collections.abc import Coroutine
from typing import Any

import pytest

from paas.node.errors import NodeError
from tests.paas.node.conftest import RunningNode
from tests.paas.node.leftovers import leftovers

pytestmark = pytest.mark.root
CALLERS = 4
CALLS = 60
QUIET: dict[str, Any] = {"smartplatform:port": None, "docker:restartpolicy": "no"}
OK = "done"
REFUSALS = {
    *("VmNotFound", "VmAlreadyExists", "VmNotStopped", "VmNotRunning", "ImageNotInstalled"),
    *("ImageInUse", "ImageUuidAlreadyExists", "SnapshotExists", "SnapshotNotFound"),
}
"""What may be said of machines, images and snapshots that others make and delete meanwhile."""


async def outcome(call: Coroutine[Any, Any, Any]) -> str:
    """`done`, or the code of the refusal."""
    try:
        await call
    except NodeError as error:
        assert error.code in REFUSALS, f"{error.code}: {error.message}"
        return error.code
    return OK


async def outcomes(*calls: Coroutine[Any, Any, Any]) -> list[str]:
    return sorted(await asyncio.gather(*(outcome(call) for call in calls)))


def manifest(image: str) -> dict[str, Any]:
    return {"uuid": image, "name": "made"}


def test_a_snapshot_is_made_once_and_keeps_its_moment(running_node: RunningNode) -> None:
    async def story() -> None:
        client = running_node.client
        payload = await running_node.payload(["sleep", "1000"], metadata=QUIET)
        machine = (await client.create(payload))["uuid"]
        try:
            made = (await client.create_snapshot(machine, "s1"))["snapshots"]
            command = [
                sys.executable,
                "-m",
                "paas.node.commands.vmadm",
                "create-snapshot",
                machine,
                "s1",
            ]
            done = await asyncio.to_thread(
                subprocess.run,
                command,
                env={"PAAS_INSTALLATION": running_node.settings.installation, "PATH": "/usr/bin"},
                capture_output=True,
                text=True,
                timeout=60,
            )
            assert done.returncode == 1
            assert "s1" in done.stderr and "already" in done.stderr
            assert made[0]["created_at"] in done.stderr
            assert (await client.get(machine))["snapshots"] == made
            found = await outcomes(*(client.create_snapshot(machine, "s2") for _ in range(CALLERS)))
            assert found == ["SnapshotExists"] * (CALLERS - 1) + [OK]
            # What the refusal says to do.
            await client.delete_snapshot(machine, "s1")
            await client.create_snapshot(machine, "s1")
        finally:
            await client.delete(machine)

    asyncio.run(story())


def test_of_many_who_ask_for_the_same_each_gets_it(running_node: RunningNode) -> None:
    async def story() -> None:
        client = running_node.client
        payload = await running_node.payload(["sleep", "1000"], metadata=QUIET)
        machine, image = payload["uuid"], str(uuid.uuid4())
        try:
            assert (
                await outcomes(*(client.create(payload) for _ in range(CALLERS))) == [OK] * CALLERS
            )
            copies = (
                client.create_image(machine, manifest(image), keep_machine=True)
                for _ in range(CALLERS)
            )
            assert await outcomes(*copies) == [OK] * CALLERS
            gone = (client.delete_image(image, missing_ok=False) for _ in range(CALLERS))
            assert await outcomes(*gone) == ["ImageNotInstalled"] * (CALLERS - 1) + [OK]
            assert not (running_node.settings.pool_mount / image).exists()
            await client.stop(machine, force=True)
            turned = (
                client.create_image(machine, manifest(image), keep_machine=False)
                for _ in range(CALLERS)
            )
            assert await outcomes(*turned) == [OK] * CALLERS
            assert await outcome(client.get(machine)) == "VmNotFound"
        finally:
            await client.delete(machine)
            await client.delete_image(image)

    asyncio.run(story())


def test_an_image_is_never_deleted_under_a_machine_that_is_made_of_it(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        client = running_node.client
        payload = await running_node.payload(["sleep", "1000"], metadata=QUIET)
        machine = (await client.create(payload))["uuid"]
        try:
            for _ in range(6):
                image = str(uuid.uuid4())
                await client.create_image(machine, manifest(image), keep_machine=True)
                copy = {**payload, "uuid": str(uuid.uuid4()), "image_uuid": image}
                try:
                    made, deleted = await asyncio.gather(
                        outcome(client.create(copy)),
                        outcome(client.delete_image(image, missing_ok=False)),
                    )
                    assert (made, deleted) in {(OK, "ImageInUse"), ("ImageNotInstalled", OK)}
                finally:
                    await client.delete(copy["uuid"])
                    await client.delete_image(image)
        finally:
            await client.delete(machine)

    asyncio.run(story())


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_asked_at_once_is_done_or_refused_in_words(
    running_node: RunningNode, seed: int
) -> None:
    """Two machines, two images and two snapshots, and every verb about them in any order."""
    dice = random.Random(seed)

    async def story() -> None:
        client = running_node.client
        before = {image["uuid"] for image in await client.images()}
        payloads = [await running_node.payload(["sleep", "1000"], metadata=QUIET) for _ in "ab"]
        images = [str(uuid.uuid4()) for _ in "ab"]

        def call() -> Coroutine[Any, Any, Any]:
            payload, image, name = dice.choice(payloads), dice.choice(images), dice.choice("st")
            machine = payload["uuid"]
            return dice.choice(
                [
                    lambda: client.create(payload),
                    lambda: client.create({**payload, "image_uuid": image}),
                    lambda: client.delete(machine, missing_ok=False),
                    lambda: client.start(machine),
                    lambda: client.stop(machine, force=True),
                    lambda: client.reboot(machine, force=True),
                    lambda: client.update(machine, {"max_lwps": 70}),
                    lambda: client.create_snapshot(machine, name),
                    lambda: client.rollback_snapshot(machine, name),
                    lambda: client.delete_snapshot(machine, name),
                    lambda: client.create_image(machine, manifest(image), keep_machine=True),
                    lambda: client.create_image(machine, manifest(image), keep_machine=False),
                    lambda: client.delete_image(image, missing_ok=False),
                ]
            )()

        try:
            found = await outcomes(*(call() for _ in range(CALLS)))
            assert found.count(OK) > CALLS // 10
        finally:
            for payload in payloads:
                await client.delete(payload["uuid"])
            for image in images:
                await client.delete_image(image)
        assert running_node.process is not None
        settings, pid = running_node.settings, running_node.process.pid
        assert leftovers(settings, set(), before, pid) == []

    asyncio.run(story())
