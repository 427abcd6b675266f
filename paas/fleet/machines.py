"""What runs: the node's machines as last heard on its event stream, and waiting for a change.

The stream breaks when the node restarts; it is taken up again, and its first record (`ready`, with
all machines) replaces what was known. So nobody polls, and nothing is missed.
"""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from paas.node.client import Machine, Node
from paas.node.errors import NodeError

T = TypeVar("T")

RECONNECT_PAUSE_S = 0.1
CALL_TIMEOUT_S = 120.0
"""A verb about a machine takes seconds; a node that takes so long hangs."""
log = logging.getLogger(__name__)

Listener = Callable[[str, Machine | None], None]
"""(machine uuid, the machine as it is now or None when it is gone)"""


class Machines:
    """The machines of a node. `run` must be running for anything to change."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.known: dict[str, Machine] = {}
        self.connected = asyncio.Event()
        self.unusable = asyncio.Event()
        """Set once the node has said that it can't use its pool, until it is connected."""
        self.heard = False
        """Whether the node has told what runs, ever: until then `known` means nothing."""
        self._listeners: list[Listener] = []

    async def run(self) -> None:
        """Follow the node's events for ever."""
        while True:
            try:
                async for event in self.node.events():
                    self._take(event)
            except NodeError as error:
                if error.code == "PoolUnavailable" and not self.unusable.is_set():
                    log.error("the node can't work: %s", error.message)
                    self.unusable.set()
                if self.connected.is_set():
                    log.warning("the node went away: %s", error.message)
            self.connected.clear()
            await asyncio.sleep(RECONNECT_PAUSE_S)

    async def there(self, timeout_s: float) -> None:
        """Wait for the node. Raises NodeError with code `Unavailable` after so long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.connected.wait()
        except TimeoutError as error:
            text = f"no node answered within {timeout_s:.0f} s"
            raise NodeError("Unavailable", text) from error

    @contextlib.contextmanager
    def listening(self, listener: Listener) -> Any:
        """Call `listener` for each change inside the `with`."""
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    async def wait(
        self, uuid: str, condition: Callable[[Machine | None], T | None], timeout_s: float
    ) -> T:
        """What `condition` finds in the machine, as soon as it finds something (not None).

        Raises TimeoutError, and whatever `condition` raises.
        """
        changed = asyncio.Event()
        with self.listening(
            lambda changed_uuid, _: changed.set() if changed_uuid == uuid else None
        ):
            async with asyncio.timeout(timeout_s):
                while True:
                    found = condition(self.known.get(uuid))
                    if found is not None:
                        return found
                    await changed.wait()
                    changed.clear()

    async def persist(self, call: Callable[[], Coroutine[Any, Any, T]], timeout_s: float) -> T:
        """`await call()`, and again when the node went away meanwhile: its verbs can be repeated.

        Raises NodeError; with code `Unavailable` when there is no node for `timeout_s`, `Timeout`
        when it does not answer.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        while True:
            try:
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    return await call()
            except TimeoutError as error:
                text = f"the node did not answer within {CALL_TIMEOUT_S:.0f} s"
                raise NodeError("Timeout", text) from error
            except NodeError as error:
                if error.code != "Unavailable" or asyncio.get_running_loop().time() > deadline:
                    raise
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await asyncio.sleep(RECONNECT_PAUSE_S)
                    await self.connected.wait()

    def _take(self, event: dict[str, Any]) -> None:
        if event["type"] == "ready":
            machines = json.loads(event["vms"])
            before, self.known = self.known, {machine["uuid"]: machine for machine in machines}
            self.heard = True
            self.unusable.clear()
            self.connected.set()
            for uuid in before.keys() | self.known.keys():
                self._tell(uuid)
            return
        uuid = event.get("uuid") or event["zonename"]
        if event["type"] == "delete":
            self.known.pop(uuid, None)
        else:
            self.known[uuid] = event["vm"]
        self._tell(uuid)

    def _tell(self, uuid: str) -> None:
        """One listener's fault is not the others', and loses no later change."""
        for listener in list(self._listeners):
            try:
                listener(uuid, self.known.get(uuid))
            except Exception:
                log.exception("a change of machine %s could not be taken up", uuid)
