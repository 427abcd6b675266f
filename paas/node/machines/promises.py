"""What this node has promised to its machines, and whether there is room for one more.

The sums and the refusals are `capacity`'s.
"""

from collections.abc import Mapping
from typing import Any

from paas.node.errors import NodeError
from paas.node.machines import capacity
from paas.node.machines import payload as payloads
from paas.node.machines.host import Host
from paas.node.machines.life import Life
from paas.node.pools.interface import reserve_bytes


class Promises:
    """Over all machines as they are at the moment of the question."""

    def __init__(self, host: Host, lives: Mapping[str, Life]) -> None:
        self._host, self._lives = host, lives

    def room(self, wanted: Any) -> dict[str, Any]:
        """What payloads of machines would ask of this server, and what is free; makes nothing."""
        if not isinstance(wanted, list):
            raise NodeError("InvalidRequest", "payloads is not a list")
        added = [capacity.claim(payloads.create(payload)[0]) for payload in wanted]
        claims = list(self._claims().values())
        return capacity.room(self._most(), claims, [*claims, *added])

    def check(self, uuid: str, properties: Mapping[str, Any]) -> None:
        """Raises NodeError `InsufficientCapacity`. Record the promise before awaiting anything."""
        before = self._claims()
        after = {**before, uuid: capacity.claim(properties)}
        capacity.check(self._most(), list(before.values()), list(after.values()))

    def _most(self) -> capacity.Amount:
        """By the operator's settings as they are now: what is changed counts at once."""
        size = self._host.pool.space().size_bytes
        return capacity.of_server(self._host.now(), size - reserve_bytes(size))

    def _claims(self) -> dict[str, capacity.Claim | None]:
        return {uuid: capacity.claim(life.machine.properties) for uuid, life in self._lives.items()}
