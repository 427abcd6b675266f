"""The way of a push, with a builder that only hands an image over: what is kept of each failure."""

import asyncio
from pathlib import Path

import pytest

from buildpacks.findings import Failure
from paas import logs
from paas.apps.builds import BuildStatus
from paas.apps.releases import ReleaseStatus
from paas.builder import BuildFailed, Built, Work
from paas.deploys import deploy, slow_start
from paas.deploys.outcome import DESTROYED
from paas.node.errors import NodeError
from paas.store import apps, outputs, promises, trunks
from tests.paas.deploys.pushing import MAIN, Client, Install, hanging, raising, succeeding
from tests.paas.provisioner.world import Run, World


def test_a_push_becomes_a_release_that_runs_and_the_ref_follows(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        commit = client.commit("one")
        assert await client.push((MAIN, commit)) == {MAIN: None}
        assert client.head() == commit
        (release,) = await client.releases()
        (build,) = await client.builds()
        assert release.status is ReleaseStatus.SUCCEEDED
        assert (build.status, build.release_id) == (BuildStatus.SUCCEEDED, release.id)
        assert world.node.running() == ["web.1"]
        assert "-----> 1. Building" in client.said and "Released v1" in client.said
        assert await world.platform.database.run(promises.all) == []

    run(story)


def test_a_push_waits_for_a_node_that_still_starts_and_says_so(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        await world.node.stop()
        await world.until(lambda: not world.platform.machines.connected.is_set())
        pushing = asyncio.create_task(client.push((MAIN, client.commit("one"))))
        await world.until(lambda: "Waiting for the node" in client.said)
        assert "Building" not in client.said
        await world.node.start()
        assert await pushing == {MAIN: None}
        assert "Released v1" in client.said

    run(story)


def test_a_node_that_does_not_come_fails_the_push_with_what_to_do(
    run: Run, builder: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "NODE_START_S", 0.1)

    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        await world.node.stop()
        await world.until(lambda: not world.platform.machines.connected.is_set())
        assert await client.push((MAIN, client.commit("one"))) == {MAIN: "deploy failed"}
        assert "no node answered" in client.said and "paas doctor" in client.said
        await client.nothing_open()

    run(story)


@pytest.mark.parametrize(
    ("error", "answer", "words"),
    [
        (BuildFailed(Failure("x", "npm ci failed", "Run npm install.")), "build failed", "npm ci"),
        (NodeError("Unavailable", "gone"), "the platform failed", "gone"),
        (OSError("no space left"), "the platform failed", "no space left"),
        (KeyError("a fault"), "the platform failed", "a fault"),
    ],
)
def test_whatever_goes_wrong_in_a_build_ends_it_with_words(
    run: Run, builder: Install, error: Exception, answer: str, words: str
) -> None:
    async def story(world: World) -> None:
        builder(raising(error))
        client = Client(world, await world.app())
        assert await client.push((MAIN, client.commit("one"))) == {MAIN: answer}
        assert words in client.said
        assert client.head() is None
        await client.nothing_open()

    run(story)


def test_a_trunk_outlives_the_build_that_made_it(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        async def build(work: Work) -> Built:
            await work.keep("image", work.commit, "key")
            raise BuildFailed(Failure("x", "the build script failed", "See above."))

        builder(build)
        client = Client(world, await world.app())
        commit = client.commit("one")
        assert await client.push((MAIN, commit)) == {MAIN: "build failed"}
        kept = await world.platform.database.run(trunks.get, client.app.id)
        assert kept is not None and (kept.image_uuid, kept.commit) == ("image", commit)

    run(story)


def test_a_build_that_hangs_has_an_end(
    run: Run, builder: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def build(_work: Work) -> Built:
        await asyncio.Event().wait()
        raise AssertionError

    async def story(world: World) -> None:
        builder(build)
        client = Client(world, await world.app())
        answer = await client.push((MAIN, client.commit("one")))
        assert answer == {MAIN: "the platform failed"}
        assert "did not end within" in client.said
        await client.nothing_open()

    run(story, build_timeout_s=0.05)


def test_a_start_that_takes_long_says_what_is_waited_for(
    run: Run, builder: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow_start, "SLOW_START_S", 0.0)

    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        world.node.behaviour = lambda machine: "runs"
        assert await client.push((MAIN, client.commit("one"))) == {MAIN: "deploy failed"}
        waiting, failed = client.said.index("Still starting"), client.said.index("did not listen")
        assert client.said.count("Still starting") == 1
        assert waiting < failed

    run(story, boot_timeout_s=0.5)


def test_a_release_that_does_not_start_refuses_the_ref(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        first = client.commit("one")
        await client.push((MAIN, first))
        world.node.behaviour = lambda machine: "exits"
        second = client.commit("two")
        assert await client.push((MAIN, second)) == {MAIN: "deploy failed"}
        assert client.head() == first
        assert "web.1 exited with status 1" in client.said
        assert [line.text for line in logs.read(world.platform.settings, client.app.id, [])] == [
            f"Release v1 created by user me: Deploy {first[:8]}",
            f"Deploy {second[:8]} by user me failed: "
            "web.1 exited with status 1 before it was ready",
        ]
        await client.nothing_open()
        await world.until(lambda: world.node.running() == ["web.1"])

    run(story)


@pytest.mark.parametrize("does", ["exits", "refused", "fails"])
def test_a_release_command_that_fails_leaves_nothing_open(
    run: Run, builder: Install, does: str
) -> None:
    async def story(world: World) -> None:
        command = {"argv": ["node", "x"], "environment": {}}
        types = {"web": "node x", "release": "node x"}
        builder(succeeding(world, processes=types, commands=dict.fromkeys(types, command)))
        world.node.behaviour = lambda machine: (
            does if machine["alias"].endswith("release.1") else "listens"
        )
        client = Client(world, await world.app())
        assert (await client.push((MAIN, client.commit("one"))))[MAIN] is not None
        await client.nothing_open()
        await world.until(lambda: not world.node.machines)

    run(story)


@pytest.mark.parametrize("pauses", range(0, 60, 4))
def test_ctrl_c_at_any_moment_leaves_all_or_nothing(
    run: Run, builder: Install, pauses: int
) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        commit = client.commit("one")
        pushing = asyncio.create_task(client.push((MAIN, commit)))
        for _ in range(pauses):
            await asyncio.sleep(0.001)
        client.cancelled.set()
        answer = (await pushing)[MAIN]
        await client.nothing_open()
        current = await world.current(client.app)
        assert (current is not None) == (answer is None)
        assert client.head() == (commit if answer is None else None)
        expected = 1 if answer is None else 0
        await world.until(lambda: len(world.node.machines) == expected)
        assert len(await world.rows(client.app)) == expected

    run(story)


def test_destroying_the_app_cancels_its_pushes_and_says_why(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        begun = asyncio.Event()
        builder(hanging(begun))
        app = await world.app()
        first, second = Client(world, app), Client(world, app)
        commits = first.commit("one"), first.commit("two")
        building = asyncio.create_task(first.push((MAIN, commits[0])))
        await begun.wait()
        waiting = asyncio.create_task(second.push((MAIN, commits[1])))
        await world.until(lambda: "Waiting for what is being done" in second.said)
        await world.operations.apps.destroy(app)
        assert await building == await waiting == {MAIN: DESTROYED}
        assert "Cancelled: the app was destroyed meanwhile." in first.said
        assert await world.platform.database.run(apps.by_id, app.id) is None
        await world.until(lambda: not world.platform.deploying.apps)
        assert await first.push((MAIN, commits[0])) == {MAIN: DESTROYED}

    run(story)


@pytest.mark.parametrize("pauses", range(0, 60, 6))
def test_an_app_that_is_destroyed_at_any_moment_leaves_nothing(
    run: Run, builder: Install, pauses: int
) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        pushing = asyncio.create_task(client.push((MAIN, client.commit("one"))))
        for _ in range(pauses):
            await asyncio.sleep(0.001)
        await world.operations.apps.destroy(client.app)
        assert (await pushing)[MAIN] in (None, DESTROYED)
        assert await world.platform.database.run(apps.all) == []
        await world.until(lambda: not world.node.machines and not client.path.exists())

    run(story)


def test_what_a_release_command_prints_is_in_the_apps_log(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        command = {"argv": ["node", "x"], "environment": {}}
        types = {"web": "node x", "release": "node x"}
        builder(succeeding(world, processes=types, commands=dict.fromkeys(types, command)))
        world.node.behaviour = lambda machine: (
            "exits" if machine["alias"].endswith("release.1") else "listens"
        )
        client = Client(world, await world.app())
        assert await client.push((MAIN, client.commit("one"))) == {MAIN: "deploy failed"}
        [(machine, name)] = world.platform.outputs.of(client.app.id)
        assert name == "release.1"
        [kept] = await world.platform.database.run(outputs.for_app, client.app.id)
        assert (kept.machine_uuid, kept.process) == (machine, name)

    run(story)


def test_a_router_that_is_away_is_said(run: Run, builder: Install, folder: Path) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        assert await client.push((MAIN, client.commit("one"))) == {MAIN: None}
        assert deploy.ROUTER_AWAY in client.said

    run(story, router=folder / "none")
