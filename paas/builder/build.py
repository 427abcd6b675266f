"""One build: from a commit to an app's image and its next trunk. `build` is the story.

The build zone starts as the app's trunk (its newest built tree), so that a push of one line neither
installs nor copies anything: the changed files enter, what has to be repeated is repeated, and the
zone's dataset becomes the image.
"""

import asyncio
import contextlib
import uuid
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from buildpacks import output
from buildpacks.findings import Failure, Notice, Refused
from buildpacks.nodejs import NpmOffer, Plan, Previous, Step, WithoutUsage, classify, plan, ranges
from gitserver import trees
from paas.builder import asked_npm, checkout, images, npm, offer, runtimes, zone
from paas.builder.source import CommitTree
from paas.errors import PlatformError, UserError
from paas.node.client import Manifest, Node, NodeError
from paas.settings import Settings
from paas.timeline import Timeline

_NPM_CACHE = "/var/tmp/npm"
"""On the zone's disk, because its tmpfs is memory; removed before an image is made."""
_PLATFORM = {
    "PATH": f"/app/node_modules/.bin:{asked_npm.PATH}:/opt/node/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/app",
    "npm_config_cache": _NPM_CACHE,
    "npm_package_config_node_gyp_nodedir": "/opt/node",
    "npm_config_userconfig": checkout.NPMRC,
}
_OWN_TIMEOUT_S = 120.0
_SUBMODULES_SHOWN = 5
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


class BuildFailed(UserError):
    """The app can't be built as it stands. `tail` is the end of the failed step's output, which
    was written as it came."""

    def __init__(self, failure: Failure, tail: str = "") -> None:
        super().__init__(failure.id, failure.message, failure.hint)
        self.tail = tail


@dataclass(frozen=True)
class _Work:
    """What all steps of a build share."""

    settings: Settings
    node: Node
    app_id: str
    app_name: str
    build_id: str
    repository: Path
    commit: str
    config: Mapping[str, str]
    write: zone.Write
    timeline: Timeline
    last_runtime: str | None


@dataclass(frozen=True)
class _Start:
    """What a build starts from. Without a trunk (the first build) it is the base image."""

    bases: images.Bases
    plan: Plan
    trunk: images.Trunk | None
    runtimes: Mapping[str, str]
    npms: NpmOffer

    @property
    def since(self) -> str | None:
        """The commit that the tree equals at the start, once it is cleaned if need be."""
        return self.trunk.commit if self.trunk and not self.trunk.scripts_ran else None


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
    trunk: Trunk | None,
    write: zone.Write,
    timeline: Timeline,
    last_runtime: str | None = None,
) -> Built:
    """Make the image of a commit. Nothing is left of it when it fails or is cancelled.

    `last_runtime` is the image of the runtime that the app's current release has.

    Raises BuildFailed for what the developer can change, PlatformError and NodeError otherwise.
    """
    work = _Work(
        settings,
        node,
        app_id,
        app_name,
        build_id,
        repository,
        commit,
        config,
        write,
        timeline,
        last_runtime,
    )
    trunk_uuid, image_uuid = str(uuid.uuid4()), str(uuid.uuid4())
    try:
        async with timeline.step("preflight"):
            start = await _preflight(work, trunk)
        runtime = await _runtime(work, start)
        async with contextlib.AsyncExitStack() as stack:
            async with timeline.step("zone"):
                machine = await stack.enter_async_context(
                    zone.running(node, _payload(work, start, runtime))
                )
            await _check_out(work, start, machine)
            await _make_trunk(work, start, machine, trunk_uuid, runtime)
            await _make_image(work, start, machine, image_uuid, runtime)
    except BaseException as error:
        await asyncio.shield(_undo(node, trunk_uuid, image_uuid))
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


async def _preflight(work: _Work, trunk: Trunk | None) -> _Start:
    """Everything that can be known from git's objects: milliseconds, and no zone yet."""
    installed = await work.node.images()
    bases = images.bases(installed)
    base = images.trunk(installed, trunk.image_uuid) if trunk else None
    await images.delete_trunks(work.node, installed, work.app_id, base.uuid if base else "")
    made, npms = await _plan(work, base, installed)
    await _say_plan(work, made)
    if base is not None and not await asyncio.to_thread(_fits, work, bases, made, base):
        base = None
        made, npms = await _plan(work, None, installed)
    return _Start(bases, made, base, offer.runtimes(installed), npms)


def _fits(work: _Work, bases: images.Bases, made: Plan, base: images.Trunk) -> bool:
    """May the build start from the trunk? Otherwise it starts afresh."""
    same_stack = base.stack == bases.build_stack
    # Without dependencies npm is not run, and would not take away those of before.
    stale_modules = not made.has_dependencies and base.lock_key != made.dependencies_key
    known = trees.resolve(work.repository, base.commit) is not None
    return same_stack and not stale_modules and known


async def _runtime(work: _Work, start: _Start) -> str:
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
    work: _Work, base: images.Trunk | None, installed: list[Manifest]
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
    work: _Work, base: images.Trunk | None, installed: list[Manifest], *, wait: bool
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
            previous=Previous(base.lock_key if base else "", last_major),
        )

    return await asyncio.to_thread(decide), npms


def _major(runtime: str | None, installed: list[Manifest]) -> int | None:
    """Of Node.js in a runtime's image."""
    versions = {uuid: version for version, uuid in offer.runtimes(installed).items()}
    return ranges.release(versions[runtime])[0] if runtime in versions else None


async def _say_plan(work: _Work, made: Plan) -> None:
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


def _payload(work: _Work, start: _Start, runtime: str) -> dict[str, Any]:
    return zone.payload(
        uuid=str(uuid.uuid4()),
        image=start.trunk.uuid if start.trunk else start.bases.base,
        stack=start.bases.build_stack,
        runtime=runtime,
        tags={zone.APP_TAG: work.app_id, zone.BUILD_TAG: work.build_id},
        name=work.app_name,
    )


async def _check_out(work: _Work, start: _Start, machine: zone.Zone) -> None:
    async with work.timeline.step("checkout"):
        prepared = await asyncio.to_thread(
            checkout.prepare,
            work.repository,
            work.commit,
            start.since,
            npmrc=npm.zone_npmrc(work.settings),
            own_modules=not start.plan.has_dependencies,
        )
        if start.trunk and start.trunk.scripts_ran:
            await _must(machine.run(checkout.cleaning(start.plan.caches)))
        await _must(machine.run(prepared.command(), fill=prepared.write_to))
    if prepared.submodules:
        paths = ", ".join(prepared.submodules[:_SUBMODULES_SHOWN])
        await work.write(
            output.detail(
                f"Note: git submodules are not fetched, their folders are absent: {paths}"
            )
        )


async def _make_trunk(
    work: _Work, start: _Start, machine: zone.Zone, trunk_uuid: str, runtime: str
) -> None:
    """Run what leads to the next trunk: its tree is that after the build script."""
    made = start.plan
    await _npm(work, start, machine)
    await _step(work, machine, made, made.prebuild, "dependencies")
    await _step(work, machine, made, made.install, "dependencies")
    await _step(work, machine, made, made.build, "build")
    await _check_guess(made, machine)
    async with work.timeline.step("snapshot"):
        if made.install.command:
            await _must(machine.run(("rm", "-rf", _NPM_CACHE)))
        manifest = _manifest(work, start, trunk_uuid, "trunk", runtime)
        await work.node.create_image(machine.uuid, manifest, keep_machine=True)


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


async def _npm(work: _Work, start: _Start, machine: zone.Zone) -> None:
    wanted = start.plan.npm
    if wanted.version == (start.trunk.npm if start.trunk else ""):
        return
    async with work.timeline.step("npm"):
        try:
            await asked_npm.put(work.settings, machine, wanted, work.write)
        except Refused as refused:
            raise BuildFailed(refused.failure) from refused


async def _make_image(
    work: _Work, start: _Start, machine: zone.Zone, image_uuid: str, runtime: str
) -> None:
    """Take away what only builds need; what is left of the zone is the app's image."""
    made = start.plan
    await _step(work, machine, made, made.prune, "prune")
    await _step(work, machine, made, made.cleanup, "prune")
    async with work.timeline.step("snapshot"):
        if made.prune.command or made.cleanup.command:
            await _must(machine.run(("rm", "-rf", _NPM_CACHE)))
        # It only idles, so there is nothing to wait for.
        await work.node.stop(machine.uuid, force=True)
        manifest = _manifest(work, start, image_uuid, "app", runtime)
        await work.node.create_image(machine.uuid, manifest, keep_machine=False)


async def _step(
    work: _Work, machine: zone.Zone, made: Plan, step: Step, timeline_name: str
) -> None:
    """Run a step of the plan, with its output; what is skipped is only said."""
    if not step.command:
        if step.name in ("install", "prune"):
            await work.write(output.step(f"{step.title}: skipped, {step.skip}"))
        return
    await work.write(output.step(step.title))

    shown: deque[str] = deque(maxlen=zone.TAIL_LINES)
    filtered = WithoutUsage()

    async def write_line(line: str) -> None:
        if filtered.shows(line) and (shown or line.strip()):
            shown.append(line)
            await work.write(output.detail(line))

    async with work.timeline.step(timeline_name):
        running = machine.run(
            step.command, environment=_environment(work, made, step), write_line=write_line
        )
        try:
            async with asyncio.timeout(work.settings.build_timeout_s):
                result = await running
        except TimeoutError:
            raise BuildFailed(classify(step.name, None, "")) from None
    if result.code:
        tail = "\n".join(shown)
        raise BuildFailed(classify(step.name, result.code, tail), tail)


def _environment(work: _Work, made: Plan, step: Step) -> dict[str, str]:
    """Config vars go over the plan's variables; what the platform needs goes over both."""
    variables: dict[str, str | None] = {
        **made.environment,
        **work.config,
        **step.environment,
        **_PLATFORM,
        "SOURCE_VERSION": work.commit,
    }
    return {name: value for name, value in variables.items() if value is not None}


async def _must(running: Coroutine[Any, Any, zone.Result]) -> None:
    """A command of our own: when it fails, the platform has."""
    async with asyncio.timeout(_OWN_TIMEOUT_S):
        result = await running
    if result.code:
        raise PlatformError(f"the build zone failed ({result.code}): {result.tail}")


async def _undo(node: Node, *uuids: str) -> None:
    for image in uuids:
        await node.delete_image(image)


def _manifest(work: _Work, start: _Start, uuid: str, role: str, runtime: str) -> dict[str, Any]:
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
        scripts_ran=start.plan.runs_scripts,
        npm=start.plan.npm.version,
    )


def _built(start: _Start, commit: str, trunk_uuid: str, image_uuid: str, runtime: str) -> Built:
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
