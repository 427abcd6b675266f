"""The way of a push, from checked git objects to a release that answers.

    preflight and build  → an image, made in a zone; the app's trunk for the next push
    release              → image + config + process types, vN
    release command      → run once, before anything is switched
    boot, ready, switch  → all new instances, every type, then one new route table
    drain                → the old ones, out of the router first, after the push has returned

Every step is recorded before it is done. The release row is the truth, and the ref follows it.
"""

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

import gitserver
from buildpacks import output
from gitserver import trees
from paas import logs
from paas.apps import address, build_limits
from paas.apps import formation as formation_rules
from paas.apps.app import App
from paas.apps.build import Build, BuildStatus
from paas.apps.formation import Formation
from paas.apps.process import WEB
from paas.apps.release import Release, ReleaseStatus
from paas.builder import BuildFailed, Built
from paas.builder import build as build_image
from paas.builder.transcript import Transcript, Write
from paas.deploys import released
from paas.deploys.explain import explain
from paas.errors import NotFound, PlatformError, UserError
from paas.node import words
from paas.node.errors import NodeError
from paas.platform.platform import Platform
from paas.platform.tasks import to_the_end
from paas.platform.timeline import Timeline, render
from paas.provisioner import room, unready
from paas.provisioner.payload import PORT
from paas.provisioner.switch import go_live
from paas.runs import release_command
from paas.store import apps, builds, promises, releases, trunks
from paas.store import formation as formations
from paas.store.sql.row import new_id
from paas.system.plaintext import plain_but_colours

DEPLOYED_BRANCHES = ("refs/heads/main", "refs/heads/master")
DESTROYED = "the app was destroyed meanwhile"
CANCELLED = "cancelled"
ALL_OR_NOTHING = "atomic push failed"
NO_CACHE = "no-cache"
_UNKNOWN_OPTION = f"The push option that is known here: git push -o {NO_CACHE} (build from nothing)"
ROUTER_AWAY = "The router does not answer; it sends requests to this release when it is back."
SLOW_START_S = 5.0
"""After this time a developer wonders whether the push hangs."""
NODE_START_S = 300.0
"""As long as the supervisor gives it."""
NAMED_MAX = 10
"""Branches and tags that are named: a push may bring thousands."""
BUILD_STEPS_MAX = 6
"""The steps of a plan have a limit each; so many together, whatever hangs, are a build's."""

Answers = dict[str, str | None]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Deploy:
    """One attempt to make a commit the app's release. `ref`, if any, follows the release."""

    app: App
    commit: str
    user: str
    ref: gitserver.RefUpdate | None
    transcript: Transcript
    timeline: Timeline
    from_nothing: bool = False
    """Build as if the app had never been built."""


async def receive(platform: Platform, push: gitserver.Push) -> Mapping[str, str | None]:
    """What gitserver asks: which refs may change. Deploys `main` or `master`, stores the others."""
    app = await platform.database.run(apps.by_id, push.path.stem)
    if app is None:
        return {update.name: DESTROYED for update in push.updates}
    push = dataclasses.replace(push, progress=_harmless(push.progress))
    unknown = [option for option in push.push_options if option != NO_CACHE]
    if unknown:
        await push.progress(output.problem(_UNKNOWN_OPTION))
        return {update.name: f"no push option {unknown[0][:80]!r}" for update in push.updates}
    deployed, answers = _sort(push)
    if push.atomic and any(answers.values()):
        # Before anything is deployed: what was released can't be taken back with the refs.
        return {name: reason or ALL_OR_NOTHING for name, reason in answers.items()}
    if deployed is None:
        await push.progress(_stored_only([u for u in push.updates if answers[u.name] is None]))
        return answers
    answers[deployed.name] = await _deploy_ref(platform, app, push, deployed)
    return answers


def _harmless(write: Write) -> Write:
    """Whatever is said of a push, its author's names and output may be in it."""

    async def progress(text: str) -> None:
        await write(plain_but_colours(text))

    return progress


async def begin_rebuild(
    platform: Platform, app: App, commit: str, user: str, *, from_nothing: bool = False
) -> Build:
    """Start to build and deploy a commit that the repository has already."""
    build, transcript = await _begin(platform, app, commit, user, _keep_only)
    work = _rebuild(platform, app, build, transcript, from_nothing)
    task = asyncio.create_task(work, name=f"build {app.name}")
    platform.deploying.add(app.id, task)
    platform.background.adopt(task)
    return build


async def repair_refs(platform: Platform) -> None:
    """At the start of control: keep the promises of releases that the last one did not live to."""
    for promise, release in await platform.database.run(_promised):
        if release.status is ReleaseStatus.SUCCEEDED:
            path = platform.settings.repository(promise.app_id)
            await asyncio.to_thread(trees.set_ref, path, promise.ref, promise.commit)
        await platform.database.run(promises.delete, promise.app_id)


def _sort(push: gitserver.Push) -> tuple[gitserver.RefUpdate | None, Answers]:
    """The update to deploy, and the answers to all others."""
    deployed, answers = None, Answers()
    for update in push.updates:
        answers[update.name] = None
        if update.name not in DEPLOYED_BRANCHES:
            continue
        if update.new is None:
            answers[update.name] = "the deployed branch can't be deleted"
        elif deployed is None:
            deployed = update
        else:
            answers[update.name] = f"push one of {deployed.name} and {update.name} at a time"
    return deployed, answers


def _stored_only(updates: Sequence[gitserver.RefUpdate]) -> str:
    """What was done with the branches and tags that are not deployed."""
    stored = [_spoken(update.name) for update in updates if update.new is not None]
    deleted = [_spoken(update.name) for update in updates if update.new is None]
    said = output.step(f"Deleted {_listed(deleted)}") if deleted else ""
    if stored:
        said += output.step(f"Stored {_listed(stored)}, nothing is deployed")
        # In full: from a detached HEAD git does not know that a new `main` is to be a branch.
        deploy_it = "git push paas HEAD:refs/heads/main"
        said += output.detail(f"Only main and master are deployed: {deploy_it}")
    return said


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more:,} more" if more > 0 else "")


def _spoken(ref: str) -> str:
    return ref.removeprefix("refs/heads/").replace("refs/tags/", "tag ", 1)


async def _keep_only(_text: str) -> None:
    """Nobody watches; the transcript's file is read by who does."""


async def _begin(
    platform: Platform, app: App, commit: str, user: str, write: Write
) -> tuple[Build, Transcript]:
    """A build's row and transcript; cancelled meanwhile, the build is over."""
    id = new_id()
    transcript = Transcript.open(platform.settings, id, write)
    run = platform.database.run
    try:
        build = await run(builds.insert, app_id=app.id, commit=commit, user=user, id=id)
    except BaseException:
        transcript.close()
        with contextlib.suppress(NotFound):
            status = BuildStatus.FAILED
            await asyncio.shield(run(builds.set_status, id, status, failure="cancelled"))
        raise
    return build, transcript


async def _rebuild(
    platform: Platform, app: App, build: Build, transcript: Transcript, from_nothing: bool
) -> None:
    with contextlib.closing(transcript):
        async with platform.locks[app.id]:
            if await platform.database.run(apps.by_id, app.id) is None:
                return
            timeline = platform.timeline(app.id, build.id)
            work = Deploy(app, build.commit, build.user, None, transcript, timeline, from_nothing)
            await _deploy(platform, work, build)


async def _deploy_ref(
    platform: Platform, app: App, push: gitserver.Push, update: gitserver.RefUpdate
) -> str | None:
    """Deploy while watching the client: Ctrl-C cancels what is not switched yet."""
    if platform.deploying.is_stopped(app.id):
        return DESTROYED
    work = asyncio.create_task(_deploy_update(platform, app, push, update))
    platform.deploying.add(app.id, work)
    gone = asyncio.create_task(push.cancelled.wait())
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        platform.background.adopt(work)
        raise
    finally:
        gone.cancel()
        work.cancel()
    try:
        return await work
    except asyncio.CancelledError:
        return _why_cancelled(platform, app)


def _why_cancelled(platform: Platform, app: App) -> str:
    return DESTROYED if platform.deploying.is_stopped(app.id) else CANCELLED


async def _deploy_update(
    platform: Platform, app: App, push: gitserver.Push, update: gitserver.RefUpdate
) -> str | None:
    assert update.new is not None
    received_ms = (time.perf_counter() - push.began_s) * 1000
    lock = platform.locks[app.id]
    if lock.locked():
        await push.progress(output.step("Waiting for the deploy of this app that is under way"))
    async with lock:
        if await platform.database.run(apps.by_id, app.id) is None:
            return DESTROYED
        at = await asyncio.to_thread(trees.resolve, push.path, update.name)
        if at != update.old:
            return "the branch was pushed to meanwhile; fetch it and push again"
        build, transcript = await _begin(platform, app, update.new, push.user, push.progress)
        timeline = platform.timeline(app.id, build.id)
        timeline.add("receive", received_ms)
        afresh = NO_CACHE in push.push_options
        work = Deploy(app, update.new, push.user, update, transcript, timeline, afresh)
        return await _deploy(platform, work, build)


async def _deploy(platform: Platform, work: Deploy, build: Build) -> str | None:
    """The story; None, or why the ref is refused. What went wrong is in the transcript."""
    try:
        await _node(platform, work)
        built = await _build(platform, work, build)
        release = await platform.database.run(_record, work, build, built)
        await work.transcript.write(output.step(f"Launching {release.name}"))
        await release_command.run(platform, work.app, release, work.transcript, work.timeline)
        async with _saying_when_slow(platform, work, release):
            await go_live(platform, work.app, release, work.timeline)
        await to_the_end(_finish(platform, work, build, release))
    except asyncio.CancelledError:
        reason = _why_cancelled(platform, work.app)
        await asyncio.shield(_fail(platform, build, reason))
        if reason is DESTROYED:
            await work.transcript.write(output.problem(f"Cancelled: {DESTROYED}."))
        raise
    except UserError as error:
        await _fail(platform, build, error.message)
        await work.transcript.write(await explain(platform, error))
        return f"{'build' if isinstance(error, BuildFailed) else 'deploy'} failed"
    except Exception as error:
        log.exception("the deploy of %s to %s", work.commit, work.app.name)
        await _fail(platform, build, "the platform failed")
        await work.transcript.write(
            output.problem(f"The platform failed: {error}")
            + output.problem("Push again; if it stays so, the operator finds why in: paas doctor")
        )
        return "the platform failed"
    finally:
        work.transcript.close()
        platform.untidy.set()
    return None


async def _node(platform: Platform, work: Deploy) -> None:
    """Wait for a node that is away or still starts, and say so."""
    if platform.machines.connected.is_set():
        return
    await work.transcript.write(output.step("Waiting for the node of this server"))
    await work.transcript.write(
        output.detail("It is starting; the first start makes the pool and takes a minute or more.")
    )
    try:
        await platform.machines.there(NODE_START_S)
    except NodeError as error:
        hint = "The operator of this server finds why in: paas doctor"
        raise UserError("node_away", f"{error.message}.", hint) from error


@contextlib.asynccontextmanager
async def _saying_when_slow(
    platform: Platform, work: Deploy, release: Release
) -> AsyncIterator[None]:
    """Says what is waited for, once, where a start takes long."""

    async def say() -> None:
        await asyncio.sleep(SLOW_START_S)
        limit = f"{PORT} within {platform.settings.boot_timeout_s:.0f} s"
        said = f"Still starting: web has to listen on process.env.PORT, which is {limit}"
        found = "\n".join([said, *_found_so_far(platform, release)])
        await work.transcript.write(output.detail(found))

    saying = asyncio.create_task(say()) if WEB in release.processes else None
    try:
        yield
    finally:
        if saying is not None:
            saying.cancel()


def _found_so_far(platform: Platform, release: Release) -> list[str]:
    """Of the release's instances that can't be reached yet: where they listen."""
    found = []
    for machine in list(platform.machines.known.values()):
        tags = machine.get("tags", {})
        is_its = (tags.get(words.APP), tags.get(words.RELEASE)) == (release.app_id, release.version)
        if is_its and machine.get("unreachable"):
            found.append(unready.so_far(str(tags.get(words.INSTANCE)), machine["unreachable"]))
    return [line for line in found if line]


async def _build(platform: Platform, work: Deploy, build: Build) -> Built:
    trunk = await platform.database.run(trunks.get, work.app.id)
    release = await platform.database.run(releases.current, work.app.id)
    config = release.config if release else {}
    limits = build_limits.limits(config, build_limits.of_platform(platform.settings))
    limit_s = BUILD_STEPS_MAX * limits.time_s

    async def keep(image_uuid: str, commit: str, lock_key: str) -> None:
        await platform.database.run(_keep_trunk, work.app.id, image_uuid, commit, lock_key)

    try:
        async with asyncio.timeout(limit_s):
            return await build_image(
                settings=platform.settings,
                node=platform.node,
                app_id=work.app.id,
                app_name=work.app.name,
                build_id=build.id,
                repository=platform.settings.repository(work.app.id),
                commit=work.commit,
                config=config,
                limits=limits,
                trunk=trunk,
                from_nothing=work.from_nothing,
                keep=keep,
                write=work.transcript.write,
                timeline=work.timeline,
                last_runtime=release.runtime_uuid if release else None,
                admit=lambda processes: _admit(platform, work.app, processes),
            )
    except TimeoutError as error:
        raise PlatformError(f"the build did not end within {limit_s:.0f} s") from error


async def _admit(platform: Platform, app: App, processes: Mapping[str, str]) -> None:
    """Room for the release's instances is asked for first, not after minutes of building."""
    before = await platform.database.run(formations.get, app.id)
    wanted = formation_rules.for_processes(before, processes)
    await room.check_formation(platform, app, wanted)


def _record(connection: Connection, work: Deploy, build: Build, built: Built) -> Release:
    """The image is there: in one transaction the build is over and its release is pending."""
    current = releases.current(connection, work.app.id)
    release = releases.insert(
        connection,
        app_id=work.app.id,
        description=f"Deploy {work.commit[:8]}",
        user=work.user,
        config=current.config if current else {},
        processes=built.processes,
        commands=built.commands,
        image_uuid=built.image_uuid,
        commit=work.commit,
        runtime_uuid=built.runtime_uuid,
        stack_uuid=built.stack_uuid,
    )
    if work.ref is not None:
        promise = promises.Promise(work.app.id, release.id, work.ref.name, work.commit)
        promises.set(connection, promise)
    return release


def _keep_trunk(
    connection: Connection, app_id: str, image_uuid: str, commit: str, lock_key: str
) -> None:
    """The next build starts from this image, also if the one under way fails."""
    trunks.set(connection, app_id, image_uuid=image_uuid, commit=commit, lock_key=lock_key)


async def _finish(platform: Platform, work: Deploy, build: Build, release: Release) -> None:
    """The release is current: the ref follows, and the developer is told."""
    if work.ref is not None:
        path = platform.settings.repository(work.app.id)
        await asyncio.to_thread(trees.set_ref, path, work.ref.name, work.commit)
    await platform.database.run(_succeed, work, build, release)
    _note(
        platform,
        build,
        f"Release {release.name} created by user {release.user}: {release.description}",
    )
    url = address.web_url(work.app.name, platform.settings).rstrip("/")
    entries, known = await platform.database.run(_formation, release)
    said = released.lines(release, entries, url, known)
    await work.transcript.write(said + output.detail(render(work.timeline)))
    if platform.routes.behind:
        await work.transcript.write(output.problem(ROUTER_AWAY))


def _formation(connection: Connection, release: Release) -> tuple[Formation, set[str]]:
    """How often each type of the release runs, and the types of the release before it."""
    earlier = [
        other
        for other in releases.all(connection, release.app_id)
        if other.version < release.version and other.status is ReleaseStatus.SUCCEEDED
    ]
    known = set(earlier[0].processes) if earlier else set[str]()
    return formations.get(connection, release.app_id), known


def _succeed(connection: Connection, work: Deploy, build: Build, release: Release) -> None:
    promises.delete(connection, work.app.id)
    builds.set_status(
        connection,
        build.id,
        BuildStatus.SUCCEEDED,
        image_uuid=release.image_uuid,
        release_id=release.id,
    )


async def _fail(platform: Platform, build: Build, reason: str) -> None:
    await platform.database.run(_record_failure, build, reason)
    _note(platform, build, f"Deploy {build.commit[:8]} by user {build.user} failed: {reason}")


def _note(platform: Platform, build: Build, text: str) -> None:
    """A line in the app's log, which a deploy does not depend on."""
    with contextlib.suppress(OSError):
        logs.append(platform.settings, build.app_id, "app", "api", text)


def _record_failure(connection: Connection, build: Build, reason: str) -> None:
    """The app's lock is held, so a release of it that is still pending is this build's."""
    builds.set_status(connection, build.id, BuildStatus.FAILED, failure=reason)
    for release in releases.pending(connection):
        if release.app_id == build.app_id:
            status = ReleaseStatus.FAILED
            releases.set_status(connection, release.id, status, failure=reason)


def _promised(connection: Connection) -> list[tuple[promises.Promise, Release]]:
    return [
        (promise, releases.by_id(connection, promise.release_id))
        for promise in promises.all(connection)
    ]
