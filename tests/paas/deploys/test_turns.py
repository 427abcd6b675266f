"""Deploys that wait for each other: seen, cancelled, superseded."""

import asyncio
import threading

import pytest

from paas.apps.apps import App
from paas.apps.builds import Build, BuildStatus
from paas.apps.releases import ReleaseStatus
from paas.builder import Built, Work
from paas.deploys import push
from paas.errors import UserError
from paas.store import apps, builds
from tests.paas.deploys.pushing import MAIN, Client, Install, built, hanging, succeeding
from tests.paas.provisioner.world import Run, World


async def pending(world: World, app: App, count: int) -> list[Build]:
    """The builds that run or wait, once there are so many."""
    found: list[Build] = []

    async def there() -> bool:
        found[:] = [deploy.build for deploy in await world.operations.builds.deploys(app)]
        return len(found) == count

    await world.until(there)
    return found


async def status(world: World, build: Build) -> tuple[BuildStatus, str | None]:
    found = await world.platform.database.run(builds.by_id, build.id)
    return found.status, found.failure


def test_a_waiting_push_is_told_its_place_and_moves_up(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        begun = asyncio.Event()
        builder(hanging(begun))
        app = await world.app()
        first, second, third = (Client(world, app) for _ in range(3))
        running = asyncio.create_task(first.push((MAIN, first.commit("one"))))
        await begun.wait()
        (one,) = await pending(world, app, 1)
        waiting = [asyncio.create_task(second.push((MAIN, second.commit("two"))))]
        await pending(world, app, 2)
        waiting.append(asyncio.create_task(third.push((MAIN, third.commit("three")))))
        one, two, _ = await pending(world, app, 3)
        cancel = f"paas builds:cancel {one.id[:8]}\n"
        await world.until(lambda: f"2 builds are before it, first build {one.id[:8]}" in third.said)
        await world.until(
            lambda: f"Next in the queue, after build {one.id[:8]} by me" in second.said
        )
        assert cancel in third.said and cancel in second.said
        found = await world.operations.builds.deploys(app)
        assert [(deploy.place, deploy.waits) for deploy in found] == [
            (0, False), (1, True), (2, True),
        ]  # fmt: skip
        await world.operations.builds.cancel(app, two, "ada@example.com")
        assert await waiting[0] == {MAIN: "cancelled by ada@example.com"}
        await world.until(lambda: f"Next in the queue, after build {one.id[:8]}" in third.said)
        builder(succeeding(world))
        await world.operations.builds.cancel(app, one, "ada@example.com")
        assert await running == {MAIN: "cancelled by ada@example.com"}
        assert await waiting[1] == {MAIN: None}
        assert "Cancelled by ada@example.com; what ran before runs on." in first.said
        assert "Cancelled by ada@example.com" in second.said
        assert first.head() and await pending(world, app, 0) == []

    run(story)


def test_cancelling_a_waiting_build_leaves_the_release_of_the_running_one(
    run: Run, builder: Install
) -> None:
    """A waiting build's end must not be taken for that of what is pending meanwhile."""

    async def story(world: World) -> None:
        builder(succeeding(world))
        app = await world.app()
        first, second = Client(world, app), Client(world, app)
        world.node.behaviour = lambda machine: "runs"
        running = asyncio.create_task(first.push((MAIN, first.commit("one"))))

        async def launching() -> bool:
            return [item.status for item in await first.releases()] == [ReleaseStatus.PENDING]

        await world.until(launching)
        waiting = asyncio.create_task(second.push((MAIN, second.commit("two"))))
        _, two = await pending(world, app, 2)
        await world.operations.builds.cancel(app, two, "me")
        assert await waiting == {MAIN: "cancelled by me"}
        assert await launching()
        first.cancelled.set()
        assert await running == {MAIN: "cancelled"}
        await first.nothing_open()
        assert world.node.running() == []

    run(story)


def test_a_cancelled_build_that_nobody_watches_leaves_nothing(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        begun = asyncio.Event()
        builder(hanging(begun))
        client = Client(world, await world.app())
        commit = client.commit("one")
        first = await world.operations.builds.start(client.app, commit, "me")
        second = await world.operations.builds.start(client.app, commit, "me")
        await begun.wait()
        for build in (second, first):
            ended = await world.operations.builds.cancel(client.app, build, "ada")
            assert (ended.status, ended.failure) == (BuildStatus.FAILED, "cancelled by ada")
            lines = [line async for line in world.operations.builds.output(build)]
            assert " !     Cancelled by ada; what ran before runs on." in lines
        await world.until(lambda: not world.platform.deploying.apps)
        assert not world.platform.locks[client.app.id].locked()
        await client.nothing_open()

    run(story)


def test_what_has_ended_is_not_cancelled(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        assert await client.push((MAIN, client.commit("one"))) == {MAIN: None}
        (build,) = await client.builds()
        with pytest.raises(UserError, match="has succeeded; only one that runs") as caught:
            await world.operations.builds.cancel(client.app, build, "me")
        assert caught.value.hint == "To go back: paas rollback"
        lost = await world.platform.database.run(
            builds.insert, app_id=client.app.id, commit="1" * 40, user="me"
        )
        with pytest.raises(UserError, match="begins or ends just now"):
            await world.operations.builds.cancel(client.app, lost, "me")

    run(story)


def test_ctrl_c_of_a_waiting_push_ends_its_build_alone(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        begun = asyncio.Event()
        builder(hanging(begun))
        app = await world.app()
        first, second = Client(world, app), Client(world, app)
        running = asyncio.create_task(first.push((MAIN, first.commit("one"))))
        await begun.wait()
        waiting = asyncio.create_task(second.push((MAIN, second.commit("two"))))
        one, two = await pending(world, app, 2)
        second.cancelled.set()
        assert await waiting == {MAIN: "cancelled"}
        assert await status(world, two) == (BuildStatus.FAILED, "cancelled")
        assert (await status(world, one))[0] is BuildStatus.PENDING
        first.cancelled.set()
        await running

    run(story)


def test_a_newer_push_takes_the_place_of_waiting_ones_where_the_app_is_set_so(
    run: Run, builder: Install
) -> None:
    async def story(world: World) -> None:
        goes_on, begun = asyncio.Event(), asyncio.Event()

        async def build(work: Work) -> Built:
            begun.set()
            await goes_on.wait()
            return built(world, work.commit)

        builder(build)
        app = await world.app()
        app = await world.operations.apps.set_supersede(app, True, "me")
        clients = [Client(world, app) for _ in range(3)]
        commits = [client.commit(str(number)) for number, client in enumerate(clients)]
        await world.operations.builds.start(app, commits[0], "me")
        await begun.wait()
        second = asyncio.create_task(clients[1].push((MAIN, commits[1])))
        await pending(world, app, 2)
        third = asyncio.create_task(clients[2].push((MAIN, commits[2])))
        answer = (await second)[MAIN]
        (_, newest) = await pending(world, app, 2)
        assert answer == f"superseded by build {newest.id[:8]}"
        assert f"Superseded by build {newest.id[:8]}; what ran" in clients[1].said
        goes_on.set()
        assert await third == {MAIN: None}
        assert [item.commit for item in await clients[0].releases()] == [commits[2], commits[0]]

    run(story)


def test_a_build_that_waits_for_an_app_that_is_destroyed_ends(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        begun = asyncio.Event()
        builder(hanging(begun))
        app = await world.app()
        first, second = Client(world, app), Client(world, app)
        pushes = [asyncio.create_task(first.push((MAIN, first.commit("one"))))]
        await begun.wait()
        pushes.append(asyncio.create_task(second.push((MAIN, second.commit("two")))))
        await pending(world, app, 2)
        await world.operations.apps.destroy(app)
        answers = [answer[MAIN] for answer in await asyncio.gather(*pushes)]
        assert answers == ["the app was destroyed meanwhile"] * 2
        assert await world.platform.database.run(apps.all) == []

    run(story)


def test_ctrl_c_while_the_branch_is_looked_at_ends_the_build(
    run: Run, builder: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between a build's turn and its first step, while a thread reads the ref."""

    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        commit, path = client.commit("one"), client.path
        reading, goes_on = threading.Event(), threading.Event()

        def slow(*_: object) -> str | None:
            reading.set()
            assert goes_on.wait(30)
            return None

        monkeypatch.setattr(push.trees, "resolve", slow)
        # The client's own look at its branch is no part of the push.
        client.head = lambda ref=MAIN: None  # type: ignore[method-assign]
        pushing = asyncio.create_task(client.push((MAIN, commit)))
        await world.until(reading.is_set)
        client.cancelled.set()
        assert await pushing == {MAIN: "cancelled"}
        goes_on.set()
        await client.nothing_open()
        assert [build.failure for build in await client.builds()] == ["cancelled"]
        assert not world.platform.locks[client.app.id].locked() and path.exists()

    run(story)


def test_a_branch_that_can_not_be_read_ends_the_build(
    run: Run, builder: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        commit = client.commit("one")

        def broken(*_: object) -> str | None:
            raise OSError("the disk failed")

        monkeypatch.setattr(push.trees, "resolve", broken)
        client.head = lambda ref=MAIN: None  # type: ignore[method-assign]
        assert await client.push((MAIN, commit)) == {MAIN: "the platform failed"}
        await client.nothing_open()

    run(story)
