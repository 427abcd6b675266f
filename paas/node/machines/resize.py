"""What an update of a machine's sizes must not do to what it holds already."""

from collections.abc import Mapping
from typing import Any

from paas.node.errors import NodeError
from paas.node.machines.host import Host
from paas.node.machines.life import Life
from paas.node.machines.machine import Machine


def check_quota(host: Host, machine: Machine, quota_gib: int) -> None:
    """ZFS refuses such a quota; btrfs takes it, and nothing can be written any more. Blocks."""
    host.pool.settle()  # What was written in the last half minute counts as well.
    used_bytes = host.pool.usage(machine.uuid)
    if quota_gib and used_bytes > quota_gib << 30:
        raise NodeError(
            "QuotaExceeded",
            f"machine {machine.uuid} has {used_bytes >> 20} MiB on the disk, and quota "
            f"would be {quota_gib} GiB: delete files first",
        )


def memory_in_use(life: Life, wanted: Mapping[str, Any]) -> NodeError:
    """cgroup v1 refuses a limit below what the kernel can't take back (v2 ends processes)."""
    used_mib = life.brand.memory_usage_bytes() >> 20
    return NodeError(
        "MemoryInUse",
        f"machine {life.machine.uuid} uses {used_mib} MiB of memory that can't be taken back, and "
        f"max_physical_memory would be {wanted['max_physical_memory']}: stop it first",
    )
