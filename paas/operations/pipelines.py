"""Pipelines: who is in them, promotions, and what a promotion would bring."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from gitserver import history
from paas.apps import pipelines as rules
from paas.apps import promotions as promotion_rules
from paas.apps.apps import App
from paas.apps.pipelines import Coupling, Pipeline, Stage
from paas.apps.promotions import Promotion
from paas.apps.releases import Release
from paas.deploys import promotion as story
from paas.errors import NotFound, UserError
from paas.platform.platform import Platform
from paas.store import apps, pipelines, promotions, releases


@dataclass(frozen=True)
class Difference:
    """What an app of the next stage would get: nothing to compare where it has no release, or its
    commit is not of the source's repository."""

    app: App
    stage: Stage
    release: Release | None
    comparison: history.Comparison | None


@dataclass(frozen=True)
class Pipelines:
    platform: Platform

    async def create(self, name: str, user: str) -> Pipeline:
        return await self.platform.database.run(pipelines.insert, name, user)

    async def rename(self, pipeline: Pipeline, name: str) -> Pipeline:
        return await self.platform.database.run(pipelines.rename, pipeline.id, name)

    async def destroy(self, pipeline: Pipeline) -> None:
        """Its apps stay."""
        await self.platform.database.run(pipelines.delete, pipeline.id)

    async def couple(self, pipeline: Pipeline, app: App, stage: Stage) -> Coupling:
        return await self.platform.database.run(pipelines.couple, pipeline.id, app.id, stage)

    async def set_stage(self, coupling: Coupling, stage: Stage) -> Coupling:
        return await self.platform.database.run(pipelines.set_stage, coupling.id, stage)

    async def uncouple(self, coupling: Coupling) -> Coupling:
        return await self.platform.database.run(pipelines.uncouple, coupling.id)

    async def promote(self, source: App, targets: Sequence[App], user: str) -> Promotion:
        """Recorded and begun; does not wait for its end. Raises UserError before anything."""
        promotion = await self.platform.database.run(_record, source, targets, user)
        for target in await self.platform.database.run(promotions.targets_of, promotion.id):
            story.start(self.platform, promotion, target)
        return promotion

    async def differences(self, app: App) -> list[Difference]:
        """Between the app and each of the next stage. Raises UserError where there are none."""
        mine, theirs = await self.platform.database.run(_downstream, app)
        path = self.platform.settings.repository(app.id)
        found = []
        for other, stage, release in theirs:
            comparison = None
            if release is not None and release.commit and mine.commit:
                new, old = mine.commit, release.commit
                comparison = await asyncio.to_thread(history.compare, path, new, old)
            found.append(Difference(other, stage, release, comparison))
        return found


def _record(connection: Connection, source: App, targets: Sequence[App], user: str) -> Promotion:
    coupling = pipelines.of_app(connection, source.id)
    to = [pipelines.of_app(connection, target.id) for target in targets]
    current = releases.current(connection, source.id)
    release = promotion_rules.check(coupling, to, current)
    assert coupling is not None
    return promotions.insert(
        connection,
        pipeline_id=coupling.pipeline_id,
        app_id=source.id,
        release_id=release.id,
        user=user,
        to=[target.id for target in targets],
    )


def _downstream(
    connection: Connection, app: App
) -> tuple[Release, list[tuple[App, Stage, Release | None]]]:
    mine = pipelines.of_app(connection, app.id)
    if mine is None:
        raise NotFound(f"{app.name} is in no pipeline.", "To put it into one: paas pipelines:add")
    release = releases.current(connection, app.id)
    if release is None or not release.commit:
        raise UserError(
            "invalid_params", f"{app.name} has no release of a commit.", "Push to it first."
        )
    theirs = rules.downstream(pipelines.couplings_of(connection, mine.pipeline_id), mine)
    found = []
    for each in theirs:
        other = apps.by_id(connection, each.app_id)
        if other is not None:
            found.append((other, each.stage, releases.current(connection, other.id)))
    if not found:
        raise UserError(
            "invalid_params",
            f"{app.name} is in stage {mine.stage}, and no app is in one after it.",
            "`paas pipelines:info` shows who is in a pipeline.",
        )
    return release, found
