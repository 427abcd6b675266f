"""Into an instance that runs: a further command in its zone, or a connection to one of its ports.

Nothing of it is recorded: it lives as long as its client's connection, which ends with control.
What it starts has the rights of the app's own processes, counts against their limits, and ends
with the instance.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from paas import logs
from paas.apps.apps import App
from paas.errors import PlatformError, UserError
from paas.node.errors import NodeError
from paas.platform.attachments import Client, Offer
from paas.platform.platform import Platform
from paas.runs import session
from paas.runs.one_off import ATTACH_S
from paas.runs.session import Ended, Process

SESSIONS_MAX = 50
"""Of one app at once: each holds a process of the host's."""


def execute(
    platform: Platform, app: App, name: str, process: Process, said: str, user: str
) -> Offer:
    """Run it once its client has come. `said` is the command, `name` the instance's."""
    logs.note(platform.settings, app.id, f"Command `{said}` in {name} by user {user}")

    async def work(client: Client) -> Ended:
        return await session.tie(platform.node, process, client)

    return _offer(platform, app, f"a command in {name}", work)


def forward(platform: Platform, app: App, name: str, machine_uuid: str, port: int) -> Offer:
    """Connect a client to a port inside, once it has come."""

    async def work(client: Client) -> Ended:
        connection = await platform.node.connect(machine_uuid, port)
        await session.carry_port(connection, client)
        return Ended(0)

    return _offer(platform, app, f"port {port} of {name}", work)


def shell() -> Sequence[str]:
    return ["bash"]


def _offer(
    platform: Platform, app: App, what: str, work: Callable[[Client], Coroutine[Any, Any, Ended]]
) -> Offer:
    counts = platform.attachments.sessions
    if counts[app.id] >= SESSIONS_MAX:
        message = f"{app.name} has {SESSIONS_MAX} sessions in its instances; more are not let in."
        raise UserError("conflict", message, "End some of them.")
    offer = platform.attachments.offer()

    async def serve() -> None:
        try:
            await _served(offer, work)
        finally:
            counts[app.id] -= 1

    counts[app.id] += 1
    platform.background.start(serve(), what)
    return offer


async def _served(offer: Offer, work: Callable[[Client], Coroutine[Any, Any, Ended]]) -> None:
    try:
        client = await offer.taken(ATTACH_S)
    except TimeoutError:
        return
    try:
        ended = await work(client)
    except asyncio.CancelledError:
        raise
    except (NodeError, PlatformError, OSError) as error:
        said = error.message if isinstance(error, NodeError) else str(error)
        ended = Ended(session.LOST, said)
    await client.end(ended.status, ended.said)
