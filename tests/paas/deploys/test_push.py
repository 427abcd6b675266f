"""The way of a push, with a builder that only hands an image over: what is kept of each failure."""

import asyncio
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import gitserver
from buildpacks.findings import Failure
from gitserver import collecting, trees
from paas import logs
from paas.apps.app import App
from paas.apps.build import Build, BuildStatus
from paas.apps.release import Release, ReleaseStatus
from paas.builder import BuildFailed, Built, Work
from paas.control import gitaccess, housekeeping
from paas.deploys import deploy, push, slow_start
from paas.deploys.outcome import DESTROYED
from paas.node.errors import NodeError
from paas.store import apps, builds, outputs, promises, releases, trunks
from paas.store.sql.row import new_id
from tests.paas.provisioner.world import Run, World

MAIN = "refs/heads/main"
Builder = Callable[..., Awaitable[Built]]


class Client:
    """A developer's end of a push."""

    def __init__(self, world: World, app: App) -> None:
        self.world, self.app = world, app
        self.path = world.platform.settings.repository(app.id)
        self.said = ""
        self.cancelled = asyncio.Event()

    def commit(self, text: str) -> str:
        git = ["git", "-C", str(self.path), "-c", "user.name=a", "-c", "user.email=a@b"]
        tree = subprocess.run(
            [*git, "mktree"], input=b"", capture_output=True, check=True, timeout=20
        ).stdout.strip()
        made = subprocess.run(
            [*git, "commit-tree", tree.decode(), "-m", text],
            capture_output=True, check=True, timeout=20,
        )  # fmt: skip
        return made.stdout.decode().strip()

    def head(self, ref: str = MAIN) -> str | None:
        return trees.resolve(self.path, ref)

    async def push(
        self,
        *updates: tuple[str, str | None],
        atomic: bool = False,
        options: tuple[str, ...] = (),
    ) -> Any:
        async def progress(text: str) -> None:
            self.said += text

        asked = tuple(gitserver.RefUpdate(ref, self.head(ref), new) for ref, new in updates)
        path = self.path
        incoming = gitserver.Push(
            self.app.name, path, "me", asked, options, progress, self.cancelled, atomic=atomic
        )
        return dict(await push.receive(self.world.platform, incoming))

    async def builds(self) -> list[Build]:
        return await self.world.platform.database.run(builds.all, self.app.id)

    async def releases(self) -> list[Release]:
        return await self.world.platform.database.run(releases.all, self.app.id)

    async def nothing_open(self) -> None:
        assert BuildStatus.PENDING not in [item.status for item in await self.builds()]
        assert ReleaseStatus.PENDING not in [item.status for item in await self.releases()]


def built(world: World, commit: str, **changes: Any) -> Built:
    image = new_id()
    world.node.images[image] = {"uuid": image, "tags": {}}
    values: dict[str, Any] = {
        "image_uuid": image,
        "trunk_uuid": new_id(),
        "lock_key": "key",
        "commit": commit,
        "processes": {"web": "node server.js"},
        "commands": {"web": {"argv": ["node", "server.js"], "environment": {}}},
        "runtime_uuid": new_id(),
        "runtime_version": "24.0.0",
        "stack_uuid": new_id(),
        "environment": {},
    }
    return Built(**(values | changes))


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Callable[[Builder], None]:
    return lambda function: monkeypatch.setattr(deploy, "build_image", function)


Install = Callable[[Builder], None]


def succeeding(world: World, **changes: Any) -> Builder:
    async def build(work: Work) -> Built:
        await work.write("-----> Building\n")
        await work.keep(new_id(), work.commit, "key")
        return built(world, work.commit, **changes)

    return build


def raising(error: BaseException) -> Builder:
    async def build(_work: Work) -> Built:
        raise error

    return build


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


def test_a_push_and_a_rebuild_can_ask_for_a_build_from_nothing(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        asked: list[bool] = []

        async def build(work: Work) -> Built:
            asked.append(work.from_nothing)
            return built(world, work.commit)

        builder(build)
        client = Client(world, await world.app())
        for options in ((), ("no-cache",)):
            commit = client.commit(f"with {options}")
            assert await client.push((MAIN, commit), options=options) == {MAIN: None}
        await world.operations.builds.start(client.app, commit, "me", from_nothing=True)
        await world.until(lambda: not world.platform.deploying.apps)
        assert asked == [False, True, True]

    run(story)


def test_a_push_option_that_is_not_known_is_refused_by_name(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        answer = await client.push((MAIN, client.commit("one")), options=("no-cache", "fast"))
        assert answer == {MAIN: "no push option 'fast'"}
        assert "git push -o no-cache" in client.said and "git push -o skip" in client.said
        assert await client.builds() == []

    run(story)


@pytest.mark.parametrize("option", ["skip", "ci.skip"])
def test_a_push_that_asks_for_it_is_stored_and_deployed_later(
    run: Run, builder: Install, option: str
) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        first, second = client.commit("one"), client.commit("two")
        assert await client.push((MAIN, first), options=(option,)) == {MAIN: None}
        assert client.head() == first and await client.builds() == []
        assert "nothing is deployed" in client.said
        assert "To deploy it: paas builds:create\n" in client.said
        master = "refs/heads/master"
        assert await client.push((master, second), options=(option,)) == {master: None}
        assert f"paas builds:create --version {second}\n" in client.said
        await world.operations.builds.start(client.app, None, "me")
        await world.until(lambda: not world.platform.deploying.apps)
        assert [release.commit for release in await client.releases()] == [first]

    run(story)


def test_a_push_that_is_only_stored_waits_for_the_deploy_that_moves_the_same_branch(
    run: Run, builder: Install
) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        first, second = client.commit("one"), client.commit("two")
        async with world.platform.locks[client.app.id]:
            stored = asyncio.create_task(client.push((MAIN, second), options=("skip",)))
            await world.until(lambda: "Waiting for the deploy" in client.said)
            trees.set_ref(client.path, MAIN, first)
        answer = (await stored)[MAIN]
        assert answer is not None and "pushed to meanwhile" in answer
        assert client.head() == first

    run(story)


def test_push_options_of_other_servers_are_named_without_their_values(
    run: Run, builder: Install
) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        options = ("ci.variable=TOKEN=secret", "merge_request.create")
        assert await client.push((MAIN, client.commit("one")), options=options) == {MAIN: None}
        assert "do nothing here: ci.variable, merge_request.create" in client.said
        assert "secret" not in client.said
        assert len(await client.builds()) == 1

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


def hanging(begun: asyncio.Event) -> Builder:
    async def build(_work: Work) -> Built:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    return build


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
        await world.until(lambda: "Waiting for the deploy" in second.said)
        await world.operations.apps.destroy(app)
        assert await building == await waiting == {MAIN: DESTROYED}
        assert "Cancelled: the app was destroyed meanwhile." in first.said
        assert await world.platform.database.run(apps.by_id, app.id) is None
        await world.until(lambda: not world.platform.deploying.apps)
        assert await first.push((MAIN, commits[0])) == {MAIN: DESTROYED}

    run(story)


def test_destroying_the_app_cancels_a_build_that_nobody_watches(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        commit = client.commit("one")
        assert await client.push((MAIN, commit)) == {MAIN: None}
        begun = asyncio.Event()
        builder(hanging(begun))
        await world.operations.builds.start(client.app, commit, "me")
        await begun.wait()
        await world.operations.apps.destroy(client.app)
        assert await world.platform.database.run(apps.all) == []
        await world.until(lambda: not world.platform.deploying.apps and not world.node.machines)

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


def test_garbage_collection_keeps_what_builds_and_releases_need(
    run: Run, builder: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "is_due", lambda path: True)

    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        live, failed, refused = (client.commit(text) for text in ("live", "failed", "refused"))
        assert await client.push((MAIN, live)) == {MAIN: None}
        world.node.behaviour = lambda machine: "exits"
        assert await client.push((MAIN, failed)) == {MAIN: "deploy failed"}
        git_server = gitaccess.application(world.platform)
        async with world.platform.locks[client.app.id]:
            assert not await housekeeping.collect_of(world.platform, git_server, client.app)
        assert client.head(refused) == refused
        assert await housekeeping.collect_of(world.platform, git_server, client.app)
        # The next build starts from the trunk, which is of the commit that did not start.
        assert client.head(refused) is None
        assert (client.head(), client.head(failed)) == (live, failed)

    run(story)


def test_two_pushes_at_once_come_one_after_the_other(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        app = await world.app()
        first, second = Client(world, app), Client(world, app)
        commits = first.commit("one"), second.commit("two")
        answers = await asyncio.gather(
            first.push((MAIN, commits[0])), second.push((MAIN, commits[1]))
        )
        assert sorted(str(answer[MAIN]) for answer in answers) == [
            "None",
            "the branch was pushed to meanwhile; fetch it and push again",
        ]
        assert len(await first.releases()) == 1

    run(story)


def test_one_commit_on_main_and_master_is_deployed_once(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        commit = client.commit("one")
        answers = await client.push((MAIN, commit), ("refs/heads/master", commit))
        assert answers[MAIN] is None
        assert "one of" in str(answers["refs/heads/master"])
        assert len(await client.builds()) == 1

    run(story)


def test_a_push_to_an_app_that_is_being_destroyed_is_refused_at_once(
    run: Run, builder: Install
) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        commit = client.commit("one")
        lock = world.platform.locks[client.app.id]
        await lock.acquire()
        destroying = asyncio.create_task(world.operations.apps.destroy(client.app))
        await world.until(lambda: world.platform.deploying.is_stopped(client.app.id))
        assert await client.push((MAIN, commit)) == {MAIN: DESTROYED}
        lock.release()
        await destroying
        assert await client.push((MAIN, commit)) == {MAIN: DESTROYED}
        assert await client.builds() == []

    run(story)


def test_other_branches_are_stored_and_main_is_never_deleted(run: Run) -> None:
    async def story(world: World) -> None:
        client = Client(world, await world.app())
        commit = client.commit("one")
        assert await client.push(("refs/heads/topic", commit)) == {"refs/heads/topic": None}
        assert await client.push(("refs/tags/v1", commit)) == {"refs/tags/v1": None}
        assert "Stored topic, nothing" in client.said
        assert "Stored tag v1, nothing" in client.said
        client.said = ""
        assert await client.push(("refs/heads/topic", None)) == {"refs/heads/topic": None}
        assert client.said == "-----> Deleted topic\n"
        assert (await client.push((MAIN, None)))[MAIN] is not None

    run(story)


def test_a_router_that_is_away_is_said(run: Run, builder: Install, folder: Path) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        assert await client.push((MAIN, client.commit("one"))) == {MAIN: None}
        assert deploy.ROUTER_AWAY in client.said

    run(story, router=folder / "none")


def test_a_rebuild_needs_no_client_and_leaves_a_transcript(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        commit = client.commit("one")
        trees.set_ref(client.path, MAIN, commit)
        build = await world.operations.builds.start(client.app, None, "me")
        lines = [line async for line in _output(world, build)]
        assert any("Released v1" in line for line in lines)
        assert world.node.running() == ["web.1"]

    run(story)


def _output(world: World, build: Build) -> Any:
    return world.operations.builds.output(build)


@pytest.mark.parametrize(
    ("refs", "reason"),
    [
        ([MAIN, "refs/heads/master"], "at a time"),
        ([MAIN, "refs/heads/old", "refs/heads/master"], "at a time"),
    ],
)
def test_an_atomic_push_of_which_a_part_is_refused_deploys_nothing(
    run: Run, builder: Install, refs: list[str], reason: str
) -> None:
    async def story(world: World) -> None:
        builder(raising(AssertionError("it was built")))
        client = Client(world, await world.app())
        commit = client.commit("one")
        answers = await client.push(*((ref, commit) for ref in refs), atomic=True)
        assert answers.pop("refs/heads/master").endswith(reason)
        assert set(answers.values()) == {"atomic push failed"}
        assert await client.builds() == [] and client.head() is None

    run(story)


def test_an_atomic_push_that_deletes_the_deployed_branch_deploys_nothing(
    run: Run, builder: Install
) -> None:
    async def story(world: World) -> None:
        builder(raising(AssertionError("it was built")))
        client = Client(world, await world.app())
        commit = client.commit("one")
        trees.set_ref(client.path, "refs/heads/master", commit)
        answers = await client.push((MAIN, commit), ("refs/heads/master", None), atomic=True)
        assert answers[MAIN] == "atomic push failed"
        assert "can't be deleted" in answers["refs/heads/master"]
        assert await client.builds() == [] and client.head() is None

    run(story)


def test_an_atomic_push_without_a_refusal_is_deployed(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        commit = client.commit("one")
        beside = "refs/heads/beside"
        answers = await client.push((MAIN, commit), (beside, commit), atomic=True)
        assert answers == {MAIN: None, beside: None}
        assert client.head() == commit

    run(story)


def test_of_many_tags_only_some_are_named(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        client = Client(world, await world.app())
        commit = client.commit("one")
        await client.push(*((f"refs/tags/v{number}", commit) for number in range(1210)))
        assert "tag v9 and 1,200 more, nothing is deployed" in client.said
        assert "tag v10" not in client.said

    run(story)
