"""Snapshots of machines, with vmadm's names: `zones/<uuid>@vmsnap-<name>` and `snapshots[]`.

A snapshot counts when the machine's record has it: one that only the pool has was half made or half
deleted, and goes at the node's next start. The caller holds the machine's lock.
"""

import asyncio
import re
from typing import Any

from paas.node.errors import NodeError
from paas.node.machines import config
from paas.node.machines.life import Life
from paas.node.machines.machine import now

_PREFIX = "vmsnap-"
SENDING = "sending"
"""Of a machine that is being sent; for as long as that takes."""
_NAME = re.compile(r"[a-zA-Z0-9_.:%-]{1,64}")


async def create(life: Life, name: Any) -> None:
    """Of what is on disk at this moment. Raises PoolError, and NodeError `SnapshotExists`.

    Never repeatable: who is told "created" means to come back to this moment, not to an earlier.
    """
    if _checked(name) in _names(life):
        (made,) = {item["created_at"] for item in life.machine.snapshots if item["name"] == name}
        raise NodeError(
            "SnapshotExists",
            f"VM {life.machine.uuid} has a snapshot {name!r} already, made {made}: choose another "
            "name, or delete that one first",
        )
    await asyncio.to_thread(_drop, life, name)
    await asyncio.to_thread(config.write, life)
    try:
        await asyncio.to_thread(life.host.pool.snapshot, life.machine.uuid, _PREFIX + name)
    finally:
        await asyncio.to_thread(config.remove, life)
    try:
        life.record(snapshots=[*life.machine.snapshots, {"name": name, "created_at": now()}])
    except OSError:
        await asyncio.to_thread(_drop, life, name)
        raise


async def rollback(life: Life, name: Any) -> None:
    """Stop -F, the dataset, tags and metadata as they were, start. Later snapshots are lost
    (`zfs rollback -r`).
    """
    _known(life, name)
    machine = life.machine
    await life.stop(force=True, timeout_s=0)
    await life.leave_dataset()
    await asyncio.to_thread(
        life.host.pool.rollback, machine.uuid, _PREFIX + name, machine.quota_bytes
    )
    position = _names(life).index(name)
    later = machine.snapshots[position + 1 :]
    # One record: what the machine is told of itself is what it was told then.
    properties = await asyncio.to_thread(config.restored, life)
    life.record(properties=properties, snapshots=machine.snapshots[: position + 1])
    await asyncio.to_thread(config.remove, life)
    for snapshot in later:
        await asyncio.to_thread(_drop, life, snapshot["name"])
    await life.start()


async def delete(life: Life, name: Any) -> None:
    """Raises NodeError `SnapshotNotFound`."""
    _known(life, name)
    life.record(snapshots=[item for item in life.machine.snapshots if item["name"] != name])
    await asyncio.to_thread(_drop, life, name)


async def reconcile(life: Life) -> None:
    """At the node's start: the record and the pool tell the same."""
    properties = await asyncio.to_thread(config.restored, life)
    if properties != life.machine.properties:
        life.change(properties=properties)
    await asyncio.to_thread(config.remove, life)
    there = await asyncio.to_thread(life.host.pool.snapshots, life.machine.uuid)
    if SENDING in there:
        await asyncio.to_thread(life.host.pool.delete_snapshot, life.machine.uuid, SENDING)
    names = {item.removeprefix(_PREFIX) for item in there if item.startswith(_PREFIX)}
    recorded = [item for item in life.machine.snapshots if item["name"] in names]
    if len(recorded) != len(life.machine.snapshots):
        life.change(snapshots=recorded)
    for name in names - {item["name"] for item in recorded}:
        await asyncio.to_thread(_drop, life, name)


def _drop(life: Life, name: str) -> None:
    life.host.pool.delete_snapshot(life.machine.uuid, _PREFIX + name)


def _names(life: Life) -> list[str]:
    return [item["name"] for item in life.machine.snapshots]


def _known(life: Life, name: Any) -> None:
    if _checked(name) not in _names(life):
        raise NodeError(
            "SnapshotNotFound", f"No snapshot named {name!r} for VM {life.machine.uuid}"
        )


def _checked(name: Any) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise NodeError(
            "InvalidSnapshotName",
            "Invalid snapshot name: use 1 to 64 letters, digits and any of - _ . : %",
        )
    return name
