"""What a commit's app.json asks of a deploy: said, and done as far as it is for before the build.

Config vars are set in a release of their own, so that a generated secret is the same for whatever
comes of the build. What the file says without effect is said when the file is new or has changed.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from buildpacks import app_json, output
from buildpacks.app_json import AppJson
from buildpacks.findings import Notice, Refused
from paas.apps import declared
from paas.apps.crons import Given
from paas.apps.formation import FormationEntry
from paas.apps.postdeploy import State
from paas.apps.processes import WEB
from paas.apps.releases import Release
from paas.builder import BuildFailed, Built
from paas.deploys import committed_file, declared_buildpacks
from paas.deploys.attempt import Attempt
from paas.deploys.changes import change_config
from paas.deploys.declared_buildpacks import LISTED_FILE, Listed
from paas.platform.platform import Platform
from paas.store import apps, releases


@dataclass(frozen=True)
class Declaration:
    """`formation` is what process types begin with that the app never had; `postdeploy` is a
    command that is still to be run once, or empty; `health_path` is asked of web's instances;
    `buildpacks` are those that the app names, by the command or here; `crons` are run at set times
    from the release on."""

    formation: tuple[FormationEntry, ...] = ()
    postdeploy: str = ""
    health_path: str = ""
    buildpacks: tuple[str, ...] = ()
    crons: tuple[Given, ...] = ()

    def of_web(self, built: Built) -> Built:
        """What was built, with the path that web's instances are asked for."""
        web = built.commands.get(WEB)
        if not self.health_path or web is None:
            return built
        asked = {**web, "health_path": self.health_path}
        return replace(built, commands={**built.commands, WEB: asked})


async def declare(platform: Platform, attempt: Attempt) -> Declaration:
    """Raises UserError for an app.json that can't be, or that lacks a config var."""
    current = await platform.database.run(releases.current, attempt.app.id)
    content = await asyncio.to_thread(_content, platform, attempt, attempt.build.commit, current)
    found = _parsed(content)
    crons = declared.crons(found.crons if found else ())
    is_first = current is None or current.image_uuid is None
    listed = await asyncio.to_thread(_listed, platform, attempt, found, current)
    named = await declared_buildpacks.declare(platform, attempt, listed, is_first=is_first)
    others = declared_buildpacks.notices(listed, named, attempt.app.name)
    if found is None:
        await _say(attempt, others)
        return Declaration(buildpacks=named)
    entries, notices = declared.formation(found.formation)
    is_news = is_first or content != await asyncio.to_thread(
        _content, platform, attempt, (current.commit if current else None) or "", current
    )
    check = found.checks.get(WEB)
    if is_news:
        await _say(attempt, [*found.notices, *others, *notices])
        if check:
            said = f"Each instance of web is asked for {check.path}, as app.json has it"
            await attempt.transcript.write(output.detail(said))
    if is_first:
        await _set_config(platform, attempt, found, current)
    else:
        later = declared.later(found.env, current.config if current else {}, attempt.app.name)
        await _say(attempt, [each for each in later if is_news or each.id.endswith("_missing")])
    state = await platform.database.run(_postdeploy, attempt, is_first and bool(found.postdeploy))
    return Declaration(
        entries,
        found.postdeploy if state is State.DUE else "",
        check.path if check else "",
        named,
        crons,
    )


def _listed(
    platform: Platform, attempt: Attempt, found: AppJson | None, current: Release | None
) -> Listed:
    """The buildpacks that app.json names, or else the file that Dokku has for them. Blocks."""
    if found and found.buildpacks:
        return Listed(app_json.FILE, found.buildpacks)
    content = _content(platform, attempt, attempt.build.commit, current, LISTED_FILE)
    return Listed(LISTED_FILE, declared_buildpacks.lines(content or b""))


def _content(
    platform: Platform,
    attempt: Attempt,
    commit: str,
    current: Release | None,
    file: str = app_json.FILE,
) -> bytes | None:
    """Of the app's folder, or else of the repository's root. Blocks."""
    return committed_file.read(platform, attempt.app, commit, current, file)


def _parsed(content: bytes | None) -> AppJson | None:
    try:
        return None if content is None else app_json.parse(content)
    except Refused as refused:
        raise BuildFailed(refused.failure) from refused


async def _set_config(
    platform: Platform, attempt: Attempt, found: AppJson, current: Release | None
) -> None:
    app, config = attempt.app, current.config if current else {}
    made = declared.config(found.env, config, app.name)
    await _say(attempt, made.notices)
    if made.changes:
        release = await change_config(platform, app, made.changes, attempt.build.user)
        names = [
            f"{name} (a secret that was made up)" if name in made.made_up else name
            for name in made.changes
        ]
        said = f"Config vars of app.json, set as {release.name}: {', '.join(names)}"
        await attempt.transcript.write(output.detail(said))


def _postdeploy(connection: Connection, attempt: Attempt, begins: bool) -> State:
    """Recorded before anything runs: what is due stays so until it has succeeded once."""
    app = apps.lock(connection, attempt.app.id)
    if begins and app.postdeploy is State.NONE:
        return apps.set_postdeploy(connection, app.id, State.DUE).postdeploy
    return app.postdeploy


async def _say(attempt: Attempt, notices: Iterable[Notice]) -> None:
    for notice in notices:
        hint = output.detail(notice.hint) if notice.hint else ""
        await attempt.transcript.write(output.detail(f"Note: {notice.message}") + hint)
