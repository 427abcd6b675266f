"""Config changes and rollbacks: live, or refused before anything has changed."""

import pytest

from paas.apps.releases import ReleaseStatus
from paas.errors import UserError
from paas.provisioner.boot import StartFailed
from paas.store import releases
from tests.paas.provisioner.world import Run, World


def test_a_config_change_is_a_release_of_the_same_image(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        before = await world.current(app)
        release = await world.operations.releases.change_config(app, {"GREETING": "hi"}, "me")
        assert before is not None and release.image_uuid == before.image_uuid
        assert release.status is ReleaseStatus.SUCCEEDED
        (machine,) = [
            item
            for item in world.node.machines.values()
            if item["tags"]["smartplatform:release"] == release.version
        ]
        assert "GREETING=hi" in machine["internal_metadata"]["docker:env"]

    run(story)


def test_a_change_that_changes_nothing_makes_no_release(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        release = await world.operations.releases.change_config(app, {"A": "1"}, "me")
        made = [item for item in world.node.asked if item[0] == "create"]
        same: list[dict[str, str | None]] = [{"A": "1"}, {"NOPE": None}, {"A": "1", "NOPE": None}]
        for changes in same:
            again = await world.operations.releases.change_config(app, changes, "me")
            assert again.version == release.version
        assert [item for item in world.node.asked if item[0] == "create"] == made

    run(story)


def test_without_an_image_config_only_waits_for_the_first_push(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.app()
        release = await world.operations.releases.change_config(app, {"A": "1"}, "me")
        assert release.status is ReleaseStatus.SUCCEEDED
        assert world.node.machines == {}

    run(story)


def test_a_config_with_which_the_app_does_not_start_is_not_kept(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        before = await world.current(app)
        world.node.behaviour = lambda machine: "exits"
        with pytest.raises(StartFailed):
            await world.operations.releases.change_config(app, {"A": "1"}, "me")
        assert await world.current(app) == before

    run(story)


def test_a_rollback_runs_the_old_image_again(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        first = await world.current(app)
        await world.operations.releases.change_config(app, {"A": "1"}, "me")
        release = await world.operations.releases.rollback(app, 1, "me")
        assert first is not None
        assert (release.version, release.image_uuid) == (3, first.image_uuid)
        assert release.config == {}

    run(story)


def test_a_rollback_to_an_image_that_is_deleted_is_refused_before_anything(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        first = await world.current(app)
        await world.operations.releases.change_config(app, {"A": "1"}, "me")
        assert first is not None and first.image_uuid is not None
        del world.node.images[first.image_uuid]
        asked = [item for item in world.node.asked if item[0] == "create"]
        with pytest.raises(UserError, match="The image of v1 was deleted") as caught:
            await world.operations.releases.rollback(app, 1, "me")
        assert "git push --force paas 111111111111:main" in caught.value.hint
        assert [item for item in world.node.asked if item[0] == "create"] == asked
        found = await world.platform.database.run(releases.all, app.id)
        assert [item.version for item in found] == [2, 1]

    run(story)


def test_more_for_builds_than_the_operator_allows_is_refused_and_makes_no_release(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.app()
        with pytest.raises(UserError, match="BUILD_MEMORY_MIB is a whole number of MiB"):
            changes = {"A": "1", "BUILD_MEMORY_MIB": "3001"}
            await world.operations.releases.change_config(app, changes, "me")
        assert await world.platform.database.run(releases.current, app.id) is None
        release = await world.operations.releases.change_config(
            app, {"BUILD_MEMORY_MIB": "3000"}, "me"
        )
        assert release.config == {"BUILD_MEMORY_MIB": "3000"}

    run(story, build_memory_max_mib=3000)
