"""What a build starts from: everything that can be known before a zone is made."""

import asyncio
from dataclasses import replace

from buildpacks import classic, deno, nodejs, output, ranges, roots, static
from buildpacks.findings import Notice, Refused, found_in
from buildpacks.plan import Plan, Runtime
from buildpacks.tree import below
from gitserver import trees
from paas.builder import (
    apt_packages,
    derive,
    images,
    installations,
    large_files,
    profile,
    rehearsal,
    slugignore,
    submodules,
    sweeping,
)
from paas.builder.apt_packages import Wanted
from paas.builder.classic import keeping
from paas.builder.nodejs import choice, offer
from paas.builder.runtimes import install as runtimes
from paas.builder.source import CommitTree
from paas.builder.work import Start, Work, buildpacks_key, refused
from paas.node.client import Manifest


async def begin(work: Work) -> Start:
    """Plans the build from git's objects, in milliseconds, and sees that the runtime is there.

    Raises BuildFailed.
    """
    async with work.timeline.step("preflight"):
        installed = await work.node.images()
        bases = images.bases(installed)
        ignored = await asyncio.to_thread(_ignored, work)
        entries, left_out = await asyncio.to_thread(_entries, work, ignored)
        await work.write(slugignore.note(ignored, left_out) + submodules.note(entries))
        large = await asyncio.to_thread(
            large_files.find, work.repository, entries, work.source_version
        )
        tree = await asyncio.to_thread(
            CommitTree, work.repository, work.commit, large, ignored.hides
        )
        apt = await asyncio.to_thread(_apt, work, tree, bases, installed)
        plan, trunk = await _plan(work, tree, bases, installed, apt)
    found = await runtimes.images(work, bases, plan.runtimes, installed)
    order = classic.order(work.buildpacks)
    start = Start(
        bases=bases,
        plan=plan,
        trunk=trunk,
        runtimes=found,
        large=large,
        rehearsed=order.has_ours and rehearsal.is_wanted(plan),
        ignored=ignored,
        apt=apt,
        order=order,
        has_profile=profile.is_in(below(tree, plan.folder)),
    )
    await asyncio.to_thread(keeping.forget_others, work.settings, work.app_id, start.order.others)
    return replace(start, origin=await asyncio.to_thread(derive.origin, work, start, installed))


def _ignored(work: Work) -> slugignore.Ignored:
    try:
        return slugignore.read(work.repository, work.commit, work.root)
    except Refused as error:
        raise refused(error) from error


def _entries(work: Work, ignored: slugignore.Ignored) -> tuple[list[trees.Entry], int]:
    """Those of the build, and how many others there are."""
    entries = list(trees.entries(work.repository, work.commit))
    kept = [entry for entry in entries if not ignored.hides(entry.path)]
    return kept, len(entries) - len(kept)


def _apt(work: Work, tree: CommitTree, bases: images.Bases, installed: list[Manifest]) -> Wanted:
    stack = next(image for image in installed if image["uuid"] == bases.run_stack)
    try:
        return apt_packages.wanted(below(tree, work.root), tree, stack)
    except Refused as error:
        raise refused(error) from error


async def _plan(
    work: Work,
    tree: CommitTree,
    bases: images.Bases,
    installed: list[Manifest],
    apt: Wanted,
) -> tuple[Plan, images.Trunk | None]:
    """The plan, and the trunk that the build may start from."""

    async def decided(trunk: images.Trunk | None) -> Plan:
        """Native modules may be made with packages that others have not."""
        plan = await _decide(work, tree, trunk, installed)
        shareable = plan.is_shareable and not apt.key and not order.before
        environment = {**apt.environment, **plan.environment}
        return replace(plan, is_shareable=shareable, environment=environment)

    order = classic.order(work.buildpacks)
    trunk = images.trunk(installed, work.trunk) if work.trunk else None
    await sweeping.delete_trunks(work.node, installed, work.app_id, trunk.uuid if trunk else "")
    if work.from_nothing:
        await work.write(output.step("Building from nothing, as asked"))
        trunk = None
    plan = await decided(trunk)
    await _say(work, plan)
    await work.admit({type_: process.command for type_, process in plan.processes.items()})
    if trunk and not await asyncio.to_thread(_fits, work, bases, plan, trunk, apt):
        plan, trunk = await decided(None), None
    shared = _shared(work, bases, plan, installed)
    if shared:
        plan, trunk = await decided(shared), shared
    return plan, trunk


def _shared(
    work: Work, bases: images.Bases, plan: Plan, installed: list[Manifest]
) -> images.Trunk | None:
    """What another build installed for such a lock file, where the app's own tree is of no use."""
    wanted = installations.kind(work.account, plan, bases.build_stack)
    if wanted is None or work.from_nothing or not plan.installs_afresh:
        return None
    found = installations.find(installed, wanted)
    return images.trunk_of(found) if found else None


async def _decide(
    work: Work, tree: CommitTree, trunk: images.Trunk | None, installed: list[Manifest]
) -> Plan:
    """By whose buildpack the tree is planned: HTML files alone need nothing of Node.js."""

    mounted = Runtime("", "", max(offer.runtimes(installed), key=ranges.release, default=""), "")
    own = below(tree, work.root)

    def of_others() -> Plan:
        roots.check(tree, work.root)
        with found_in(work.root):
            return classic.plan(own, mounted, work.root)

    def site() -> Plan | None:
        if not static.detect(own):
            return None
        with found_in(work.root):
            return static.plan(own, mounted, work.root)

    def is_deno() -> bool:
        roots.check(tree, work.root)
        return deno.detect(below(tree, work.root))

    try:
        if not classic.order(work.buildpacks).has_ours:
            return await asyncio.to_thread(of_others)
        if await asyncio.to_thread(is_deno):
            return await choice.decide_deno(work, tree, trunk, installed)
        found = await asyncio.to_thread(site)
    except Refused as error:
        raise refused(error) from error
    return found or await choice.decide(work, tree, trunk, installed)


def _fits(work: Work, bases: images.Bases, plan: Plan, trunk: images.Trunk, apt: Wanted) -> bool:
    """May the build start from the trunk? Otherwise it starts afresh: so it does for other packages
    of the distribution, which native modules may have been made with."""
    same_stack = trunk.stack == bases.build_stack
    # Without dependencies nothing is installed, which would not take away those of before.
    stale_modules = not plan.has_dependencies and trunk.lock_key != plan.dependencies_key
    known = trunk.commit and trees.resolve(work.repository, trunk.commit) is not None
    same_others = trunk.buildpacks == buildpacks_key(classic.order(work.buildpacks))
    same = same_stack and same_others and trunk.apt == apt.key
    return bool(same and not stale_modules and known)


async def _say(work: Work, plan: Plan) -> None:
    runtime, manager = plan.runtime, plan.manager
    where = f" in {plan.folder}" if plan.folder else ""
    order = classic.order(work.buildpacks)
    if len(order.names) > 1:
        numbered = (f"{number}. {name}" for number, name in enumerate(order.names, start=1))
        await work.write(output.step("Using buildpacks:") + output.detail("\n".join(numbered)))
    if not order.has_ours:
        return
    if plan.site:
        await work.write(output.step(f"Static site detected{where}: {plan.site.framework}"))
    else:
        await work.write(output.step(f"{runtime.name} app detected{where}"))
    if plan.installs_in != plan.folder and not plan.site:
        whole = plan.installs_in or "the repository"
        said = f"One of the workspaces of {whole}, whose lock file counts"
        await work.write(output.detail(said))
    asked = runtime.source and f" ({runtime.source}: {runtime.requested})"
    reason = runtime.reason and f", {runtime.reason}"
    if asked or reason:
        await work.write(output.detail(f"{runtime.said}{reason}{asked}"))
    if manager.version and manager.name != runtime.place:
        asked = manager.source and f" ({manager.source}: {manager.requested})"
        called = nodejs.named(manager.name).called
        await work.write(output.detail(f"{called} {manager.version}{asked}"))
    for notice in plan.notices:
        await work.write(_notice(notice))


def _notice(notice: Notice) -> str:
    said = output.detail(f"Note: {notice.message}")
    return said + (output.detail(notice.hint) if notice.hint else "")
