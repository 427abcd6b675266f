"""The first process of an instance's or a build's zone: catatonit, which starts the command.

Without it the command is process 1 of its zone: children that lose their parent stay zombies for
ever and fill the process limit (Node.js collects its own children only), and the kernel drops
signals that it has no handler for. Podman's `--init` is the same program; Docker's, tini, wakes
once a second for nothing, which is over one percent of a core in 300 idle zones. It is the host's,
mounted read-only; a host without it runs zones as before.
"""

import asyncio
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from paas.node.errors import StartFailed
from paas.node.zone import conmon
from paas.system.processes import start_time, wait_exit

PLACE = "/opt/smartplatform/init"
_PROGRAM = "catatonit"
_FORMER = "tini-static"
"""Zones that were started by an older version of the platform may live on with it."""
_LOOK_S = 0.001
_LOOK_MAX_S = 0.02
_START_TIMEOUT_S = 30.0
_REASONS = {
    "failed to exec pid1: No such file or directory": "executable file not found in $PATH",
    "failed to exec pid1: Permission denied": "permission denied",
}
"""What it says when the command can't be run (its status is 1 then) → the runtime's words."""
_TAIL_BYTES = 8192


def program() -> Path | None:
    """The host's, or None. Static: it needs nothing of the zone's userland."""
    return _found(_PROGRAM)


def is_init(pid: int) -> bool:
    """Whether the first process of a zone is ours; also when that can't be seen any more."""
    return _is_program(pid, program()) or _is_program(pid, _found(_FORMER))


def wrapped(command: Sequence[str]) -> list[str]:
    return [PLACE, "--", *command]


async def wait_command(paths: conmon.Paths, zone: conmon.Holders, command: Sequence[str]) -> None:
    """Return when the command runs (or has run). Raises StartFailed when it can't be run.

    The kernel tells nobody of an exec, so this looks; it takes a millisecond or two.
    """
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            if await _runs(zone):
                return
            await wait_exit(zone.conmon)
    except TimeoutError as error:
        raise StartFailed(
            f"the command did not start in {_START_TIMEOUT_S:.0f} s: "
            "the machine may have no processes (max_lwps) or memory left"
        ) from error
    _raise_if_not_run(paths, command)


async def _runs(zone: conmon.Holders) -> bool:
    """True once the init's child is another program; False when the init has ended before."""
    init = program()
    delay_s = _LOOK_S
    while start_time(zone.init) is not None:
        if any(not _is_program(child, init) for child in _children(zone.init)):
            return True
        await asyncio.sleep(delay_s)
        delay_s = min(delay_s * 1.5, _LOOK_MAX_S)
    return False


def _raise_if_not_run(paths: conmon.Paths, command: Sequence[str]) -> None:
    if conmon.exit_code(paths) != 1:
        return
    said = _tail(paths.log)
    for words, reason in _REASONS.items():
        if words in said:
            raise StartFailed(f'exec: "{command[0]}": {reason}')


def _found(name: str) -> Path | None:
    place = shutil.which(name)
    return Path(place).resolve() if place else None


def _children(pid: int) -> list[int]:
    """Of the init, those that are in its zone: runc's own is gone when the init runs."""
    with suppress(OSError, ValueError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _is_program(pid: int, wanted: Path | None) -> bool:
    try:
        running, there = Path(f"/proc/{pid}/exe").stat(), wanted.stat() if wanted else None
    except OSError:
        return True  # It has just ended, or is not there yet: not the command that runs.
    return there is not None and (running.st_dev, running.st_ino) == (there.st_dev, there.st_ino)


def _tail(log: Path) -> str:
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace")
    return ""
