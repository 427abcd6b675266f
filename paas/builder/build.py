"""One build: from a commit to an app's image and its next trunk. `build` is the story.

The build zone starts as the app's trunk (its newest built tree), so that a push of one line neither
installs nor copies anything: the changed files enter, what has to be repeated is repeated, and the
zone's dataset becomes the image. Where nothing is to be run at all, there is no zone (`derive`).
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from buildpacks.findings import Failure
from buildpacks.plan import Expected, Step
from paas.builder import (
    apt,
    derive,
    images,
    installations,
    preflight,
    profile,
    rehearsal,
    site,
    steps,
    tree,
    zone,
)
from paas.builder.classic import outcome
from paas.builder.classic import running as classic
from paas.builder.nodejs import package_managers
from paas.builder.nodejs.tools import TOOLS
from paas.builder.work import BuildFailed, Building, Made, Start, Work, must
from paas.node import words
from paas.node.client import Node
from paas.node.errors import NodeError


@dataclass(frozen=True)
class Built:
    """`processes` has the commands as written, `commands` as they are run:
    `{"argv": [...], "environment": {...}, "folder": "", "runtime": "Bun 1.4.5",
    "runtimes": {"bun": uuid}}`."""

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


async def build(work: Work) -> Built:
    """Make the image of a commit. When it fails, only what `keep` was told of stays.

    Raises BuildFailed for what the developer can change, PlatformError and NodeError otherwise.
    """
    async with _all_or_nothing(work.node) as unclaimed:
        start = await preflight.begin(work)
        try:
            made = await _make(work, start, unclaimed)
        except NodeError as error:
            # Others may delete installations at any time: they belong to nobody.
            if error.code != "ImageNotInstalled" or not start.is_shared:
                raise
            start = await preflight.begin(work)
            made = await _make(work, start, unclaimed)
    return _built(work, start, made)


async def _make(work: Work, start: Start, unclaimed: set[str]) -> Made:
    return await derive.image(work, start, unclaimed) or await _in_zone(work, start, unclaimed)


async def _in_zone(work: Work, start: Start, unclaimed: set[str]) -> Made:
    async with _zone(work, start) as machine:
        building = Building(work, start, machine, unclaimed)
        await tree.check_out(building)
        await apt.put(building)
        await _run_earlier(building)
        trunk_uuid, repeated = await _make_trunk(building)
        return await _make_image(building, repeated, trunk_uuid)


async def _run_earlier(building: Building) -> None:
    """Other people's buildpacks that stand before the platform's own."""
    before = building.start.order.before
    await classic.run(building, before)
    if set(before) & set(building.start.order.others):
        await outcome.check_untouched(building)


@contextlib.asynccontextmanager
async def _all_or_nothing(node: Node) -> AsyncIterator[set[str]]:
    """The images that are in the set when the build fails are deleted."""
    unclaimed: set[str] = set()
    try:
        yield unclaimed
    except BaseException as error:
        await asyncio.shield(_delete(node, unclaimed))
        if isinstance(error, NodeError) and error.code == "NoSpace":
            raise BuildFailed(_no_space(error)) from error
        raise


async def _delete(node: Node, uuids: Collection[str]) -> None:
    for image in uuids:
        await node.delete_image(image)


def _no_space(error: NodeError) -> Failure:
    """For the developer, who can't help it but must know that the push is not to blame."""
    return Failure(
        "no_space",
        f"The platform has no room for another build: {error.message}",
        "Your app runs on as it was. Push again when the operator has made room.",
    )


@contextlib.asynccontextmanager
async def _zone(work: Work, start: Start) -> AsyncIterator[zone.Zone]:
    payload = zone.payload(
        uuid=str(uuid.uuid4()),
        image=start.trunk.uuid if start.trunk else start.bases.base,
        stack=start.bases.build_stack,
        runtimes=start.runtimes,
        tags={words.APP: work.app_id, words.BUILD: work.build_id},
        name=work.app_name,
        memory_mib=work.limits.memory_mib,
    )
    async with contextlib.AsyncExitStack() as stack:
        async with work.timeline.step("zone"):
            machine = await stack.enter_async_context(zone.running(work.node, payload))
        yield machine


async def _make_trunk(building: Building) -> tuple[str, tree.Repeated]:
    """Run what leads to the next trunk: its tree is that after the build script.

    What was installed is a trunk already before that script: if it fails, that need not be again.
    """
    start, plan = building.start, building.start.plan
    present = start.trunk.managers if start.trunk else {}
    await package_managers.put(building.work, building.machine, plan.manager, present)
    await steps.run(building, plan.prebuild, "dependencies")
    installed, repeated = await tree.install(building)
    if installed and repeated == ():
        await _keep_installation(building)
    if installed and plan.build.command:
        await _keep_trunk(building, repeated, rehearsed=False)
    await steps.run(building, plan.build, "build")
    if plan.expected:
        await _check(plan.expected, building.machine, plan.folder)
    await rehearsal.rehearse(building, installed=installed)
    return await _keep_trunk(building, repeated, rehearsed=start.rehearsed), repeated


async def _keep_trunk(building: Building, repeated: tree.Repeated, *, rehearsed: bool) -> str:
    """The zone's tree as it is becomes the app's trunk; the image's uuid."""
    work, plan, trunk_uuid = building.work, building.start.plan, str(uuid.uuid4())
    async with work.timeline.step("snapshot"):
        await _empty_cache(building, plan.prebuild, plan.install, plan.build)
        building.unclaimed.add(trunk_uuid)
        made = replace(building.start.tree("trunk", work.app_id), rehearsed=rehearsed)
        manifest = _manifest(building, trunk_uuid, made, repeated)
        await work.node.create_image(building.machine.uuid, manifest, keep_machine=True)
        await work.keep(trunk_uuid, work.commit, plan.dependencies_key)
        building.unclaimed.discard(trunk_uuid)
    return trunk_uuid


async def _keep_installation(building: Building) -> None:
    """The app's other builds, and its account's other apps, may start from the zone as it is."""
    work, start = building.work, building.start
    made = installations.kind(work.account, start.plan, start.bases.build_stack)
    if made is None:
        return
    async with work.timeline.step("snapshot"):
        await _empty_cache(building, start.plan.install)
        # It has code of this app, and is made anew after an installation.
        await rehearsal.forget(building)
        manifest = installations.manifest(str(uuid.uuid4()), work.build_id, made)
        await work.node.create_image(building.machine.uuid, manifest, keep_machine=True)


async def _empty_cache(building: Building, *since: Step) -> None:
    """What the package manager fetched in these steps belongs into no image."""
    if any(step.command for step in since):
        cache = TOOLS[building.start.plan.manager.name].cache
        await must(building.machine.run(("rm", "-rf", cache)))


async def _check(expected: Expected, machine: zone.Zone, folder: str) -> None:
    tests = " || ".join(f'test -e "${number + 1}"' for number in range(len(expected.files)))
    command = ("sh", "-c", tests, "sh", *expected.files)
    result = await machine.run(command, working_directory=zone.at(folder))
    if result.code:
        raise BuildFailed(expected.failure)


async def _make_image(building: Building, repeated: tree.Repeated, trunk_uuid: str) -> Made:
    """Take away what only builds need; what is left of the zone, once the later buildpacks have
    run, is the app's image."""
    work, plan, image_uuid = building.work, building.start.plan, str(uuid.uuid4())
    await steps.run(building, plan.prune, "prune")
    await steps.run(building, plan.cleanup, "prune")
    if plan.site:
        await site.finish(building, plan.site)
    made = Made(trunk_uuid, image_uuid)
    order = building.start.order
    if order.others or not order.has_ours:
        made = await _with_others(building, made)
    async with work.timeline.step("snapshot"):
        await _empty_cache(building, plan.prune, plan.cleanup)
        # It only idles, so there is nothing to wait for.
        await work.node.stop(building.machine.uuid, force=True)
        building.unclaimed.add(image_uuid)
        tree_of_app = building.start.tree("app", work.app_id)
        manifest = _manifest(building, image_uuid, tree_of_app, repeated)
        await work.node.create_image(building.machine.uuid, manifest, keep_machine=False)
    return made


async def _with_others(building: Building, made: Made) -> Made:
    """What the later of other people's buildpacks make of it, and what all of them have said."""
    work = building.work
    await classic.run(building, building.start.order.after)
    processes = await outcome.processes(building)
    await work.admit({type_: process.command for type_, process in processes.items()})
    has_profile = await outcome.has_profile(building)
    has_ours = building.start.order.has_ours
    known_by = "" if has_ours or not building.detected else building.detected[-1]
    return replace(made, processes=processes, has_profile=has_profile, known_by=known_by)


def _manifest(
    building: Building, uuid: str, made: images.Tree, repeated: tree.Repeated
) -> dict[str, Any]:
    work = building.work
    start = building.start
    ran = start.plan.runs_scripts or repeated != () or bool(start.order.others)
    return images.manifest(
        uuid=uuid,
        app_name=work.app_name,
        build_id=work.build_id,
        commit=work.commit,
        tree=replace(made, scripts_ran=ran, repeated=repeated),
    )


def _built(work: Work, start: Start, made: Made) -> Built:
    plan = start.plan
    of_image = rehearsal.VARIABLES if start.rehearsed else {}
    processes = plan.processes if made.processes is None else made.processes
    sources = start.has_profile or made.has_profile
    return Built(
        image_uuid=made.image_uuid,
        trunk_uuid=made.trunk_uuid,
        lock_key=plan.dependencies_key,
        commit=work.commit,
        processes={type_: process.command for type_, process in processes.items()},
        commands={
            type_: {
                "argv": list(profile.sourcing(process.argv) if sources else process.argv),
                "environment": {**of_image, **plan.environment, **process.environment},
                "folder": plan.folder,
                "runtime": made.known_by or plan.runs(process).said,
                "runtimes": dict(start.runtimes),
            }
            for type_, process in processes.items()
        },
        runtime_uuid=start.runtimes[plan.runtime.place],
        runtime_version=plan.runtime.version,
        stack_uuid=start.bases.run_stack,
        environment=dict(plan.environment),
    )
