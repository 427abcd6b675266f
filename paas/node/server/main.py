"""paas-node: the machines of this host behind a Unix socket.

Start: pool, images, network, sweep, adopt; then it serves. Its end ends no machine. The socket is
equal to root, so only root and control's group may open it.
"""

import asyncio
import contextlib
import functools
import logging
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from paas.errors import PlatformError, UserError
from paas.node.errors import NodeError
from paas.node.machines.host import own_by_control
from paas.node.server import imgapi_process, requests
from paas.node.server.answer import Server
from paas.node.server.prepare import Prepared, prepare_when_possible
from paas.node.server.vminfod import Vminfod
from paas.node.upkeep import chores, poolwatch
from paas.node.zone import classes
from paas.settings import Settings, load
from paas.system import orphans

log = logging.getLogger(__name__)


def main() -> None:
    """The console script `paas-node`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        settings = load()
        if os.geteuid() != 0:
            raise UserError(
                "forbidden", "paas-node needs root: it makes zones, mounts and networks"
            )
        said = classes.enter_platform(settings.installation)
        for line in filter(None, (said, *classes.prepare(settings.installation))):
            log.warning("%s", line)
        asyncio.run(_until_told(settings))
    except (UserError, PlatformError, NodeError, OSError) as error:
        hint = getattr(error, "hint", "")
        print(f"paas-node: {error}{'. ' + hint if hint else ''}", file=sys.stderr)
        raise SystemExit(getattr(error, "exit_code", 1)) from error


async def _until_told(settings: Settings) -> None:
    orphans.take_in()
    task = asyncio.ensure_future(serve(settings, _say_ready))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _say_ready() -> None:
    print("paas-node is ready", file=sys.stderr, flush=True)
    number = os.environ.get("PAAS_READY_FD", "")
    if number.isdigit():
        with contextlib.suppress(OSError):
            os.write(int(number), b"\n")
            os.close(int(number))


async def serve(settings: Settings, ready: Callable[[], None]) -> None:
    """Prepare everything and serve until cancelled. Raises UserError when this host can't."""
    say_ready = _once(ready)
    node = await prepare_when_possible(settings, say_ready)
    machines = node.machines
    listener = requests.listen(settings.node_socket)
    informant = requests.listen(settings.run / "vminfod.sock")
    tasks = [asyncio.ensure_future(chore) for chore in _chores(settings, node)]
    watch = chores.watch_logs(
        settings.logs / "machines", functools.partial(own_by_control, mode=0o640)
    )
    try:
        await machines.adopt()
        settings.began.touch()
        for machine in machines.known():
            node.notices.tell_of(machine)
        own_by_control(settings.node_socket, 0o660)
        say_ready()
        vminfod = Vminfod(machines, node.events)
        tasks.append(asyncio.ensure_future(requests.serve(informant, vminfod.answer)))
        await requests.serve(listener, Server(machines, node.events).answer)
    finally:
        listener.close()
        informant.close()
        machines.detach()
        node.zones.close()
        if watch is not None:
            watch.close()
        for task in tasks:
            task.cancel()


def _chores(settings: Settings, node: Prepared) -> Iterable[Coroutine[Any, Any, None]]:
    machines = node.machines
    return (
        node.notices.run(),
        chores.daily(machines, settings.logs / "machines"),
        chores.keep_passing(settings),
        imgapi_process.keep(settings),
        poolwatch.watch(machines.host.pool, machines.needs_mending, machines.mend),
    )


def _once(ready: Callable[[], None]) -> Callable[[], None]:
    said: list[bool] = []

    def say() -> None:
        if not said:
            said.append(True)
            ready()

    return say
