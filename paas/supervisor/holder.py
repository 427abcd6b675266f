"""The holder: has the platform's listening sockets, so that they outlive a killed supervisor.

    python -m paas.supervisor.holder --supervisor PID --descriptors 7,8 --names http:claim

It serves nothing. When the supervisor ends without having ended its holder first, it was killed:
the holder starts another on the same sockets, and again with a growing pause. The supervisor in
turn starts another holder when this one ends. Where systemd keeps the sockets and starts the
supervisor again, no holder is needed.
"""

import argparse
import contextlib
import os
import select
import sys
import time
from collections.abc import MutableMapping, Sequence
from typing import NoReturn

from paas.host import handed

MODULE = "paas.supervisor.holder"
PID_VARIABLE = "PAAS_HOLDER_PID"
"""By which a supervisor knows the holder that started it."""
PAUSE_MIN_S, PAUSE_MAX_S = 0.1, 10.0
STEADY_AFTER_S = 5.0
"""A supervisor that ran this long is started again without a growing pause."""


def command(supervisor: int, descriptors: Sequence[int], names: str) -> list[str]:
    """The argument vector of a holder of these descriptors, which it must inherit."""
    numbers = ",".join(map(str, descriptors))
    options = ["--supervisor", str(supervisor), "--descriptors", numbers, "--names", names]
    return [sys.executable, "-P", "-m", MODULE, *options]


def starter(environment: MutableMapping[str, str]) -> dict[str, int]:
    """The holder that started this process, by its service's name; empty when none did."""
    pid = environment.pop(PID_VARIABLE, "")
    return {"holder": int(pid)} if pid.isdigit() and int(pid) == os.getppid() else {}


def main() -> None:
    options = _options()
    descriptors = [int(number) for number in options.descriptors.split(",")]
    for number in descriptors:
        os.set_inheritable(number, False)
    _say_ready()
    _wait_for_parent(options.supervisor)
    pause_s = PAUSE_MIN_S
    while True:
        print("-----> The supervisor was killed: starting another", file=sys.stderr, flush=True)
        began = time.monotonic()
        _run_supervisor(descriptors, options.names)
        pause_s = PAUSE_MIN_S if time.monotonic() - began > STEADY_AFTER_S else pause_s
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, PAUSE_MAX_S)


def _say_ready() -> None:
    """The supervisor may have been killed already."""
    descriptor = int(os.environ.pop("PAAS_READY_FD"))
    with contextlib.suppress(OSError):
        os.write(descriptor, b"1")
    os.close(descriptor)


def _wait_for_parent(supervisor: int) -> None:
    """Return when the supervisor, which started this process, has ended."""
    try:
        watch = os.pidfd_open(supervisor)
    except ProcessLookupError:
        return
    if os.getppid() == supervisor:
        poll = select.poll()
        poll.register(watch, select.POLLIN)
        poll.poll()
    os.close(watch)


def _run_supervisor(descriptors: Sequence[int], names: str) -> None:
    """Start a supervisor and wait for its end. An orderly one ends this process before itself."""
    mine = os.getpid()
    child = os.fork()
    if child == 0:
        _become_supervisor(descriptors, names, mine)
    os.waitpid(child, 0)


def _become_supervisor(descriptors: Sequence[int], names: str, mine: int) -> NoReturn:
    try:
        os.setsid()
        environment = os.environ | handed.give(descriptors, names) | {PID_VARIABLE: str(mine)}
        os.execve(sys.executable, [sys.executable, "-P", "-m", "paas.cli", "up"], environment)
    finally:
        os._exit(127)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}")
    parser.add_argument("--supervisor", type=int, required=True)
    parser.add_argument("--descriptors", required=True)
    parser.add_argument("--names", required=True)
    return parser.parse_args()


if __name__ == "__main__":
    main()
