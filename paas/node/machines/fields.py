"""The names that vmadm's lists, filters and payloads may hold. Pure.

What a machine lacks is shown as `-`; what no machine can have is a slip, and is said.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from paas.node.machines.payload import MAPS, PREFIXES, TABLE

_SHOWN = """
boot_timestamp create_timestamp exit_reason exit_status exit_timestamp failure free_space hvm
init_restarts last_modified listened listening listening_timestamp lwps_hit_timestamp lwps_hits
oom_kill_timestamp oom_kills pid restarting server_uuid snapshots state type v vcpus zfs_filesystem
zone_state zoneid zonepath
cpu_type datacenter_name disks flexible_disk_size headnode_id platform_buildstamp qemu_extra_opts
transition_expire transition_to
"""
"""Beside the payload's properties; the last ones only SmartOS has values for."""
_INSIDE = re.compile(rf"({'|'.join(MAPS)})\..+|(nics|disks|snapshots)\.(\d+|\*)(\..+)?")


def unknown(names: Iterable[str]) -> list[str]:
    """Those that no machine has."""
    known = {*_SHOWN.split(), *TABLE}
    return [name for name in names if name not in known and not _INSIDE.fullmatch(name)]


def dropped(payload: Mapping[str, Any], *, update: bool) -> list[str]:
    """The properties of a payload that have no effect here."""
    changes = {f"{prefix}{name}" for prefix in PREFIXES for name in MAPS}
    if update:
        taken = {name for name, rule in TABLE.items() if rule.updatable and name not in MAPS}
        taken |= changes | {"uuid"}
    else:
        taken = set(TABLE)
    return [name for name in payload if name not in taken]
