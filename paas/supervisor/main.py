"""Runs the platform's processes under one small parent: `paas up`, `script/server`.

The supervisor opens the sockets of router and control and starts node, router and control, each
under its own user; one that ends is started again with a growing pause. It knows nothing of apps:
machines outlive it. Ctrl-C stops the processes, never a machine; `paas down` stops the machines as
well. When it is killed, another takes its place, started by the holder or by systemd: with the same
sockets, and with the processes that still run.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable

from paas.errors import UserError
from paas.host import checks, handed, identity, processes, sockets
from paas.host.code import checkout
from paas.host.identity import Claim
from paas.host.sockets import Listener
from paas.settings import CONTROL_USER, Settings
from paas.supervisor import (
    background,
    halt,
    holder,
    launch,
    layout,
    leftovers,
    messages,
    notify,
    services,
    taken,
)
from paas.supervisor.messages import say
from paas.supervisor.service import STOP_TIMEOUT_S, Running
from paas.supervisor.stopping import HALT_SIGNAL, signals_wait
from paas.supervisor.supervise import supervise


def run(settings: Settings, *, detach: bool = False, replace: bool = False) -> int:
    """Run the platform until it is told to stop; the exit status for the command line.

    `detach` returns when the platform is ready and leaves it in the background. `replace` first
    stops one that runs from other code; one of this very code is left alone. Raises UserError with
    the reason when the platform can't start.
    """
    owner = identity.settled_owner(settings) if replace else None
    if owner is not None and _runs_this_code(owner):
        say(messages.banner(settings, detached=True))
        return 0
    passed: list[Listener] = []
    if owner is not None:
        # Before it ends: what connects meanwhile waits.
        passed = taken.listeners(settings, [owner.pid])
        stop(settings)
    if not detach:
        return _serve(settings, lambda: say(messages.banner(settings, detached=False)), passed)
    background.run(messages.log_path(settings), lambda ready: _serve(settings, ready, passed))
    sockets.close(passed)
    say(messages.banner(settings, detached=True))
    for problem in checks.run(settings, "pool"):
        if problem.level == "problem":
            say(f" !     {problem.text}\n !     {problem.remedy}")
    trouble = _trouble(settings)
    if trouble:
        say(f" !     {trouble}")
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
    say(f"-----> The platform that runs is from {what}: replacing it, its machines go on")
    return False


def stop(settings: Settings) -> bool:
    """Stop the processes of a running platform; machines go on. False when none runs."""
    return _signal(settings, signal.SIGTERM)


def down(settings: Settings) -> int:
    """Stop processes and machines, keep data: `paas down`."""
    if _signal(settings, HALT_SIGNAL):
        return _say_down(settings)
    if not halt.records(settings):
        say("The platform does not run.")
        return 0
    _halt_left_machines(settings)
    return _say_down(settings)


def _say_down(settings: Settings) -> int:
    left = halt.running_count(settings)
    if left:
        why = messages.log_path(settings)
        say(f" !     {left} machine(s) still run; the log may say why: {why}")
        return 1
    say("=====> Stopped.")
    return 0


def _signal(settings: Settings, number: signal.Signals) -> bool:
    if identity.settled_owner(settings) is None:
        # A holder whose supervisors all fail: it would go on trying.
        processes.end(processes.running(settings, processes.HOLDER))
        return False
    timeout_s = halt.STOP_TIMEOUT_S + 3 * STOP_TIMEOUT_S
    identity.end_owner(settings, number, timeout_s=timeout_s)
    return True


def _halt_left_machines(settings: Settings) -> None:
    """Machines outlive the platform: start a node just to stop them."""
    with identity.claim(settings):
        leftovers.end(settings, [], say)
        layout.prepare(settings)
        node = Running(services.node(settings))
        asyncio.run(supervise(settings, [node], lambda: os.kill(os.getpid(), HALT_SIGNAL)))


def _serve(settings: Settings, ready: Callable[[], None], passed: list[Listener]) -> int:
    """`passed` are sockets that are listened on already."""
    # Modes are ours to say, here and in what is started: not the umask of whoever starts it.
    os.umask(0o022)
    given = handed.take(os.environ)
    with (
        signals_wait(),
        identity.claim(settings, given.claim) as claim,
        contextlib.ExitStack() as stack,
    ):
        services.check_router(settings)
        passed = passed or given.listeners or leftovers.listeners(settings)
        adopted = leftovers.adoptable(settings, claim, passed)
        if not adopted:
            _check_host(settings)
        leftovers.end(settings, list(adopted.values()), say)
        listeners = sockets.listen(settings, passed)
        stack.callback(sockets.close, listeners)
        if not adopted:
            layout.prepare(settings)
        listeners.append(_control_socket(settings, passed))
        sockets.close(item for item in passed if item not in listeners)
        notify.keep(listeners)
        started = _runnings(settings, listeners, claim, adopted)
        return asyncio.run(supervise(settings, started, ready))


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
                say(f"       {running.service.name} goes on (process {pid})")
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
