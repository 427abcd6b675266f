"""What every machine of this node shares, and the facts of one machine that follow from it."""

import grp
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

from paas.node.machines import nics, view
from paas.node.machines.machine import Machine
from paas.node.machines.records import Records
from paas.node.network import addresses
from paas.node.network.firewall import Port
from paas.node.network.ranges import Address
from paas.node.pools.interface import Pool
from paas.settings import CONTROL_USER, Settings


@dataclass(frozen=True)
class Host:
    """The node's own: where things are, whom to tell. `changed` is told of every change.

    `network6` is the machines' IPv6 network, None where they have none.
    """

    settings: Settings
    pool: Pool
    records: Records
    resolvers: Sequence[Address]
    search: str
    changed: Callable[[Machine | None, Machine | None], None]
    network6: IPv6Network | None = None
    begins: bool = False
    """Whether the host has been booted, or the platform brought up, since the last node's start."""
    reread: Callable[[Settings], Settings] = lambda settings: settings

    def now(self) -> Settings:
        """The settings as they are now, for those that count without a restart."""
        return self.reread(self.settings)

    def log(self, uuid: str) -> Path:
        """What the machine prints."""
        return self.settings.logs / "machines" / f"{uuid}.log"

    def port(self, machine: Machine) -> Port:
        """The machine's end on the bridge."""
        settings, slot = self.settings, machine.slot
        return Port(
            interface=f"{settings.veth_prefix}{slot:x}",
            mac=nics.mac(machine.properties) or addresses.mac(slot, settings.key),
            address=addresses.address(settings.network, slot),
            address6=addresses.address6(self.network6, slot) if self.network6 else None,
            kind=machine.kind,
            mtu=nics.mtu(machine.properties),
        )

    def shown(self, machine: Machine) -> dict[str, Any]:
        """As `vmadm get` shows it."""
        settings = self.settings
        return view.vm_object(machine, settings.network, self.network6, settings.key)


def own_by_control(path: Path, mode: int) -> None:
    """Give a file to root and control's group, where that exists."""
    with suppress(KeyError):
        os.chown(path, 0, grp.getgrnam(CONTROL_USER).gr_gid)
    path.chmod(mode)
