"""The story of a deploy, from a commit to a release that answers.

    node                 it has to be there
    declaration          what app.json asks for: config vars of a first deploy, sizes
    submodules           their files, where the commit has any
    preflight and build  → an image, made in a zone; the app's trunk for the next push
    release              → image + config + process types, vN
    release command      → run once, before anything is switched
    boot, ready, switch  → all new instances, every type, then one new route table
    postdeploy           → app.json's command, once
    the ref              → follows the release, and the developer is told
    drain                → the old ones, out of the router first, after the push has returned

Every step is recorded before it is done. The release row is the truth, and the ref follows it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy import Connection

from buildpacks import output
from gitserver import trees
from paas import logs
from paas.apps import address, build_limits, buildpacks, roots
from paas.apps import formation as formation_rules
from paas.apps.apps import App
from paas.apps.builds import BuildStatus
from paas.apps.formation import Formation
from paas.apps.releases import Release, ReleaseStatus
from paas.builder import Built, Work
from paas.builder import build as build_image
from paas.deploys import released, submodules
from paas.deploys.attempt import Attempt
from paas.deploys.declaration import Declaration, declare
from paas.deploys.outcome import recorded
from paas.deploys.slow_start import told_when_slow
from paas.errors import PlatformError, UserError
from paas.node.errors import NodeError
from paas.platform.platform import Platform
from paas.platform.tasks import to_the_end
from paas.platform.timeline import render
from paas.provisioner import room
from paas.provisioner.switch import go_live
from paas.runs import postdeploy, release_command
from paas.store import builds, promises, releases, trunks
from paas.store import formation as formations

ROUTER_AWAY = "The router does not answer; it sends requests to this release when it is back."
NODE_START_S = 300.0
"""As long as the supervisor gives it."""
BUILD_STEPS_MAX = 6
"""The steps of a plan have a limit each; so many together, whatever hangs, are a build's."""


Prepare = Callable[[Attempt], Awaitable[Attempt]]
"""Finds out what the commit is."""


async def deploy(
    platform: Platform, attempt: Attempt, prepare: Prepare | None = None
) -> str | None:
    """None, or why the ref is refused. The caller holds the app's lock."""
    async with recorded(platform, attempt) as outcome:
        if prepare is not None:
            attempt = await prepare(attempt)
        await _wait_for_node(platform, attempt)
        declared = await declare(platform, attempt)
        built = declared.of_web(await _build(platform, attempt, declared))
        release = await _release(platform, attempt, built)
        await release_command.run(
            platform, attempt.app, release, attempt.transcript, attempt.timeline
        )
        async with told_when_slow(platform, attempt, release):
            await go_live(
                platform,
                attempt.app,
                release,
                attempt.timeline,
                declared.formation,
                declared.crons,
            )
        if declared.postdeploy:
            await postdeploy.run(
                platform, attempt.app, release, declared.postdeploy, attempt.transcript
            )
        await to_the_end(_finish(platform, attempt, release))
    return outcome.refusal


async def _wait_for_node(platform: Platform, attempt: Attempt) -> None:
    """Returns at once where it is there. Raises UserError when it does not come."""
    if platform.machines.connected.is_set():
        return
    await attempt.transcript.write(output.step("Waiting for the node of this server"))
    await attempt.transcript.write(
        output.detail("It is starting; the first start makes the pool and takes a minute or more.")
    )
    try:
        await platform.machines.there(NODE_START_S)
    except NodeError as error:
        hint = "The operator of this server finds why in: paas doctor"
        raise UserError("node_away", f"{error.message}.", hint) from error


async def _build(platform: Platform, attempt: Attempt, declared: Declaration) -> Built:
    trunk = await platform.database.run(trunks.get, attempt.app.id)
    release = await platform.database.run(releases.current, attempt.app.id)
    config = release.config if release else {}
    limits = build_limits.limits(config, build_limits.of_platform(platform.settings))
    limit_s = BUILD_STEPS_MAX * limits.time_s
    last = trunk.commit if trunk else None
    commit = await submodules.taken_in(platform, attempt, config, last)

    async def keep(image_uuid: str, commit: str, lock_key: str) -> None:
        await platform.database.run(_keep_trunk, attempt.app.id, image_uuid, commit, lock_key)

    try:
        async with asyncio.timeout(limit_s):
            return await build_image(
                Work(
                    settings=platform.settings,
                    node=platform.node,
                    account=attempt.app.owner,
                    app_id=attempt.app.id,
                    app_name=attempt.app.name,
                    build_id=attempt.build.id,
                    repository=platform.settings.repository(attempt.app.id),
                    commit=commit,
                    pushed=attempt.build.commit,
                    config=config,
                    limits=limits,
                    trunk=trunk.image_uuid if trunk else None,
                    from_nothing=attempt.from_nothing,
                    keep=keep,
                    write=attempt.transcript.write,
                    timeline=attempt.timeline,
                    last_runtimes=release.runtimes if release else frozenset(),
                    last_image=release.image_uuid if release else None,
                    root=roots.of(attempt.app.root, config),
                    buildpacks=buildpacks.of(
                        declared.buildpacks,
                        config,
                        plain_http=platform.settings.fetch_from_private_addresses,
                    ),
                    admit=lambda types: _admit(platform, attempt.app, types, declared),
                )
            )
    except TimeoutError as error:
        raise PlatformError(f"the build did not end within {limit_s:.0f} s") from error


def _keep_trunk(
    connection: Connection, app_id: str, image_uuid: str, commit: str, lock_key: str
) -> None:
    """The next build starts from this image, also if the one under way fails."""
    trunks.set(connection, app_id, image_uuid=image_uuid, commit=commit, lock_key=lock_key)


async def _admit(
    platform: Platform, app: App, processes: Mapping[str, str], declared: Declaration
) -> None:
    """Room for the release's instances is asked for first, not after minutes of building."""
    before = await platform.database.run(formations.get, app.id)
    wanted = formation_rules.for_processes(before, processes, declared.formation)
    await room.check_formation(platform, app, wanted)


async def _release(platform: Platform, attempt: Attempt, built: Built) -> Release:
    release = await platform.database.run(_pending, attempt, built)
    await attempt.transcript.write(output.step(f"Launching {release.name}"))
    return release


def _pending(connection: Connection, attempt: Attempt, built: Built) -> Release:
    """The image is there: in one transaction its release is pending, and its ref is promised."""
    current = releases.current(connection, attempt.app.id)
    release = releases.insert(
        connection,
        app_id=attempt.app.id,
        description=f"Deploy {attempt.build.name}",
        user=attempt.build.user,
        config=current.config if current else {},
        processes=built.processes,
        commands=built.commands,
        image_uuid=built.image_uuid,
        commit=attempt.build.commit,
        runtime_uuid=built.runtime_uuid,
        stack_uuid=built.stack_uuid,
    )
    if attempt.ref is not None:
        ref, commit = attempt.ref.name, attempt.build.commit
        promises.set(connection, promises.Promise(attempt.app.id, release.id, ref, commit))
    return release


async def _finish(platform: Platform, attempt: Attempt, release: Release) -> None:
    """The release is current: the ref follows, and the developer is told."""
    if attempt.ref is not None:
        path = platform.settings.repository(attempt.app.id)
        await asyncio.to_thread(trees.set_ref, path, attempt.ref.name, attempt.build.commit)
    await platform.database.run(_succeed, attempt, release)
    text = f"Release {release.name} created by user {release.user}: {release.description}"
    logs.note(platform.settings, attempt.app.id, text)
    url = address.web_url(attempt.app.name, platform.settings).rstrip("/")
    entries, known = await platform.database.run(_formation, release)
    said = released.lines(release, entries, url, known)
    await attempt.transcript.write(said + output.detail(render(attempt.timeline)))
    if platform.routes.behind:
        await attempt.transcript.write(output.problem(ROUTER_AWAY))


def _succeed(connection: Connection, attempt: Attempt, release: Release) -> None:
    promises.delete(connection, attempt.app.id)
    builds.set_status(
        connection,
        attempt.build.id,
        BuildStatus.SUCCEEDED,
        image_uuid=release.image_uuid,
        release_id=release.id,
    )


def _formation(connection: Connection, release: Release) -> tuple[Formation, set[str]]:
    """How often each type of the release runs, and the types of the release before it."""
    earlier = [
        other
        for other in releases.all(connection, release.app_id)
        if other.version < release.version and other.status is ReleaseStatus.SUCCEEDED
    ]
    known = set(earlier[0].processes) if earlier else set[str]()
    return formations.get(connection, release.app_id), known
