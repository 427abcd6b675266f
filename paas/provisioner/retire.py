"""Takes instances away in the right order: out of the router, in-flight done, SIGTERM, SIGKILL.

An instance without a row in the database is to be retired: that is how it is recorded, so a crash
in the middle is made good at the next start.
"""

import logging
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from paas.apps.instances import Instance
from paas.apps.processes import WEB
from paas.errors import PlatformError
from paas.node import words
from paas.node.client import Machine
from paas.node.errors import NodeError
from paas.platform.platform import Platform
from paas.store import instances, runs

STOP_TIMEOUT_S = 30.0
"""From SIGTERM to SIGKILL, as Heroku has it."""
NODE_AWAY_S = 600.0
log = logging.getLogger(__name__)


def forget(connection: Connection, old: Iterable[Instance]) -> None:
    """Record that they are to go; part of the transaction that makes them superfluous."""
    for instance in old:
        instances.delete(connection, instance.machine_uuid)


async def let_go(platform: Platform, old: Sequence[Instance]) -> None:
    """Record that they are to go, and retire them in the background."""
    await platform.database.run(forget, old)
    retire(platform, old)


def retire(platform: Platform, old: Sequence[Instance]) -> None:
    """Let forgotten instances go in the background."""
    for instance in old:
        web = instance.type == WEB
        platform.background.start(
            _retire(platform, instance.machine_uuid, drain=web), f"retire {instance.name}"
        )


def discard(platform: Platform, new: Sequence[Instance]) -> None:
    """Let instances go that never got a request."""
    for instance in new:
        work = _retire(platform, instance.machine_uuid, drain=False)
        platform.background.start(work, f"discard {instance.name}")


async def retire_orphans(platform: Platform, *, one_offs: bool) -> None:
    """Let machines go that no row claims; `one_offs`: release commands never have one.

    The machines are looked at first: one that is made meanwhile has its row already.
    """
    machines = list(platform.machines.known.values())
    claimed = await platform.database.run(runs.machines)
    for machine in machines:
        ours = words.INSTANCE in machine.get("tags", {})
        if ours and machine["uuid"] not in claimed and (one_offs or not _is_one_off(machine)):
            work = _retire(platform, machine["uuid"], drain=True)
            platform.background.start(work, f"retire machine {machine['uuid']}")


def _is_one_off(machine: Machine) -> bool:
    return bool(machine.get("internal_metadata", {}).get(words.RESTART_POLICY) == "no")


async def _retire(platform: Platform, machine_uuid: str, *, drain: bool) -> None:
    if drain:
        await platform.routes.publish_until_obeyed()
        await _drain(platform, machine_uuid)
    await remove(platform, machine_uuid)


async def _drain(platform: Platform, machine_uuid: str) -> None:
    try:
        drained = await platform.router.drain(machine_uuid, platform.settings.drain_timeout_s)
    except PlatformError as error:
        log.warning("machine %s is stopped without a drain: %s", machine_uuid, error)
        return
    if not drained:
        log.warning("machine %s still had requests after the drain timeout", machine_uuid)


async def remove(platform: Platform, machine_uuid: str) -> None:
    """Stop the machine politely and delete it. It is fine when it is gone."""

    async def stop_and_delete() -> None:
        try:
            await platform.node.stop(machine_uuid, timeout_s=STOP_TIMEOUT_S)
        except NodeError as error:
            if error.code == "Unavailable":
                raise
        await platform.node.delete(machine_uuid, missing_ok=True)

    await platform.machines.persist(stop_and_delete, NODE_AWAY_S)
