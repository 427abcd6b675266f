"""One build: from a commit to an app's image and its next trunk. `build` is the story.

The build zone starts as the app's trunk (its newest built tree), so that a push of one line neither
installs nor copies anything: the changed files enter, what has to be repeated is repeated, and the
zone's dataset becomes the image.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from buildpacks import output
from buildpacks.findings import Failure, Notice, Refused
from buildpacks.nodejs import NpmOffer, Plan, Previous, plan, ranges
from gitserver import trees
from paas.apps.build_limits import Limits
from paas.builder import images, steps, tree, zone
from paas.builder.nodejs import asked_npm, npm, offer, runtimes
from paas.builder.source import CommitTree
from paas.builder.work import NPM_CACHE, Admit, BuildFailed, Keep, Start, Work, everybody, must
from paas.errors import PlatformError
from paas.node import words
from paas.node.client import Manifest, Node
from paas.node.errors import NodeError
from paas.platform.timeline import Timeline
from paas.settings import Settings

_NODEJS_TRIES = (".js", ".json", ".node", "/index.js")
_ANSWERED_BY_THE_REGISTRY = ("node_version_unavailable", "npm_version_unavailable", "no_runtime")


class Trunk(Protocol):
    """The app's newest built tree. What it was made of stands in its image's manifest."""

    @property
    def image_uuid(self) -> str: ...


@dataclass(frozen=True)
class Built:
    """`processes` has the commands as written, `commands` as they are run:
    `{"argv": [...], "environment": {...}}`."""

    image_uuid: str
    trunk_uuid: str
    lock_key: str
    commit: str
    processes: Mapping[str, str]
    commands: Mapping[str, Mapping[str, Any]]
    runtime_uuid: str
    runtime_version: str
    stack_uuid: str
    environment: Mapping[str, str]


async def build(
    *,
    settings: Settings,
    node: Node,
    app_id: str,
    app_name: str,
    build_id: str,
    repository: Path,
    commit: str,
    config: Mapping[str, str],
    limits: Limits,
    trunk: Trunk | None,
    from_nothing: bool,
    keep: Keep,
    write: zone.Write,
    timeline: Timeline,
    last_runtime: str | None = None,
    admit: Admit = everybody,
) -> Built:
    """Make the image of a commit. When it fails, only what `keep` was told of stays.

    `from_nothing`: the trunk is not used, as if this were the first build.

    `last_runtime` is the image of the runtime that the app's current release has.

    `admit` is told the commit's process types before anything is made, and may refuse them.

    Raises BuildFailed for what the developer can change, PlatformError and NodeError otherwise.
    """
    work = Work(
        settings=settings,
        node=node,
        app_id=app_id,
        app_name=app_name,
        build_id=build_id,
        repository=repository,
        commit=commit,
        config=config,
        limits=limits,
        from_nothing=from_nothing,
        keep=keep,
        write=write,
        timeline=timeline,
        last_runtime=last_runtime,
        admit=admit,
    )
    try:
        async with timeline.step("preflight"):
            start = await _preflight(work, trunk)
        runtime = await _runtime(work, start)
        async with contextlib.AsyncExitStack() as stack:
            async with timeline.step("zone"):
                machine = await stack.enter_async_context(
                    zone.running(node, _payload(work, start, runtime))
                )
            await tree.check_out(work, start, machine)
            trunk_uuid, repeated = await _make_trunk(work, start, machine, runtime)
            image_uuid = await _make_image(work, start, machine, runtime, repeated)
    except BaseException as error:
        await asyncio.shield(_undo(node, *work.unclaimed))
        if isinstance(error, NodeError) and error.code == "NoSpace":
            raise BuildFailed(no_space(error)) from error
        raise
    return _built(start, commit, trunk_uuid, image_uuid, runtime)


def no_space(error: NodeError) -> Failure:
    """For the developer, who can't help it but must know that the push is not to blame."""
    return Failure(
        "no_space",
        f"The platform has no room for another build: {error.message}",
        "Your app runs on as it was. Push again when the operator has made room.",
    )


async def _preflight(work: Work, trunk: Trunk | None) -> Start:
    """Everything that can be known from git's objects: milliseconds, and no zone yet."""
    installed = await work.node.images()
    bases = images.bases(installed)
    base = images.trunk(installed, trunk.image_uuid) if trunk else None
    await images.delete_trunks(work.node, installed, work.app_id, base.uuid if base else "")
    if work.from_nothing:
        await work.write(output.step("Building from nothing, as asked"))
        base = None
    made, npms = await _plan(work, base, installed)
    await _say_plan(work, made)
    await work.admit({type_: process.command for type_, process in made.processes.items()})
    if base is not None and not await asyncio.to_thread(_fits, work, bases, made, base):
        base = None
        made, npms = await _plan(work, None, installed)
    return Start(bases, made, base, offer.runtimes(installed), npms)


def _fits(work: Work, bases: images.Bases, made: Plan, base: images.Trunk) -> bool:
    """May the build start from the trunk? Otherwise it starts afresh."""
    same_stack = base.stack == bases.build_stack
    # Without dependencies npm is not run, and would not take away those of before.
    stale_modules = not made.has_dependencies and base.lock_key != made.dependencies_key
    known = trees.resolve(work.repository, base.commit) is not None
    return same_stack and not stale_modules and known


async def _runtime(work: Work, start: Start) -> str:
    """The uuid of the runtime's image, which is fetched first if the node lacks it."""
    version = start.plan.runtime.version
    if version in start.runtimes:
        return start.runtimes[version]
    async with work.timeline.step("runtime"):
        return await runtimes.install(
            work.settings,
            work.node,
            start.bases,
            version,
            start.npms,
            work.write,
            work.build_id,
        )


async def _plan(
    work: Work, base: images.Trunk | None, installed: list[Manifest]
) -> tuple[Plan, NpmOffer]:
    """The plan, and what there was to choose from.

    Only an app that asks for what is not here waits for a registry that is slow to answer.
    """
    try:
        return await _decide(work, base, installed, wait=False)
    except Refused as refused:
        if refused.failure.id not in _ANSWERED_BY_THE_REGISTRY:
            raise BuildFailed(refused.failure) from refused
        first = refused
    try:
        return await _decide(work, base, installed, wait=True)
    except Refused as refused:
        raise BuildFailed(refused.failure) from refused
    except PlatformError:
        raise BuildFailed(first.failure) from first


async def _decide(
    work: Work, base: images.Trunk | None, installed: list[Manifest], *, wait: bool
) -> tuple[Plan, NpmOffer]:
    choice = await offer.offer(work.settings, installed, wait=wait)
    npms = await offer.npm_offer(work.settings, installed, wait=wait)
    last_major = _major(work.last_runtime, installed)

    def decide() -> Plan:
        return plan(
            CommitTree(work.repository, work.commit),
            offer=choice,
            npms=npms,
            architecture=npm.architecture(),
            config=work.config,
            previous=_previous(base, last_major),
        )

    return await asyncio.to_thread(decide), npms


def _previous(base: images.Trunk | None, last_major: int | None) -> Previous:
    if base is None:
        return Previous(nodejs_major=last_major)
    return Previous(base.lock_key, last_major, base.repeated)


def _major(runtime: str | None, installed: list[Manifest]) -> int | None:
    """Of Node.js in a runtime's image."""
    versions = {uuid: version for version, uuid in offer.runtimes(installed).items()}
    return ranges.release(versions[runtime])[0] if runtime in versions else None


async def _say_plan(work: Work, made: Plan) -> None:
    await work.write(output.step("Node.js app detected"))
    asked = made.runtime.source and f" ({made.runtime.source}: {made.runtime.requested})"
    await work.write(output.detail(f"Node.js {made.runtime.version}, {made.runtime.reason}{asked}"))
    if made.npm.version:
        asked = f" ({made.npm.source}: {made.npm.requested})"
        await work.write(output.detail(f"npm {made.npm.version}{asked}"))
    for notice in made.notices:
        await work.write(_notice(notice))


def _notice(notice: Notice) -> str:
    said = output.detail(f"Note: {notice.message}")
    return said + (output.detail(notice.hint) if notice.hint else "")


def _payload(work: Work, start: Start, runtime: str) -> dict[str, Any]:
    return zone.payload(
        uuid=str(uuid.uuid4()),
        image=start.trunk.uuid if start.trunk else start.bases.base,
        stack=start.bases.build_stack,
        runtime=runtime,
        tags={words.APP: work.app_id, words.BUILD: work.build_id},
        name=work.app_name,
        memory_mib=work.limits.memory_mib,
    )


async def _make_trunk(
    work: Work, start: Start, machine: zone.Zone, runtime: str
) -> tuple[str, tree.Repeated]:
    """Run what leads to the next trunk: its tree is that after the build script.

    What was installed is a trunk already before that script: if it fails, npm need not run again.
    """
    made = start.plan
    await _npm(work, start, machine)
    await steps.run(work, machine, made, made.prebuild, "dependencies")
    installed, repeated = await tree.install(work, start, machine)
    if installed and made.build.command:
        await _keep_trunk(work, start, machine, runtime, repeated)
    await steps.run(work, machine, made, made.build, "build")
    await _check_guess(made, machine)
    return await _keep_trunk(work, start, machine, runtime, repeated), repeated


async def _keep_trunk(
    work: Work, start: Start, machine: zone.Zone, runtime: str, repeated: tree.Repeated
) -> str:
    """The zone's tree as it is becomes the app's trunk; the image's uuid."""
    made, trunk_uuid = start.plan, str(uuid.uuid4())
    async with work.timeline.step("snapshot"):
        if made.prebuild.command or made.install.command or made.build.command:
            await must(machine.run(("rm", "-rf", NPM_CACHE)))
        work.unclaimed.add(trunk_uuid)
        manifest = _manifest(work, start, trunk_uuid, "trunk", runtime, repeated)
        await work.node.create_image(machine.uuid, manifest, keep_machine=True)
        await work.keep(trunk_uuid, work.commit, made.dependencies_key)
        work.unclaimed.discard(trunk_uuid)
    return trunk_uuid


async def _check_guess(made: Plan, machine: zone.Zone) -> None:
    """What is run because nothing says how to start has to be there once everything is built."""
    if not made.guessed:
        return
    forms = [made.guessed, *(f"{made.guessed}{ending}" for ending in _NODEJS_TRIES)]
    tests = " || ".join(f'test -e "${number}"' for number in range(1, len(forms) + 1))
    result = await machine.run(("sh", "-c", tests, "sh", *forms))
    if result.code:
        raise BuildFailed(
            Failure(
                "start_file_missing",
                f"package.json has no start script, and {made.guessed}, which its main names, "
                "is not there after the build",
                "Name what the build makes: npm pkg set scripts.start='node <file>'",
            )
        )


async def _npm(work: Work, start: Start, machine: zone.Zone) -> None:
    wanted = start.plan.npm
    if wanted.version == (start.trunk.npm if start.trunk else ""):
        return
    async with work.timeline.step("npm"):
        try:
            await asked_npm.put(work.settings, machine, wanted, work.write)
        except Refused as refused:
            raise BuildFailed(refused.failure) from refused


async def _make_image(
    work: Work, start: Start, machine: zone.Zone, runtime: str, repeated: tree.Repeated
) -> str:
    """Take away what only builds need; what is left of the zone is the app's image."""
    made, image_uuid = start.plan, str(uuid.uuid4())
    await steps.run(work, machine, made, made.prune, "prune")
    await steps.run(work, machine, made, made.cleanup, "prune")
    async with work.timeline.step("snapshot"):
        if made.prune.command or made.cleanup.command:
            await must(machine.run(("rm", "-rf", NPM_CACHE)))
        # It only idles, so there is nothing to wait for.
        await work.node.stop(machine.uuid, force=True)
        work.unclaimed.add(image_uuid)
        manifest = _manifest(work, start, image_uuid, "app", runtime, repeated)
        await work.node.create_image(machine.uuid, manifest, keep_machine=False)
    return image_uuid


async def _undo(node: Node, *uuids: str) -> None:
    for image in uuids:
        await node.delete_image(image)


def _manifest(
    work: Work, start: Start, uuid: str, role: str, runtime: str, repeated: tree.Repeated
) -> dict[str, Any]:
    return images.manifest(
        uuid=uuid,
        role=role,
        app_id=work.app_id,
        app_name=work.app_name,
        build_id=work.build_id,
        commit=work.commit,
        stack=start.bases.build_stack if role == "trunk" else start.bases.run_stack,
        runtime=runtime,
        lock_key=start.plan.dependencies_key,
        scripts_ran=start.plan.runs_scripts or repeated != (),
        repeated=repeated,
        npm=start.plan.npm.version,
    )


def _built(start: Start, commit: str, trunk_uuid: str, image_uuid: str, runtime: str) -> Built:
    made = start.plan
    return Built(
        image_uuid=image_uuid,
        trunk_uuid=trunk_uuid,
        lock_key=made.dependencies_key,
        commit=commit,
        processes={type_: process.command for type_, process in made.processes.items()},
        commands={
            type_: {
                "argv": list(process.argv),
                "environment": {**made.environment, **process.environment},
            }
            for type_, process in made.processes.items()
        },
        runtime_uuid=runtime,
        runtime_version=made.runtime.version,
        stack_uuid=start.bases.run_stack,
        environment=dict(made.environment),
    )
