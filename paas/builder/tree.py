"""The zone's tree: first the commit's files, then what the lock file and install scripts add."""

import asyncio
import posixpath
from dataclasses import replace

from buildpacks import aptfile, output
from buildpacks.nodejs import chosen
from buildpacks.plan import Plan
from gitserver import trees
from paas.builder import checkout, steps, zone
from paas.builder.images import Trunk
from paas.builder.nodejs import npmrc
from paas.builder.nodejs.tools import TOOLS
from paas.builder.work import BuildFailed, Building, must

_PROBED_MAX = 5000
_SETTINGS_BYTES_MAX = 64 << 10

Repeated = tuple[str, ...] | None
"""Dependencies whose install scripts the next build repeats; None: it is to install afresh."""


async def check_out(building: Building) -> None:
    """The tree equals the commit afterwards, but for dependencies and caches."""
    work, start = building.work, building.start
    async with work.timeline.step("checkout"):
        trunk, afresh = start.trunk, start.plan.installs_afresh
        whole = trunk is None or trunk.scripts_ran or afresh
        whole = whole or (trunk is not None and trunk.ignored != start.ignored.key)
        await _fill(building, whole=whole, keep_modules=not afresh)


async def install(building: Building) -> tuple[bool, Repeated]:
    """Run the install step. Were all dependencies installed, and what is repeated next time?"""
    start, plan = building.start, building.start.plan
    afresh = plan.installs_afresh
    try:
        await steps.run(building, plan.install, "dependencies")
    except BuildFailed:
        if not plan.install.fallback:
            raise
        # Scripts may fail only because they ran before: from nothing npm has the last word.
        await building.work.write(
            output.detail("Once more, with all dependencies installed again:")
        )
        await _fill(building, whole=True, keep_modules=False)
        again = replace(
            plan.install, command=plan.install.fallback, title="Installing dependencies"
        )
        await steps.run(building, again, "dependencies")
        afresh = True
    if not (afresh or plan.updates):
        return False, start.trunk.repeated if start.trunk else ()
    return True, await _probe(building) if plan.probe else ()


async def _fill(building: Building, *, whole: bool, keep_modules: bool) -> checkout.Checkout:
    work, start, machine = building.work, building.start, building.machine
    prepared = await asyncio.to_thread(
        checkout.prepare,
        work.repository,
        work.commit,
        start.trunk.commit if start.trunk else None,
        whole=whole,
        npmrc=npmrc.for_zones(work.settings) + await asyncio.to_thread(_trusted, building),
        modules=checkout.modules(start.plan),
        large=start.large,
        hides=start.ignored.hides,
    )
    if start.trunk and whole:
        await must(machine.run(_cleaning(start.trunk, start.plan, keep_modules=keep_modules)))
    await must(machine.run(prepared.command(), fill=prepared.write_to))
    return prepared


def _trusted(building: Building) -> bytes:
    """What the package manager takes from the app in the place where it trusts it: the app's config
    vars are there for its own files. Blocks.
    """
    work, plan = building.work, building.start.plan
    name = TOOLS[plan.manager.name].distrusts
    if not name:
        return b""
    file = posixpath.join(plan.installs_in, name)
    try:
        found = trees.read_file(work.repository, work.commit, file, _SETTINGS_BYTES_MAX)
    except ValueError:
        return b""
    return found + b"\n" if found else b""


def _cleaning(trunk: Trunk, plan: Plan, *, keep_modules: bool) -> tuple[str, ...]:
    if trunk.commit is not None:
        caches = (*plan.caches, *((aptfile.FOLDER,) if trunk.apt else ()))
        return checkout.cleaning(caches, plan.installed, keep_modules=keep_modules)
    # Another app's: nothing of it but the installation.
    installed = ("node_modules", *plan.installed) if keep_modules else ()
    return checkout.cleaning(installed, keep_modules=False)


async def _probe(building: Building) -> Repeated:
    plan = building.start.plan
    lines: list[str] = []

    async def keep(line: str) -> None:
        if len(lines) < _PROBED_MAX:
            lines.append(line)

    result = await building.machine.run(
        plan.probe,
        environment=steps.environment(building, plan.install),
        write_line=keep,
        working_directory=zone.at(plan.installs_in),
    )
    return None if result.code else chosen(lines)
