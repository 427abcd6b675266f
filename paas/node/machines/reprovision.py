"""A machine's dataset made anew from another image: `vmadm reprovision`.

The new dataset stands beside the old one until it is whole. What is under way is in the record
(`reprovisions`), so that a node that was killed goes on at its next start. The caller holds the
machine's lock.
"""

import asyncio

from paas.node.machines import protection
from paas.node.machines.life import Life

_BESIDE = "-reprovisioned"


async def run(life: Life, image: str) -> None:
    """Snapshots go with the old dataset, as on SmartOS. Raises PoolError, NodeError."""
    protection.refuse_reprovision(life.machine)
    starts = life.runs or life.machine.properties["autoboot"]
    await life.stop(force=True, timeout_s=0)
    life.record(reprovisions=image)
    await life.leave_dataset()
    try:
        await _replace(life, image)
    except Exception:
        if await asyncio.to_thread(life.host.pool.exists, life.machine.uuid):
            # The old dataset is still there: nothing has happened.
            life.change(reprovisions=None)
            await asyncio.to_thread(life.host.pool.destroy, life.machine.uuid + _BESIDE)
        raise
    if starts:
        await life.start()


async def reconcile(life: Life) -> None:
    """At the node's start: finish what was begun."""
    image = life.machine.reprovisions
    if image is not None:
        await life.leave_dataset()
        await _replace(life, image)


async def _replace(life: Life, image: str) -> None:
    uuid, pool = life.machine.uuid, life.host.pool
    beside = uuid + _BESIDE

    def replace() -> None:
        pool.clone(image, beside, life.machine.quota_bytes)
        pool.destroy(uuid)
        pool.rename(beside, uuid)

    await asyncio.to_thread(replace)
    properties = {**life.machine.properties, "image_uuid": image}
    life.record(properties=properties, reprovisions=None, snapshots=[])
