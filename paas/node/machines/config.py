"""Tags and metadata beside a machine's root: a snapshot takes them along, as on SmartOS.

`<dataset>/config.json` is there while a snapshot is taken, and after the pool has rolled back until
the record has it. Found at the node's start, one of both was cut off: in either case it is true.
The folder that it stands in is the node's; the tenant sees `root/` alone.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paas.node.machines import payload
from paas.node.machines.life import Life
from paas.node.machines.payload import BadPayload
from paas.system.files import write_by_rename


def write(life: Life) -> None:
    """Blocks. Raises OSError."""
    kept = {name: life.machine.properties[name] for name in payload.MAPS}
    write_by_rename(_path(life), json.dumps(kept), mode=0o600)


def restored(life: Life) -> Mapping[str, Any]:
    """The machine's properties with what the dataset has of them. Blocks."""
    properties = life.machine.properties
    try:
        found = json.loads(_path(life).read_text())
        kept = {name: found[name] for name in payload.MAPS}
        return payload.recorded({**properties, **kept})
    except (OSError, ValueError, KeyError, TypeError, BadPayload):
        return properties  # A snapshot of an earlier version has none.


def remove(life: Life) -> None:
    """Blocks. Repeatable."""
    with contextlib.suppress(FileNotFoundError):
        _path(life).unlink()


def _path(life: Life) -> Path:
    return life.host.pool.path(life.machine.uuid) / "config.json"
