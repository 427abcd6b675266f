"""One command line: what a command accepts, what was typed, and what a command needs to answer.

    @command("Show …", options=[APP, JSON], examples=["paas ps -a hello"])
    def ps(call: Call) -> None: ...

Options and arguments come in any order: `--name value`, `--name=value`, `-n 5` and `-n5`.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from paas.cli.nearest import did_you_mean
from paas.cli.table import Command
from paas.errors import UserError

if TYPE_CHECKING:
    from paas.client.api import Client
    from paas.settings import Settings


_APP_NAME = re.compile(r"[a-z][a-z0-9-]{1,28}[a-z0-9]")


@dataclass(frozen=True)
class Option:
    """`value` names what follows the option; without it the option is a flag."""

    name: str
    help: str
    value: str = ""
    short: str = ""


@dataclass(frozen=True)
class Argument:
    """`least` and `most` say how often; `most` 0 means any number."""

    name: str
    help: str
    least: int = 1
    most: int = 1


@dataclass(frozen=True)
class Spec:
    description: str
    arguments: tuple[Argument, ...] = ()
    options: tuple[Option, ...] = ()
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parsed:
    command: str
    arguments: list[str]
    options: dict[str, str]
    flags: frozenset[str]


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
) -> Callable[[Callable[["Call"], int | None]], Command]:
    """Mark a function as a command: it takes a Call and returns an exit code or nothing."""
    spec = Spec(description, tuple(arguments), tuple(options), tuple(examples))

    def mark(function: Callable[["Call"], int | None]) -> Command:
        marked = cast(Any, function)
        marked.spec = spec
        return cast(Command, marked)

    return mark


class Call:
    """What was typed, and, made when first asked for: settings, client, the app."""

    def __init__(self, parsed: Parsed, environment: Mapping[str, str]) -> None:
        self.command = parsed.command
        self.arguments = parsed.arguments
        self.options = parsed.options
        self.flags = parsed.flags
        self.environment = environment

    @property
    def json(self) -> bool:
        return "json" in self.flags

    def number(self, name: str, default: int, least: int = 1, most: int = 100_000) -> int:
        text = self.options.get(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
            raise usage(self.command, f"--{name} is a number from {least} to {most}, not {text!r}.")
        return int(text)

    @cached_property
    def settings(self) -> "Settings":
        from paas.settings import load

        return load(self.environment)

    @cached_property
    def client(self) -> "Client":
        from paas.client.api import Client
        from paas.client.endpoint import find_endpoint

        return Client(find_endpoint(self.settings, self.environment))

    @cached_property
    def app(self) -> str:
        """The app's name: `-a`, `PAAS_APP`, the git remote of this folder, or the only app."""
        from paas.cli.which import app_name

        return app_name(self)


def usage(command: str, message: str) -> UserError:
    return UserError("usage", message, f"See `paas {command} --help`.", exit_code=2)


def parse(name: str, spec: Spec, words: Sequence[str]) -> Parsed:
    """Raises UserError (usage) for what the command does not accept."""
    arguments: list[str] = []
    options: dict[str, str] = {}
    flags: set[str] = set()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            arguments += rest
            break
        if not word:
            raise usage(name, "An argument is empty: perhaps a variable that is not set.")
        if not word.startswith("-") or word == "-":
            arguments.append(word)
            continue
        option, value = _option(name, spec, word)
        if not option.value:
            if value is not None:
                raise usage(name, f"--{option.name} takes no value.")
            flags.add(option.name)
            continue
        if value is None:
            if not rest:
                raise usage(name, f"--{option.name} needs a value: --{option.name} {option.value}.")
            value = rest.pop(0)
        if not value:
            # Taken as left out, it could mean another app than the one that was meant.
            raise usage(name, f"--{option.name} is empty: perhaps a variable that is not set.")
        options[option.name] = value
    _check_count(name, spec, arguments)
    return Parsed(name, arguments, options, frozenset(flags))


def _option(name: str, spec: Spec, word: str) -> tuple[Option, str | None]:
    if word.startswith("--"):
        typed, equals, value = word[2:].partition("=")
        for option in spec.options:
            if option.name == typed:
                return option, value if equals else None
    else:
        for option in spec.options:
            if option.short and word[1] == option.short:
                return option, word[2:] or None
    known = [f"--{option.name}" for option in spec.options]
    mean = did_you_mean(word.partition("=")[0], [option[2:] for option in known], "--")
    error = usage(name, f"`paas {name}` has no option {word.partition('=')[0]!r}.")
    error.hint = mean + error.hint
    raise error


def _check_count(name: str, spec: Spec, arguments: list[str]) -> None:
    least = sum(argument.least for argument in spec.arguments)
    endless = any(argument.most == 0 for argument in spec.arguments)
    most = sum(argument.most for argument in spec.arguments)
    if len(arguments) < least:
        missing = next(a for i, a in enumerate(spec.arguments) if i >= len(arguments))
        raise usage(name, f"`paas {name}` needs {missing.name}: {missing.help}.")
    if not endless and len(arguments) > most:
        error = usage(name, f"`paas {name}` does not know what to do with {arguments[most]!r}.")
        if APP in spec.options and _APP_NAME.fullmatch(arguments[most]):
            words = shlex.join([*name.split(), *arguments[:most], "-a", arguments[most]])
            error.hint = f"If that is the app: paas {words}\n{error.hint}"
        raise error
