"""The plan of a Node.js app, chosen from the versions that there are."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from buildpacks import nodejs
from buildpacks.findings import Refused
from buildpacks.nodejs import ranges
from buildpacks.plan import Plan, Previous
from paas.builder.images import Trunk
from paas.builder.nodejs import offer, registry
from paas.builder.nodejs.tools import TOOLS
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
        manager = await asyncio.to_thread(nodejs.manager_of, tree, work.root)
        return await _decide(work, tree, manager, trunk, installed, wait=False)
    except Refused as error:
        first = error
    if not any(each.id.endswith(_ANSWERED_BY_THE_REGISTRY) for each in first.failures):
        raise refused(first) from first
    try:
        return await _decide(work, tree, manager, trunk, installed, wait=True)
    except Refused as error:
        raise refused(error) from error
    except PlatformError:
        raise refused(first) from first


async def _decide(
    work: Work,
    tree: CommitTree,
    manager: str,
    trunk: Trunk | None,
    installed: Sequence[Manifest],
    *,
    wait: bool,
) -> Plan:
    choice = await offer.offer(work.settings, installed, wait=wait)
    managers = await offer.managers(work.settings, installed, TOOLS[manager], wait=wait)
    in_place = trunk.managers.get(manager, "") if trunk else ""
    managers = replace(managers, in_place=in_place.partition("+")[0])
    last_major = _major(work.last_runtime, installed)

    def decide() -> Plan:
        return nodejs.plan(
            tree,
            folder=work.root,
            offer=choice,
            managers=managers,
            architecture=registry.architecture(),
            config=work.config,
            previous=_previous(trunk, last_major),
        )

    return await asyncio.to_thread(decide)


def _previous(trunk: Trunk | None, last_major: int | None) -> Previous:
    if trunk is None:
        return Previous(runtime_major=last_major)
    is_shared = trunk.commit is None
    return Previous(trunk.lock_key, last_major, trunk.repeated, is_shared=is_shared)


def _major(runtime: str | None, installed: Sequence[Manifest]) -> int | None:
    """Of Node.js in a runtime's image."""
    versions = {uuid: version for version, uuid in offer.runtimes(installed).items()}
    return ranges.release(versions[runtime])[0] if runtime in versions else None
