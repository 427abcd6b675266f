"""`paas node`: the machines of this host, as its node sees them."""

import os
from collections.abc import Mapping
from typing import Any

from paas.apps.packages import SHARES_PER_CORE
from paas.cli.call import Call
from paas.cli.command import JSON, command
from paas.cli.output import header, note, print_columns, print_json
from paas.client.endpoint import not_running
from paas.errors import UserError

TIMEOUT_S = 10.0


@command(
    "Lists the machines of this host: instances, builds and others. For root on the host.\n"
    "`vmadm` shows and changes single machines.",
    options=[JSON],
    examples=["paas node", "paas node --json | jq -r '.[].uuid'"],
)
def node(call: Call) -> None:
    found, room = _ask(call)
    machines = sorted(found, key=lambda machine: str(machine.get("alias") or ""))
    if call.json:
        print_json(machines)
        return
    if not machines:
        note("There are no machines on this host.")
        return
    header(f"{len(machines)} machines{promised(room)}")
    print_columns(
        [_row(machine) for machine in machines], ["UUID", "TYPE", "RAM", "STATE", "ALIAS"]
    )


def promised(room: Mapping[str, Mapping[str, int | None]]) -> str:
    """What the server has promised of what it may, as far as it is counted."""
    said = []
    for name, per_unit, unit in (
        ("cpu_shares", SHARES_PER_CORE, "cores"),
        ("memory_mib", 1, "MiB"),
        ("disk_gib", 1, "GiB of disk"),
    ):
        most, free = room[name]["most"], room[name]["free"]
        if most is not None and free is not None:
            said.append(f"{(most - free) / per_unit:g} of {most / per_unit:g} {unit}")
    return f"; promised: {', '.join(said)}" if said else ""


def _ask(call: Call) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Asked of the node itself, so that it works while control is down."""
    import asyncio

    from paas.node.client import Node
    from paas.node.errors import NodeError

    async def ask() -> tuple[list[dict[str, Any]], dict[str, Any]]:
        client = Node(call.settings.node_socket)
        async with asyncio.timeout(TIMEOUT_S):
            return await client.list(), await client.room([])

    try:
        return asyncio.run(ask())
    except (NodeError, OSError, TimeoutError) as error:
        if isinstance(error, PermissionError) or os.geteuid() != 0:
            raise UserError("forbidden", "Only root on the host may ask its node.") from error
        raise not_running(f"no node answers at {call.settings.node_socket}") from error


def _row(machine: dict[str, Any]) -> list[object]:
    ram = machine.get("max_physical_memory") or "-"
    kind = str(machine.get("brand") or "").upper()
    return [machine["uuid"], kind, ram, machine["state"], machine.get("alias") or "-"]
