"""Runs the platform's processes under one small parent: `paas up`, `script/server`.

The supervisor opens the sockets of router and control and starts node, router and control, each
under its own user; one that ends is started again with a growing pause. It knows nothing of apps:
machines outlive it. Ctrl-C stops the processes, never a machine; `paas down` stops the machines as
well. When it is killed, another takes its place, started by the holder or by systemd: with the same
sockets, and with the processes that still run.
"""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paas.errors import UserError
from paas.host import checks, handed, identity, processes, sockets, units
from paas.host.checkout import checkout
from paas.host.identity import Claim
from paas.host.sockets import Listener
from paas.settings import CONTROL_USER, Settings
from paas.supervisor import background, holder, launch, layout, leftovers, notify, services, taken
from paas.supervisor.service import STOP_TIMEOUT_S, Running, keep
from paas.system import orphans

if TYPE_CHECKING:
    from paas.node.client import Machines, Node

READY_TIMEOUT_S = 300.0
"""The node's first start makes the pool and imports the stacks."""
REASON_TIMEOUT_S = 60.0
"""To stop what did start and to say what was late."""
MACHINES_STOP_TIMEOUT_S = 60.0
MACHINE_GRACE_S = 30.0
"""From SIGTERM to SIGKILL, as at a deploy."""
_AWAITED = {
    "node": "it takes its machines up; the first start makes the pool",
    "router": "its workers start",
    "control": "it waits until apps answer",
    "holder": "it takes the sockets",
}
NODE_AWAY_PAUSE_S = 0.2
_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_HALT_SIGNAL = signal.SIGUSR2


@dataclass
class Wish:
    """What the supervisor was told: to stop, and perhaps to halt the machines as well."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    halt_machines: bool = False

    def halt(self) -> None:
        self.halt_machines = True
        self.stop.set()


def run(settings: Settings, *, detach: bool = False, replace: bool = False) -> int:
    """Run the platform until it is told to stop; the exit status for the command line.

    `detach` returns when the platform is ready and leaves it in the background. `replace` first
    stops one that runs from other code; one of this very code is left alone. Raises UserError with
    the reason when the platform can't start.
    """
    owner = identity.settled_owner(settings) if replace else None
    if owner is not None and _runs_this_code(owner):
        _say(_banner(settings, detached=True))
        return 0
    passed: list[Listener] = []
    if owner is not None:
        # Before it ends: what connects meanwhile waits.
        passed = taken.listeners(settings, [owner.pid])
        stop(settings)
    if not detach:
        return _serve(settings, lambda: _say(_banner(settings, detached=False)), passed)
    background.run(log_path(settings), lambda ready: _serve(settings, ready, passed))
    sockets.close(passed)
    _say(_banner(settings, detached=True))
    for problem in checks.run(settings, "pool"):
        if problem.level == "problem":
            _say(f" !     {problem.text}\n !     {problem.remedy}")
    trouble = _trouble(settings)
    if trouble:
        _say(f" !     {trouble}")
    return 1 if trouble else 0


def _trouble(settings: Settings) -> str:
    """Why control answers nobody although it runs: a damaged database. Apps are served."""
    from paas.client.api import Client
    from paas.client.endpoint import Endpoint

    here = Endpoint(f"http://localhost:{settings.control_port}", unix=settings.control_socket)
    try:
        Client(here).get("/account")
    except UserError as error:
        return error.message
    return ""


def _runs_this_code(owner: identity.Owner) -> bool:
    here = checkout()
    if (owner.checkout, owner.code) == (str(here), identity.code_digest(here)):
        return True
    what = "an older version of this code" if owner.checkout == str(here) else owner.checkout
    _say(f"-----> The platform that runs is from {what}: replacing it, its machines go on")
    return False


def stop(settings: Settings) -> bool:
    """Stop the processes of a running platform; machines go on. False when none runs."""
    return _signal(settings, signal.SIGTERM)


def down(settings: Settings) -> int:
    """Stop processes and machines, keep data: `paas down`."""
    if _signal(settings, _HALT_SIGNAL):
        return _say_down(settings)
    if not _records(settings):
        _say("The platform does not run.")
        return 0
    _halt_left_machines(settings)
    return _say_down(settings)


def _say_down(settings: Settings) -> int:
    left = _running_count(settings)
    if left:
        _say(f" !     {left} machine(s) still run; the log may say why: {log_path(settings)}")
        return 1
    _say("=====> Stopped.")
    return 0


def log_path(settings: Settings) -> Path:
    """Where the processes write when the platform runs in the background."""
    return settings.logs / "platform.log"


def messages(settings: Settings) -> str:
    """Where what this supervisor's processes write can be read afterwards."""
    if notify.is_watched():
        return f"journalctl -u {units.unit_name(settings)}"
    return str(log_path(settings))


def _signal(settings: Settings, number: signal.Signals) -> bool:
    if identity.settled_owner(settings) is None:
        # A holder whose supervisors all fail: it would go on trying.
        processes.end(processes.running(settings, processes.HOLDER))
        return False
    timeout_s = MACHINES_STOP_TIMEOUT_S + 3 * STOP_TIMEOUT_S
    identity.end_owner(settings, number, timeout_s=timeout_s)
    return True


def _halt_left_machines(settings: Settings) -> None:
    """Machines outlive the platform: start a node just to stop them."""
    with identity.claim(settings):
        leftovers.end(settings, [], _say)
        layout.prepare(settings)
        node = Running(services.node(settings))
        asyncio.run(_supervise(settings, [node], lambda: os.kill(os.getpid(), _HALT_SIGNAL)))


def _serve(settings: Settings, ready: Callable[[], None], passed: list[Listener]) -> int:
    """`passed` are sockets that are listened on already."""
    # Modes are ours to say, here and in what is started: not the umask of whoever starts it.
    os.umask(0o022)
    given = handed.take(os.environ)
    with (
        _signals_wait(),
        identity.claim(settings, given.claim) as claim,
        contextlib.ExitStack() as stack,
    ):
        services.check_router(settings)
        passed = passed or given.listeners or leftovers.listeners(settings)
        adopted = leftovers.adoptable(settings, claim, passed)
        if not adopted:
            _check_host(settings)
        leftovers.end(settings, list(adopted.values()), _say)
        listeners = sockets.listen(settings, passed)
        stack.callback(sockets.close, listeners)
        if not adopted:
            layout.prepare(settings)
        listeners.append(_control_socket(settings, passed))
        sockets.close(item for item in passed if item not in listeners)
        notify.keep(listeners)
        started = _runnings(settings, listeners, claim, adopted)
        return asyncio.run(_supervise(settings, started, ready))


def _control_socket(settings: Settings, passed: list[Listener]) -> Listener:
    user, group = launch.user_id(CONTROL_USER), launch.group_id(CONTROL_USER)
    return sockets.listen_unix(settings.control_socket, user, group, passed)


def _runnings(
    settings: Settings, listeners: list[Listener], claim: Claim, adopted: dict[str, int]
) -> list[Running]:
    """In the order of their start. The holder is the first to be stopped: whoever ends without
    that was killed."""
    wanted = [
        services.node(settings),
        services.router(settings, listeners),
        services.control(settings, listeners),
    ]
    if not notify.is_watched():
        wanted.append(services.holder_of(settings, listeners, claim.descriptor))
        adopted = adopted | holder.starter(os.environ)
    started = [Running(service) for service in wanted]
    for running in started:
        pid = adopted.get(running.service.name)
        if pid is not None:
            with contextlib.suppress(ProcessLookupError):
                running.adopt(pid)
                _say(f"       {running.service.name} goes on (process {pid})")
    return started


def _check_host(settings: Settings) -> None:
    """Refuse what can't work before anything is changed. Raises UserError that names it all."""
    problems = checks.fatal(settings)
    if problems:
        raise UserError(
            "host_not_ready",
            "; ".join(f"{problem.name}: {problem.text}" for problem in problems),
            "\n".join(problem.remedy for problem in problems),
        )


async def _supervise(settings: Settings, started: list[Running], ready: Callable[[], None]) -> int:
    wish = _obey_signals()
    orphans.take_in()
    keepers = [asyncio.create_task(keep(running, _say)) for running in started]
    try:
        if await _all_ready(settings, started, wish):
            ready()
            notify.ready()
        await wish.stop.wait()
    finally:
        notify.stopping()
        pairs = list(zip(started, keepers, strict=True))
        await _stop_all(settings, pairs, halt_machines=wish.halt_machines)
    _say(_farewell(settings, halted=wish.halt_machines))
    return 0


async def _all_ready(settings: Settings, started: list[Running], wish: Wish) -> bool:
    """Wait until every service says that it serves; False when told to stop before that."""
    # What came before this took its time too, and the reason is to be ours, not systemd's.
    notify.wait_for(READY_TIMEOUT_S + REASON_TIMEOUT_S)
    waiting = asyncio.create_task(_wait_ready(started))
    others = [asyncio.create_task(event.wait()) for event in (wish.stop, *_failures(started))]
    done, _ = await asyncio.wait(
        {waiting, *others}, timeout=READY_TIMEOUT_S, return_when=asyncio.FIRST_COMPLETED
    )
    for task in (waiting, *others):
        task.cancel()
    if waiting in done:
        return True
    if wish.stop.is_set():
        return False
    late = ", ".join(running.service.name for running in started if not running.ready.is_set())
    hint = f"Their messages are above, or in {messages(settings)}."
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
            await _halt_machines(settings)
        running.stop.set()
        await asyncio.wait({keeper})


async def _halt_machines(settings: Settings) -> None:
    """All, also those that the node is about to start again. A node that ended comes back."""
    from paas.node.client import Node
    from paas.node.errors import NodeError

    node = Node(settings.node_socket)
    try:
        async with asyncio.timeout(MACHINES_STOP_TIMEOUT_S):
            machines = await _list_machines(node)
            stops = (node.stop(item["uuid"], timeout_s=MACHINE_GRACE_S) for item in machines)
            answers = await asyncio.gather(*stops, return_exceptions=True)
    except TimeoutError:
        _say(f" !     not all machines stopped within {MACHINES_STOP_TIMEOUT_S:.0f} s")
        return
    except NodeError as error:
        _say(f" !     machines could not be stopped: {error}")
        return
    for item, answer in zip(machines, answers, strict=True):
        if isinstance(answer, BaseException):
            _say(f" !     machine {item['uuid']} could not be stopped: {answer}")


async def _list_machines(node: "Node") -> "Machines":
    """Waits for a node that is away; the caller has a limit."""
    from paas.node.errors import NodeError

    while True:
        try:
            return await node.list()
        except NodeError as error:
            if error.code != "Unavailable":
                raise
        await asyncio.sleep(NODE_AWAY_PAUSE_S)


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """From the claim on others may signal this process: until it obeys, that would kill it, and the
    holder would start another for the same end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_STOP_SIGNALS, _HALT_SIGNAL})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _obey_signals() -> Wish:
    wish = Wish()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, wish.stop.set)
    loop.add_signal_handler(_HALT_SIGNAL, wish.halt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_STOP_SIGNALS, _HALT_SIGNAL})
    return wish


def _say(text: str) -> None:
    """Nobody may be listening any more: a terminal that was closed."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _banner(settings: Settings, *, detached: bool) -> str:
    port = settings.router_tls_port
    secure = f" and https://<app>.localhost:{port}" if port else ""
    stop = "paas down" if detached else "Ctrl-C (machines run on), or `paas down` elsewhere"
    return (
        f"=====> SmartPlatform runs (installation {settings.installation})\n"
        f"       apps      http://<app>.localhost:{settings.router_port}{secure}\n"
        f"       git       http://localhost:{settings.control_port}/<app>.git\n"
        f"       commands  paas create, paas ps, paas logs -t; `paas help` lists them\n"
        f"       stop      {stop}"
    )


def _farewell(settings: Settings, *, halted: bool) -> str:
    count = _running_count(settings)
    if halted or not count:
        return "=====> Processes stopped."
    return (
        f"=====> Stopped. {count} machine(s) go on running; the next start adopts them,\n"
        f"       `paas down` stops them."
    )


def _running_count(settings: Settings) -> int:
    return sum(record.get("state") == "running" for record in _records(settings))


def _records(settings: Settings) -> list[dict[str, Any]]:
    """What the node has on disk of its machines; it may be changing them meanwhile."""
    found = []
    for path in (settings.pool_mount / ".machines").glob("*.json"):
        # Whatever else somebody put there is the node's to complain about.
        with contextlib.suppress(OSError, ValueError, RecursionError):
            record = json.loads(path.read_text()) if path.is_file() else None
            found += [record] if isinstance(record, dict) else []
    return found
