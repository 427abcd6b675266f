"""`paas node`: the machines of this host, as its node sees them."""

import os
from typing import Any

from paas.cli.call import JSON, Call, command
from paas.cli.output import header, note, print_columns, print_json
from paas.endpoint import not_running
from paas.errors import UserError

TIMEOUT_S = 10.0


@command(
    "Lists the machines of this host: instances, builds and others. For root on the host.\n"
    "`vmadm` shows and changes single machines.",
    options=[JSON],
    examples=["paas node", "paas node --json | jq -r '.[].uuid'"],
)
def node(call: Call) -> None:
    machines = sorted(_machines(call), key=lambda machine: str(machine.get("alias") or ""))
    if call.json:
        print_json(machines)
        return
    if not machines:
        note("There are no machines on this host.")
        return
    header(f"{len(machines)} machines, {_mib(machines)} MiB promised")
    print_columns(
        [_row(machine) for machine in machines], ["UUID", "TYPE", "RAM", "STATE", "ALIAS"]
    )


def _machines(call: Call) -> list[dict[str, Any]]:
    """Asked of the node itself, so that it works while control is down."""
    import asyncio

    from paas.node.client import Node, NodeError

    async def ask() -> list[dict[str, Any]]:
        async with asyncio.timeout(TIMEOUT_S):
            return await Node(call.settings.node_socket).list()

    try:
        return asyncio.run(ask())
    except (NodeError, OSError, TimeoutError) as error:
        if isinstance(error, PermissionError) or os.geteuid() != 0:
            raise UserError("forbidden", "Only root on the host may ask its node.") from error
        raise not_running(f"no node answers at {call.settings.node_socket}") from error


def _mib(machines: list[dict[str, Any]]) -> int:
    return sum(int(m.get("max_physical_memory") or 0) for m in machines if m["state"] == "running")


def _row(machine: dict[str, Any]) -> list[object]:
    ram = machine.get("max_physical_memory") or "-"
    kind = str(machine.get("brand") or "").upper()
    return [machine["uuid"], kind, ram, machine["state"], machine.get("alias") or "-"]
