"""What an app.json declares, once it is checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from buildpacks.findings import Notice


@dataclass(frozen=True)
class Variable:
    """A config var. Without a `value` somebody has to give one, if it `is_required`; with
    `is_secret` the platform makes it up."""

    value: str | None = None
    is_required: bool = True
    is_secret: bool = False
    description: str = ""


@dataclass(frozen=True)
class Size:
    """Of a process type: how many instances and which package; None and the empty name leave it to
    the platform."""

    quantity: int | None = None
    package: str = ""


@dataclass(frozen=True)
class Check:
    """What an instance of a process type is asked: its `path` answers with 2xx or 3xx."""

    path: str


@dataclass(frozen=True)
class Cron:
    """A command that is run at set times, as Dokku has it; `path` is where it stands in the file.
    `name` and `timezone` are ours, and empty where it leaves them to the platform."""

    path: str
    schedule: str
    command: str
    name: str = ""
    timezone: str = ""
    overlap: bool = False


@dataclass(frozen=True)
class AppJson:
    """`postdeploy` is a command for the shell, run once after the first release; `buildpacks` are
    names and addresses in their order, `checks` those of process types."""

    env: Mapping[str, Variable] = field(default_factory=dict)
    formation: Mapping[str, Size] = field(default_factory=dict)
    postdeploy: str = ""
    buildpacks: tuple[str, ...] = ()
    checks: Mapping[str, Check] = field(default_factory=dict)
    crons: tuple[Cron, ...] = ()
    notices: tuple[Notice, ...] = ()
