"""What a command is: a function of a Call, and what its command line may hold.

    @command("Show …", options=[APP, JSON], examples=["paas ps -a hello"])
    def ps(call: Call) -> None: ...

`index` has the name that it is called by.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, cast

from paas.cli.call import Call


@dataclass(frozen=True)
class Option:
    """`value` names what follows the option; without it the option is a flag. One that may be
    `repeated` has all its values in `Call.repeated`."""

    name: str
    help: str
    value: str = ""
    short: str = ""
    repeated: bool = False


@dataclass(frozen=True)
class Argument:
    """`least` and `most` say how often; `most` 0 means any number. `verbatim`: from its first word
    on nothing is an option of ours: it is another program's command line."""

    name: str
    help: str
    least: int = 1
    most: int = 1
    verbatim: bool = False


@dataclass(frozen=True)
class Spec:
    description: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()


class Command(Protocol):
    """What `command` makes of a function."""

    spec: Spec

    def __call__(self, call: Call) -> int | None: ...


APP = Option(
    "app", "the app (default: the one of the git remote here, or your only one)", "APP", "a"
)
REMOTE = Option("remote", "the git remote that names the app (default: paas)", "NAME", "r")
JSON = Option("json", "print JSON")


def command(
    description: str,
    *,
    arguments: Sequence[Argument] = (),
    options: Sequence[Option] = (),
    examples: Sequence[str] = (),
) -> Callable[[Callable[[Call], int | None]], Command]:
    """Mark a function as a command: it takes a Call and returns an exit code or nothing."""
    spec = Spec(description, tuple(arguments), tuple(options), tuple(examples))

    def mark(function: Callable[[Call], int | None]) -> Command:
        marked = cast(Any, function)
        marked.spec = spec
        return cast(Command, marked)

    return mark
