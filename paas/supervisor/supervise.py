"""The life of the platform's processes: started, waited for, kept running, and stopped in order."""

import asyncio
from collections.abc import Callable

from paas.errors import UserError
from paas.settings import Settings
from paas.supervisor import halt, messages, notify
from paas.supervisor.messages import say
from paas.supervisor.service import Running, keep
from paas.supervisor.stopping import StopRequest, obey_signals
from paas.system import orphans

READY_TIMEOUT_S = 300.0
"""The node's first start makes the pool and imports the stacks."""
REASON_TIMEOUT_S = 60.0
"""To stop what did start and to say what was late."""
_AWAITED = {
    "node": "it takes its machines up; the first start makes the pool",
    "router": "its workers start",
    "control": "it waits until apps answer",
    "holder": "it takes the sockets",
}


async def supervise(settings: Settings, started: list[Running], ready: Callable[[], None]) -> int:
    """Until the platform is told to stop; `ready` is called once all services serve."""
    request = obey_signals()
    orphans.take_in()
    keepers = [asyncio.create_task(keep(running, say)) for running in started]
    try:
        if await _all_ready(settings, started, request):
            ready()
            notify.ready()
        await request.made.wait()
    finally:
        notify.stopping()
        pairs = list(zip(started, keepers, strict=True))
        await _stop_all(settings, pairs, halt_machines=request.halt_machines)
    say(messages.farewell(settings, halted=request.halt_machines))
    return 0


async def _all_ready(settings: Settings, started: list[Running], request: StopRequest) -> bool:
    """Wait until every service says that it serves; False when told to stop before that."""
    # What came before this took its time too, and the reason is to be ours, not systemd's.
    notify.wait_for(READY_TIMEOUT_S + REASON_TIMEOUT_S)
    waiting = asyncio.create_task(_wait_ready(started))
    others = [asyncio.create_task(event.wait()) for event in (request.made, *_failures(started))]
    done, _ = await asyncio.wait(
        {waiting, *others}, timeout=READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
    )
    for task in (waiting, *others):
        task.cancel()
    if waiting in done:
        return True
    if request.made.is_set():
        return False
    late = ", ".join(running.service.name for running in started if not running.ready.is_set())
    hint = f"Their messages are above, or in {messages.place(settings)}."
    raise UserError("not_ready", f"these did not become ready: {late}", hint)


def _failures(started: list[Running]) -> list[asyncio.Event]:
    return [running.failed for running in started]


async def _wait_ready(started: list[Running]) -> None:
    for running in started:
        notify.status(f"Waiting for {running.service.name}: {_AWAITED[running.service.name]}")
        await running.ready.wait()
    notify.status("Apps answer")


async def _stop_all(
    settings: Settings, pairs: list[tuple[Running, asyncio.Task[None]]], *, halt_machines: bool
) -> None:
    """In the reverse order; the node last, because it halts the machines."""
    for running, keeper in reversed(pairs):
        if running.service.name == "node" and halt_machines:
            for problem in await halt.machines(settings):
                say(f" !     {problem}")
        running.stop.set()
        await asyncio.wait({keeper})
