"""Repositories keep what is needed, and go with their app."""

import pytest

from gitserver import collecting
from paas.control import gitaccess, repositories
from paas.deploys import deploy
from tests.paas.deploys.pushing import MAIN, Client, succeeding
from tests.paas.provisioner.world import Run, World


def test_garbage_collection_keeps_what_builds_and_releases_need(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "is_due", lambda path: True)

    async def story(world: World) -> None:
        monkeypatch.setattr(deploy, "build_image", succeeding(world))
        client = Client(world, await world.app())
        live, failed, refused = (client.commit(text) for text in ("live", "failed", "refused"))
        assert await client.push((MAIN, live)) == {MAIN: None}
        world.node.behaviour = lambda machine: "exits"
        assert await client.push((MAIN, failed)) == {MAIN: "deploy failed"}
        git_server = gitaccess.application(world.platform)
        async with world.platform.locks[client.app.id]:
            assert not await repositories.collect_of(world.platform, git_server, client.app)
        assert client.head(refused) == refused
        assert await repositories.collect_of(world.platform, git_server, client.app)
        # The next build starts from the trunk, which is of the commit that did not start.
        assert client.head(refused) is None
        assert (client.head(), client.head(failed)) == (live, failed)

    run(story)


def test_a_repository_without_an_app_goes_at_the_next_start(run: Run) -> None:
    """Control was killed between the two steps of creating, or of destroying."""

    async def story(world: World) -> None:
        app = await world.operations.apps.create("hello", "me")
        folder = world.platform.settings.repositories
        (folder / "6f1a2b3c-0000-4000-8000-00000000000a.git").mkdir()
        (folder / ".6f1a2b3c-0000-4000-8000-00000000000b.git.deleted").mkdir()
        await repositories.delete_unclaimed(world.platform)
        assert sorted(folder.glob("*")) == [world.platform.settings.repository(app.id)]

    run(story)
