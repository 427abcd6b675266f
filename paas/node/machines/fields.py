"""The names that vmadm's lists and filters may hold. Pure.

What a machine lacks is shown as `-`; what no machine can have is a slip, and is said.
"""

import re
from collections.abc import Iterable

from paas.node.machines import foreign
from paas.node.machines.payload import MAPS, TABLE

_NAMES = {*foreign.SHOWN.split(), *foreign.SHOWN_HERE.split(), *foreign.NOT_SHOWN.split()}
_INSIDE = re.compile(
    rf"({'|'.join(MAPS)})\..+|(nics|disks|filesystems|snapshots|resolvers)\.(\d+|\*)(\..+)?"
)


def unknown(names: Iterable[str]) -> list[str]:
    """Those that no machine has."""
    known = {*_NAMES, *TABLE}
    return [name for name in names if name not in known and not _INSIDE.fullmatch(name)]
