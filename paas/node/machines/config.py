"""Tags and metadata beside a machine's root: a snapshot takes them along, as on SmartOS.

`<dataset>/config.json` is there while a snapshot is taken, and after the pool has rolled back until
the record has it. Found at the node's start, one of both was cut off: in either case it is true.
The folder that it stands in is the node's; the tenant sees `root/` alone. All of it blocks.
"""

import contextlib
import errno
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from paas.node.machines import payload
from paas.node.machines.life import Life
from paas.node.machines.payload import BadPayload
from paas.system.files import write_by_rename

_ROOM_BYTES = 16 * 1024 * 1024
"""More than metadata may have; for a machine that has filled its quota."""


def write(life: Life) -> None:
    """Raises OSError."""
    text = json.dumps({name: life.machine.properties[name] for name in payload.MAPS})
    _with_room(life, lambda: write_by_rename(_path(life), text, mode=0o600))


def restored(life: Life) -> Mapping[str, Any]:
    """The machine's properties with what the dataset has of them."""
    properties = life.machine.properties
    try:
        found = json.loads(_path(life).read_text())
        kept = {name: found[name] for name in payload.MAPS}
        return payload.recorded({**properties, **kept})
    except (OSError, ValueError, KeyError, TypeError, BadPayload):
        return properties  # A snapshot of an earlier version has none.


def remove(life: Life) -> None:
    """Repeatable. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        _with_room(life, _path(life).unlink)


def _with_room(life: Life, work: Callable[[], None]) -> None:
    """A full quota refuses even to delete; what is written here is small, and soon gone again."""
    machine, pool = life.machine, life.host.pool
    try:
        work()
    except OSError as error:
        if error.errno != errno.EDQUOT or machine.quota_bytes is None:
            raise
        pool.set_quota(machine.uuid, machine.quota_bytes + _ROOM_BYTES)
        try:
            work()
        finally:
            pool.set_quota(machine.uuid, machine.quota_bytes)


def _path(life: Life) -> Path:
    return life.host.pool.path(life.machine.uuid) / "config.json"
