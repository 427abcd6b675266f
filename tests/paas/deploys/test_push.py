"""Which refs a push changes, and what it deploys."""

import asyncio

import pytest

from gitserver import trees
from paas.deploys.outcome import DESTROYED
from tests.paas.deploys.pushing import MAIN, Client, Install, raising, succeeding
from tests.paas.provisioner.world import Run, World


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
            await world.until(lambda: "Waiting for what is being done" in client.said)
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


def test_a_detached_push_returns_at_once_and_is_built_all_the_same(
    run: Run, builder: Install
) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        first = client.commit("one")
        async with world.platform.locks[client.app.id]:
            assert await client.push((MAIN, first), options=("detach",)) == {MAIN: None}
            assert client.head() == first
        (build,) = await client.builds()
        assert f"paas builds:output {build.id[:8]}\n" in client.said
        await world.until(lambda: not world.platform.deploying.apps)
        assert [release.commit for release in await client.releases()] == [first]
        assert client.head() == first
        await client.nothing_open()

    run(story)


def test_of_a_detached_push_after_one_that_is_under_way_the_branch_is_the_last(
    run: Run, builder: Install
) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        first, second = client.commit("one"), client.commit("two")
        async with world.platform.locks[client.app.id]:
            waiting = asyncio.create_task(client.push((MAIN, first)))
            await world.until(lambda: "Waiting for what is being done" in client.said)
            assert await client.push((MAIN, second), options=("detach",)) == {MAIN: None}
        answer = (await waiting)[MAIN]
        assert answer is not None and "pushed to meanwhile" in answer
        await world.until(lambda: not world.platform.deploying.apps)
        assert client.head() == second
        assert [release.commit for release in await client.releases()] == [second]

    run(story)


def test_a_detached_push_of_a_branch_that_has_moved_is_refused(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        first, second = client.commit("one"), client.commit("two")
        asked = client.push((MAIN, second), options=("detach",))
        trees.set_ref(client.path, MAIN, first)
        # The client saw no branch: what it asks was built from that.
        client.head = lambda ref=MAIN: None  # type: ignore[method-assign]
        assert "changed meanwhile" in str((await asked)[MAIN])
        assert trees.resolve(client.path, MAIN) == first
        assert await client.builds() == []

    run(story)


def test_the_branch_that_was_set_is_deployed_and_main_is_stored(run: Run, builder: Install) -> None:
    async def story(world: World) -> None:
        builder(succeeding(world))
        client = Client(world, await world.app())
        await world.operations.apps.set_deploy_branch(client.app, "release", "me")
        release = "refs/heads/release"
        first, second = client.commit("one"), client.commit("two")
        assert await client.push((MAIN, first)) == {MAIN: None}
        assert "Stored main, nothing is deployed" in client.said
        assert f"Only release is deployed: git push paas HEAD:{release}" in client.said
        assert f"paas apps:set --branch main -a {client.app.name}" in client.said
        assert await client.push((release, second)) == {release: None}
        assert [item.commit for item in await client.releases()] == [second]
        assert await client.push((release, None)) == {
            release: "the deployed branch can't be deleted"
        }
        assert (client.path / "HEAD").read_text() == f"ref: {release}\n"
        await world.operations.apps.set_deploy_branch(client.app, "", "me")
        assert (client.path / "HEAD").read_text() == f"ref: {MAIN}\n"

    run(story)
