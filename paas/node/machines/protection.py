"""Machines that are not to be lost: indestructible_zoneroot, indestructible_delegated. Pure.

The refusals are worded as SmartOS's. There a held snapshot stands behind them; pools here have no
holds, so it is the verbs that refuse.
"""

from paas.node.errors import NodeError
from paas.node.machines.machine import Machine

_FLAGS = ("indestructible_zoneroot", "indestructible_delegated")


def refuse_delete(machine: Machine) -> None:
    for name in _FLAGS:
        if machine.properties.get(name):
            raise NodeError("Indestructible", f"{name} is set, cannot delete")


def refuse_reprovision(machine: Machine) -> None:
    """The delegated dataset, if there were one, would stay."""
    if machine.properties.get("indestructible_zoneroot"):
        raise NodeError("Indestructible", "indestructible_zoneroot is set, cannot reprovision")
