"""One change of an app at a time, finished though its caller goes."""

import asyncio
import logging

import pytest

from paas.store import instances
from tests.paas.provisioner.world import Run, World


def test_a_change_goes_on_when_its_caller_goes_and_its_failure_is_logged(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        world.node.behaviour = lambda machine: "runs"
        calling = asyncio.create_task(world.operations.dynos.restart(app))
        await world.until(lambda: len(world.node.machines) == 2)
        calling.cancel()
        await asyncio.wait({calling})
        await world.until(lambda: world.node.running() == ["web.1"])
        await world.until(lambda: "a change of hello failed" in caplog.text)

    caplog.set_level(logging.ERROR)
    run(story, boot_timeout_s=2.0)


def test_a_restart_waits_for_a_deploy_and_then_restarts_what_it_made(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        deploying = asyncio.create_task(
            world.operations.releases.change_config(app, {"A": "1"}, "me")
        )
        await asyncio.sleep(0)
        await asyncio.gather(deploying, world.operations.dynos.restart(app, type="web"))
        assert await world.rows(app) == ["web.1"]
        await world.until(lambda: len(world.node.machines) == 1)
        (row,) = await world.platform.database.run(instances.for_app, app.id)
        assert (row.release_version, list(world.node.machines)) == (2, [row.machine_uuid])

    run(story)
