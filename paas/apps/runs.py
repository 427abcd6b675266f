"""One-off runs: a command in a machine of its own, such as `run.1234`. Pure.

Heroku's one-off dynos (Dev Center, "One-Off Dynos"): attached to somebody's terminal or detached,
never started again, over after 24 hours at most.
"""

import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from paas.apps import config_vars
from paas.apps.releases import Release
from paas.errors import UserError

TYPE = "run"
TIME_LIMIT_MAX_S = 24 * 3600
"""Heroku's, and what a run has that asks for less."""
COMMAND_BYTES_MAX = 64 * 1024
_NUMBERS = range(1000, 10_000)


@dataclass(frozen=True)
class Run:
    """`attached` says that it lives as long as somebody's connection to it; `type` is `run`, or a
    cron's (`cron.nightly`)."""

    machine_uuid: str
    app_id: str
    release_version: int
    number: int
    command: str
    package: str
    attached: bool
    created_at: datetime
    ends_at: datetime
    type: str = TYPE

    @property
    def name(self) -> str:
        return f"{self.type}.{self.number}"


@dataclass(frozen=True)
class Wanted:
    """What somebody asks to be run. `environment` goes over the config vars; `size` are rows and
    columns of the terminal that it is attached to, if it is one."""

    command: str
    attached: bool
    package: str
    time_limit_s: int = TIME_LIMIT_MAX_S
    environment: Mapping[str, str] = field(default_factory=dict)
    size: tuple[int, int] | None = None


def check_command(command: Any) -> str:
    """Raises UserError."""
    if not isinstance(command, str) or not command.strip():
        raise UserError("invalid_params", "There is no command to run.", "paas run node --version")
    if "\0" in command or len(command.encode("utf-8", "replace")) > COMMAND_BYTES_MAX:
        limit = COMMAND_BYTES_MAX >> 10
        raise UserError("invalid_params", f"The command has a NUL, or over {limit} KiB.")
    return command


def check_environment(given: Any) -> dict[str, str]:
    """Further variables, by the rules of config vars. Numbers count as text, null as nothing.

    Raises UserError.
    """
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise UserError("invalid_params", "`env` must be an object of names and values.")
    found = {
        str(name): str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for name, value in given.items()
        if value is not None
    }
    return config_vars.merge({}, found)


def taken_size(environment: dict[str, str]) -> tuple[int, int]:
    """Rows and columns that Heroku's clients send as LINES and COLUMNS, which programs would take
    for fixed: they are taken out. 0 where nothing says it."""
    found = [environment.pop(name, "") for name in ("LINES", "COLUMNS")]
    rows, columns = (int(text) if re.fullmatch(r"[0-9]{1,4}", text) else 0 for text in found)
    return rows, columns


def command_of(release: Release, command: str, type: str = "") -> Mapping[str, Any]:
    """How a command is run: by a shell. A first word that is a process type of the release stands
    for that type's command, as on Heroku.

    It has what the web process has (folder, runtimes, the command's own variables), or the process
    type `type` if that is named. Raises UserError for a type that the release lacks.
    """
    first, space, rest = command.strip().partition(" ")
    if first in release.commands:
        if not space:
            return release.commands[first]
        command, type = f"{release.processes.get(first, first)} {rest}", first
    if type and type != TYPE and type not in release.commands:
        known = ", ".join(sorted(release.commands)) or "none"
        message = f"{release.name} has no process type {type[:30]!r}."
        raise UserError("invalid_params", message, f"There are: {known}.")
    names = [name for name in (type, "web", *sorted(release.commands)) if name in release.commands]
    like: Mapping[str, Any] = release.commands[names[0]] if names else {}
    return {"environment": {}, **like, "argv": shell(command)}


def shell(command: str) -> list[str]:
    """A command line as Heroku runs it. It is one word of the shell's, whatever is in it."""
    return ["bash", "-c", command]


def alone(argv: Sequence[str]) -> list[str]:
    """The same command, with the end of which everything ends that it has left running.

    kill(2) with -1 spares who calls it and the processes of other users. What is left would hold
    the pipes open, for whose end `runc exec` waits.
    """
    script = '"$@"; code=$?; kill -KILL -1 2>/dev/null; exit $code'
    return ["bash", "-c", script, "bash", *argv]


def new_number(taken: Collection[int]) -> int:
    """Four digits, as Heroku has them: by chance, so that a log names a run only once."""
    free = [number for number in _NUMBERS if number not in taken]
    if not free:
        raise UserError("conflict", "There are too many runs.", "`paas ps` lists them.")
    return secrets.choice(free)


def end_of(created_at: datetime, time_limit_s: int) -> datetime:
    return created_at + timedelta(seconds=time_limit_s)
