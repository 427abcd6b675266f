"""The zone's tree: first the commit's files, then what the lock file and install scripts add."""

import asyncio
from dataclasses import replace

from buildpacks import output
from buildpacks.nodejs import scripts
from paas.builder import checkout, steps, zone
from paas.builder.nodejs import npm
from paas.builder.work import BuildFailed, Start, Work, must

_SUBMODULES_SHOWN = 5
_PROBED_MAX = 5000

Repeated = tuple[str, ...] | None
"""Dependencies whose install scripts the next build repeats; None: it is to install afresh."""


async def check_out(work: Work, start: Start, machine: zone.Zone) -> None:
    """The tree equals the commit afterwards, but for dependencies and caches."""
    async with work.timeline.step("checkout"):
        trunk, afresh = start.trunk, start.plan.installs_afresh
        whole = trunk is None or trunk.scripts_ran or afresh
        prepared = await _fill(work, start, machine, whole=whole, keep_modules=not afresh)
    if prepared.submodules:
        paths = ", ".join(prepared.submodules[:_SUBMODULES_SHOWN])
        await work.write(
            output.detail(
                f"Note: git submodules are not fetched, their folders are absent: {paths}"
            )
        )


async def install(work: Work, start: Start, machine: zone.Zone) -> tuple[bool, Repeated]:
    """Run the install step. Were all dependencies installed, and what is repeated next time?"""
    made, afresh = start.plan, start.plan.installs_afresh
    try:
        await steps.run(work, machine, made, made.install, "dependencies")
    except BuildFailed:
        if not made.install.fallback:
            raise
        # Scripts may fail only because they ran before: from nothing npm has the last word.
        await work.write(output.detail("Once more, with all dependencies installed again:"))
        await _fill(work, start, machine, whole=True, keep_modules=False)
        again = replace(
            made.install, command=made.install.fallback, title="Installing dependencies"
        )
        await steps.run(work, machine, made, again, "dependencies")
        afresh = True
    if not afresh:
        return False, start.trunk.repeated if start.trunk else ()
    return True, await _ask_for_scripts(machine) if made.asks_for_scripts else ()


async def _fill(
    work: Work, start: Start, machine: zone.Zone, *, whole: bool, keep_modules: bool
) -> checkout.Checkout:
    prepared = await asyncio.to_thread(
        checkout.prepare,
        work.repository,
        work.commit,
        start.trunk.commit if start.trunk else None,
        whole=whole,
        npmrc=npm.zone_npmrc(work.settings),
        own_modules=not start.plan.has_dependencies,
    )
    if start.trunk and whole:
        cleaning = checkout.cleaning(start.plan.caches, keep_modules=keep_modules)
        await must(machine.run(cleaning))
    await must(machine.run(prepared.command(), fill=prepared.write_to))
    return prepared


async def _ask_for_scripts(machine: zone.Zone) -> Repeated:
    lines: list[str] = []

    async def keep(line: str) -> None:
        if len(lines) < _PROBED_MAX:
            lines.append(line)

    result = await machine.run(scripts.PROBE, write_line=keep)
    return None if result.code else scripts.chosen(lines)
