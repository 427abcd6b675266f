"""A machine with its data to another node, or to a file, and from there: `vmadm send`, `receive`.

What arrives is a machine when it is whole, and nothing before: it is `provisioning` until then,
which the node's start clears away. The caller holds the machine's lock.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from paas.node.errors import NodeError
from paas.node.machines.bundle import Bundle
from paas.node.machines.life import Life
from paas.node.machines.snapshots import SENDING


async def send(life: Life, descriptor: int, timeout_s: float) -> None:
    """Stop it and write it; it stays where it is, stopped. Raises PoolError, OSError."""
    machine, pool = life.machine, life.host.pool
    await life.stop(force=False, timeout_s=timeout_s)
    bundle = Bundle(descriptor)
    await asyncio.to_thread(pool.delete_snapshot, machine.uuid, SENDING)
    await asyncio.to_thread(pool.snapshot, machine.uuid, SENDING)
    try:
        description = {"driver": pool.driver, "properties": dict(machine.properties)}
        await asyncio.to_thread(bundle.write_description, description)

        def give(target: int) -> None:
            with os.fdopen(target, "wb", closefd=False) as file:
                pool.send(machine.uuid, SENDING, file)

        await _through_a_pipe(give, bundle.copy_in)
    finally:
        await asyncio.to_thread(pool.delete_snapshot, machine.uuid, SENDING)


def described(bundle: Bundle, driver: str) -> Any:
    """The properties of the machine that a bundle brings. Blocks; raises NodeError."""
    description = bundle.read_description()
    if description.get("driver") != driver:
        other = repr(description.get("driver"))[:32]
        text = f"the stream is of a pool with the driver {other}, this one has {driver}"
        raise NodeError("InvalidBundle", text)
    return description.get("properties")


async def receive(life: Life, bundle: Bundle) -> None:
    """Its dataset from what follows the description. Raises NodeError, and PoolError."""
    machine, pool = life.machine, life.host.pool

    def take(source: int) -> None:
        with os.fdopen(source, "rb", closefd=False) as file:
            pool.receive(machine.uuid, file, machine.quota_bytes)

    await _through_a_pipe(bundle.copy_out, take)
    await asyncio.to_thread(pool.delete_snapshot, machine.uuid, SENDING)


async def _through_a_pipe(write: Callable[[int], None], read: Callable[[int], None]) -> None:
    """Both to their ends, each in a thread. Of two that fail it is told why, not that it did."""
    source, target = os.pipe()
    outcomes = await asyncio.gather(
        asyncio.to_thread(_closing, write, target),
        asyncio.to_thread(_closing, read, source),
        return_exceptions=True,
    )
    errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    if errors:
        raise min(errors, key=_rank)


def _rank(error: BaseException) -> int:
    """What is wrong with the stream is why its reader fails; that it is gone tells nothing."""
    if isinstance(error, BrokenPipeError):
        return 2
    return 0 if getattr(error, "code", "") == "InvalidBundle" else 1


def _closing(work: Callable[[int], None], descriptor: int) -> None:
    try:
        work(descriptor)
    finally:
        with suppress(OSError):
            os.close(descriptor)
