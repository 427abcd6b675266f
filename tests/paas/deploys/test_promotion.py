"""An image goes live in other apps of its pipeline, or says why not, also after a crash."""

import pytest

from paas.apps.account import OWNER
from paas.apps.apps import App
from paas.apps.pipelines import Stage
from paas.apps.promotions import Target, TargetStatus, status
from paas.apps.releases import Release, ReleaseStatus
from paas.cli import index, parsing
from paas.control import housekeeping
from paas.deploys import cut_off
from paas.errors import UserError
from paas.operations import apps as app_operations
from paas.operations.pipelines import _record
from paas.platform.timeline import Timeline
from paas.provisioner.switch import go_live
from paas.store import pipelines, promotions, releases
from tests.paas.provisioner.world import Run, World


async def pipeline(world: World, *names: str) -> tuple[App, list[App]]:
    """The source, deployed and in staging, and targets in production, deployed unless new."""
    operations = world.operations.pipelines
    made = await operations.create("shop", "me")
    source = await world.deployed("web", name="hello-staging")
    await operations.couple(made, source, Stage.STAGING)
    targets = []
    for name in names:
        app = await (world.app(name) if "new" in name else world.deployed("web", name=name))
        await operations.couple(made, app, Stage.PRODUCTION)
        targets.append(app)
    return source, targets


async def ended(world: World, promotion_id: str) -> dict[str, Target]:
    """By app, once none is pending."""
    found: list[Target] = []

    async def over() -> bool:
        found[:] = await world.platform.database.run(promotions.targets_of, promotion_id)
        return status(found) == "completed"

    await world.until(over)
    await world.until(lambda: not world.platform.deploying.apps)
    return {target.app_id: target for target in found}


async def current(world: World, app: App) -> Release:
    found = await world.current(app)
    assert found is not None
    return found


def test_the_same_image_goes_live_with_each_targets_own_config(run: Run) -> None:
    async def story(world: World) -> None:
        source, (one, new) = await pipeline(world, "hello", "hello-new")
        await world.operations.releases.change_config(source, {"KEY": "staging"}, "me")
        for app in (one, new):
            await world.operations.releases.change_config(app, {"KEY": app.name}, "me")
        promotion = await world.operations.pipelines.promote(source, [one, new], "ada")
        targets = await ended(world, promotion.id)
        image = (await current(world, source)).image_uuid
        for app in (one, new):
            release = await current(world, app)
            assert targets[app.id].status is TargetStatus.SUCCEEDED
            assert targets[app.id].release_id == release.id
            assert (release.image_uuid, release.config) == (image, {"KEY": app.name})
            assert (release.user, release.commit) == ("ada", "1" * 40)
            assert release.description == "Promote hello-staging v2 11111111"
            (machine,) = [
                item for item in world.node.machines.values()
                if item["tags"]["smartplatform:app"] == app.id
                and item["tags"]["smartplatform:release"] == release.version
            ]  # fmt: skip
            assert f"KEY={app.name}" in machine["internal_metadata"]["docker:env"]
        back = await world.operations.releases.rollback(one, 1, "me")
        assert back.image_uuid != image

    run(story)


def test_a_release_command_that_fails_names_the_command_that_shows_its_output(run: Run) -> None:
    async def story(world: World) -> None:
        source, (target,) = await pipeline(world, "hello")
        await go_live(
            world.platform, source, await world.release(source, "web", "release"), Timeline()
        )
        world.node.behaviour = lambda machine: (
            "exits"
            if machine["tags"]["smartplatform:instance"].startswith("release")
            else "listens"
        )
        promotion = await world.operations.pipelines.promote(source, [target], "me")
        found = (await ended(world, promotion.id))[target.id]
        assert found.error is not None
        typed = found.error.partition("Its output: paas ")[2]
        name, words = index.find(typed.split())
        parsed = parsing.parse(name, index.load(name).spec, words)
        assert parsed.options == {"app": "hello", "dyno-name": "release.2"}
        assert (await current(world, target)).version == 1

    run(story)


def test_a_target_that_fails_keeps_its_release_and_leaves_the_others(run: Run) -> None:
    async def story(world: World) -> None:
        source, (good, bad) = await pipeline(world, "hello", "hello-bad")
        before = await current(world, bad)
        world.node.behaviour = lambda machine: (
            "exits" if machine["tags"]["smartplatform:app"] == bad.id else "listens"
        )
        promotion = await world.operations.pipelines.promote(source, [good, bad], "me")
        targets = await ended(world, promotion.id)
        assert targets[good.id].status is TargetStatus.SUCCEEDED
        assert targets[bad.id].status is TargetStatus.FAILED and targets[bad.id].error
        assert await current(world, bad) == before
        failed = await world.platform.database.run(releases.by_version, bad.id, 2)
        assert failed is not None and failed.status is ReleaseStatus.FAILED

    run(story)


@pytest.mark.parametrize(
    ("source", "targets", "message"),
    [
        ("hello-staging", [], "no app to promote to"),
        ("hello-staging", ["hello-staging"], "to itself"),
        ("hello-staging", ["hello", "hello"], "named twice"),
        ("hello-staging", ["alone"], "not in the pipeline"),
        ("alone", ["hello"], "in no pipeline"),
        ("hello-new", ["hello"], "no release with an image"),
    ],
)
def test_what_can_not_be_promoted_is_refused_before_anything(
    run: Run, source: str, targets: list[str], message: str
) -> None:
    async def story(world: World) -> None:
        first, others = await pipeline(world, "hello", "hello-new")
        known = {app.name: app for app in (first, *others, await world.app("alone"))}
        with pytest.raises(UserError, match=message):
            await world.operations.pipelines.promote(
                known[source], [known[name] for name in targets], "me"
            )
        assert await world.platform.database.run(promotions.unfinished) == []

    run(story)


def test_an_image_that_is_gone_is_told_before_anything_starts(run: Run) -> None:
    async def story(world: World) -> None:
        source, (target,) = await pipeline(world, "hello")
        before = await current(world, target)
        image = (await current(world, source)).image_uuid
        assert image is not None
        del world.node.images[image]
        promotion = await world.operations.pipelines.promote(source, [target], "me")
        found = (await ended(world, promotion.id))[target.id]
        assert found.error is not None and "was deleted" in found.error
        assert await current(world, target) == before

    run(story)


@pytest.mark.parametrize("step", ["recorded", "pending", "switched"])
def test_a_promotion_that_was_cut_off_is_whole_or_undone_at_the_next_start(
    run: Run, step: str
) -> None:
    """Control was killed after it had recorded that."""

    async def story(world: World) -> None:
        source, (app,) = await pipeline(world, "hello")
        database = world.platform.database
        promotion = await database.run(_record, source, [app], "me")
        (target,) = await database.run(promotions.unfinished)
        image = (await current(world, source)).image_uuid
        assert await database.run(promotions.images) == {image}
        if step != "recorded":
            release = await world.release(app, image=image)
            await database.run(promotions.begin, target.id, release.id)
        if step == "switched":
            await database.run(releases.set_status, release.id, ReleaseStatus.SUCCEEDED)
        await cut_off.fail_unfinished(world.platform)
        found = (await ended(world, promotion.id))[app.id]
        if step == "switched":
            assert found.status is TargetStatus.SUCCEEDED
        else:
            assert found.status is TargetStatus.FAILED
            assert found.error == "the platform stopped during the promotion"
        assert (await current(world, app)).version == (2 if step == "switched" else 1)
        assert await database.run(releases.pending) == []

    run(story)


def test_a_promoted_image_outlives_the_app_that_it_was_built_for(run: Run) -> None:
    async def story(world: World) -> None:
        source, (target,) = await pipeline(world, "hello")
        image = (await current(world, source)).image_uuid
        assert image is not None
        world.node.images[image]["tags"] = {"smartplatform:app": source.id}
        promotion = await world.operations.pipelines.promote(source, [target], "me")
        await ended(world, promotion.id)
        await app_operations._destroy(world.platform, source)
        await world.until(lambda: ("delete_image", image) in world.node.asked or not [
            task for task in world.platform.background._tasks if "clear" in task.get_name()
        ])  # fmt: skip
        assert image in world.node.images
        assert image in await world.platform.database.run(housekeeping._claimed)

    run(story)


def test_who_is_in_a_pipeline_is_there_once_and_leaves_with_its_app(run: Run) -> None:
    async def story(world: World) -> None:
        source, (target,) = await pipeline(world, "hello")
        operations, database = world.operations.pipelines, world.platform.database
        other = await operations.create("other", "me")
        with pytest.raises(UserError, match="in a pipeline already"):
            await operations.couple(other, target, Stage.STAGING)
        with pytest.raises(UserError, match="of yours already"):
            await operations.rename(other, "shop")
        (difference,) = await operations.differences(source)
        assert (difference.app.id, difference.comparison) == (target.id, None)
        with pytest.raises(UserError, match="no app is in one after it"):
            await operations.differences(target)
        await world.operations.apps.destroy(target)
        shop = await database.run(pipelines.seen, OWNER, "shop")
        assert [each.app_id for each in await database.run(pipelines.couplings_of, shop.id)] == [
            source.id
        ]
        await operations.destroy(shop)
        assert await database.run(pipelines.couplings_of) == []

    run(story)
