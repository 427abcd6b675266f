"""The plan of an app of Node.js, Bun or Deno, chosen from the versions that there are."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from buildpacks import classic, deno, nodejs
from buildpacks.findings import Refused
from buildpacks.plan import Plan, Previous
from paas.builder.images import Trunk
from paas.builder.nodejs import offer, registry
from paas.builder.nodejs.tools import TOOLS
from paas.builder.runtimes import install as runtimes
from paas.builder.source import CommitTree
from paas.builder.work import Work, refused
from paas.errors import PlatformError
from paas.node.client import Manifest

_ANSWERED_BY_THE_REGISTRY = ("_version_unavailable", "no_runtime")
"""How the ids of failures end that an answer of the registry could mend."""


async def decide(
    work: Work, tree: CommitTree, trunk: Trunk | None, installed: Sequence[Manifest]
) -> Plan:
    """The plan for a build that starts from the trunk. Raises BuildFailed.

    Only an app that asks for what is not here waits for a registry that is slow to answer.
    """
    try:
        needs = await asyncio.to_thread(nodejs.needs, tree, work.root)
    except Refused as error:
        raise refused(error) from error
    return await _asking(lambda wait: _decide(work, tree, needs, trunk, installed, wait=wait))


async def decide_deno(
    work: Work, tree: CommitTree, trunk: Trunk | None, installed: Sequence[Manifest]
) -> Plan:
    """The same for an app of Deno's."""
    previous = _previous(trunk, runtimes.majors(installed, work.last_runtimes))

    async def decided(wait: bool) -> Plan:
        offered = await runtimes.offer(work.settings, deno.NAME, installed, wait=wait)
        return await asyncio.to_thread(
            deno.plan, tree, folder=work.root, offer=offered, previous=previous
        )

    return await _asking(decided)


async def _asking(decide: Callable[[bool], Awaitable[Plan]]) -> Plan:
    """First with what is known at once, then with what the registry answers, if that may mend it.

    Raises BuildFailed.
    """
    try:
        return await decide(False)
    except Refused as error:
        first = error
    if not any(each.id.endswith(_ANSWERED_BY_THE_REGISTRY) for each in first.failures):
        raise refused(first) from first
    try:
        return await decide(True)
    except Refused as error:
        raise refused(error) from error
    except PlatformError:
        raise refused(first) from first


async def _decide(
    work: Work,
    tree: CommitTree,
    needs: nodejs.Needs,
    trunk: Trunk | None,
    installed: Sequence[Manifest],
    *,
    wait: bool,
) -> Plan:
    choice = await offer.offer(work.settings, installed, wait=wait)
    managers = await offer.managers(work.settings, installed, TOOLS[needs.manager], wait=wait)
    others = {
        place: await runtimes.offer(work.settings, place, installed, wait=wait)
        for place in needs.runtimes
    }
    in_place = trunk.managers.get(needs.manager, "") if trunk else ""
    managers = replace(managers, in_place=in_place.partition("+")[0])
    majors = runtimes.majors(installed, work.last_runtimes)

    def decide() -> Plan:
        return nodejs.plan(
            tree,
            folder=work.root,
            offer=choice,
            managers=managers,
            others=others,
            architecture=registry.architecture(),
            config=work.config,
            previous=_previous(trunk, majors),
            starts_elsewhere=bool(classic.order(work.buildpacks).others),
        )

    return await asyncio.to_thread(decide)


def _previous(trunk: Trunk | None, majors: Mapping[str, int]) -> Previous:
    last_major = majors.get("node")
    if trunk is None:
        return Previous(runtime_major=last_major, majors=majors)
    is_shared = trunk.commit is None
    return Previous(trunk.lock_key, last_major, trunk.repeated, is_shared=is_shared, majors=majors)
