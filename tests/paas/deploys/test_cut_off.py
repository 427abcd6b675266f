"""What the next control makes of deploys that were cut off."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from gitserver import trees
from paas.apps.builds import BuildStatus
from paas.apps.releases import ReleaseStatus
from paas.deploys import cut_off
from paas.provisioner import boot
from paas.provisioner.plan import Wanted
from paas.store import builds, instances, promises, releases
from tests.paas.provisioner.world import Run, World

MAIN = "refs/heads/main"


def first_commit(path: Path) -> str:
    git = ["git", "-C", str(path), "-c", "user.name=a", "-c", "user.email=a@b"]
    limits: dict[str, Any] = {"capture_output": True, "check": True, "timeout": 20}
    tree = subprocess.run([*git, "mktree"], input=b"", **limits).stdout.strip()
    made = subprocess.run([*git, "commit-tree", tree.decode(), "-m", "one"], **limits)
    return made.stdout.decode().strip()


def test_a_deploy_that_was_cut_off_is_undone_at_the_next_start(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.deployed("web")
        (before,) = world.node.machines
        database = world.platform.database
        build = await database.run(builds.insert, app_id=app.id, commit="2" * 40, user="me")
        release = await world.release(app)
        start = boot.new(app, release, Wanted("web", 1, "standard-512m"), "a.localhost")
        await boot.record(world.platform, [start.instance])
        await cut_off.fail_unfinished(world.platform)
        ended = await database.run(releases.by_id, release.id)
        assert ended.status is ReleaseStatus.FAILED
        assert (await database.run(builds.by_id, build.id)).status is BuildStatus.FAILED
        rows = await database.run(instances.for_app, app.id)
        assert [item.machine_uuid for item in rows] == [before]

    run(story)


@pytest.mark.parametrize("end", [ReleaseStatus.SUCCEEDED, ReleaseStatus.FAILED])
def test_the_next_start_keeps_the_promise_of_a_release_that_succeeded(
    run: Run, folder: Path, end: ReleaseStatus
) -> None:
    """Killed between the switch and the ref."""

    async def story(world: World) -> None:
        app = await world.app()
        path = world.platform.settings.repository(app.id)
        commit = first_commit(path)
        release = await world.release(app)
        database = world.platform.database
        promise = promises.Promise(app.id, release.id, MAIN, commit)
        await database.run(promises.set, promise)
        await database.run(releases.set_status, release.id, end)
        await cut_off.keep_promises(world.platform)
        assert trees.resolve(path, MAIN) == (commit if end is ReleaseStatus.SUCCEEDED else None)
        assert await database.run(promises.all) == []

    run(story)
