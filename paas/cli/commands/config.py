"""Commands on config vars. A change is a release: it is switched like a push."""

import re
import shlex
import sys

from paas.cli.call import Call, usage
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.output import (
    header,
    hexagon,
    note,
    print_json,
    print_line,
    print_pairs,
    print_value,
    progress,
)
from paas.client.api import path
from paas.errors import UserError

SHELL = Option("shell", "print NAME=value lines that a shell can read", short="s")
STDIN_BYTES_MAX = 1024 * 1024


@command(
    "Shows an app's config vars. Apps see them as environment variables.",
    options=[APP, REMOTE, SHELL, JSON],
    examples=["paas config", "paas config --shell > .env", "paas config --json -a hello"],
)
def config(call: Call) -> None:
    values = _values(call)
    if call.json:
        print_json(values)
    elif "shell" in call.flags:
        for name, value in values.items():
            print_value(f"{name}={shlex.quote(value)}")
    else:
        header(f"{hexagon(call.app)} Config Vars")
        print_pairs(values)


@command(
    "Prints the value of one config var, and nothing else.\n"
    "Exit code 3 when the app has no such config var.",
    arguments=[Argument("NAME", "the config var")],
    options=[APP, REMOTE, SHELL, JSON],
    examples=["paas config:get DATABASE_URL"],
)
def get(call: Call) -> None:
    name = call.arguments[0]
    values = _values(call)
    if name not in values:
        raise UserError(
            "not_found",
            f"{hexagon(call.app)} has no config var {name}.",
            f"Set it: paas config:set {name}=VALUE -a {call.app}",
        )
    if call.json:
        print_json({name: values[name]})
    elif "shell" in call.flags:
        print_value(f"{name}={shlex.quote(values[name])}")
    else:
        print_value(values[name])


@command(
    "Sets config vars. The app is released again with them: new instances start, and when they\n"
    "are ready they take over.\n\n"
    "NAME=- reads the value from standard input (without its last line feed), so that a secret\n"
    "stands neither in the shell's history nor in the list of processes.",
    arguments=[Argument("NAME=VALUE", "a config var and its value", least=1, most=0)],
    options=[APP, REMOTE, JSON],
    examples=[
        "paas config:set GREETING=hello COLOUR=blue",
        "paas config:set SESSION_SECRET=- < secret.txt",
        "openssl rand -hex 32 | paas config:set SESSION_SECRET=-",
    ],
)
def set_vars(call: Call) -> None:
    values = _pairs(call.arguments)
    names = ", ".join(values)
    before = _values(call)
    if all(before.get(name) == value for name, value in values.items()):
        note(f"{names}: so it is on {hexagon(call.app)} already; nothing was restarted.")
        if call.json:
            print_json(values)
        return
    with progress(f"Setting {names} and restarting {hexagon(call.app)}") as state:
        answer = call.client.patch(path("apps", call.app, "config-vars"), values)
        state.result = _current_release(call)
    shown = {name: answer[name] for name in values if name in answer}
    if call.json:
        print_json(shown)
    else:
        print_pairs(shown)


@command(
    "Removes config vars. The app is released again without them.",
    arguments=[Argument("NAME", "the config var", least=1, most=0)],
    options=[APP, REMOTE],
    examples=["paas config:unset GREETING COLOUR"],
)
def unset(call: Call) -> None:
    names = list(dict.fromkeys(call.arguments))
    before = _values(call)
    for name in [name for name in names if name not in before]:
        note(f"{hexagon(call.app)} has no config var {name}.")
    names = [name for name in names if name in before]
    if not names:
        note("Nothing was changed or restarted.")
        return
    with progress(f"Unsetting {', '.join(names)} and restarting {hexagon(call.app)}") as state:
        call.client.patch(path("apps", call.app, "config-vars"), dict.fromkeys(names))
        state.result = _current_release(call)


def _values(call: Call) -> dict[str, str]:
    answer = call.client.get(path("apps", call.app, "config-vars"))
    return {str(name): str(answer[name]) for name in sorted(answer)}


def _current_release(call: Call) -> str:
    found = call.client.get(path("apps", call.app, "releases"), newest=("version", 1))
    return f"v{found[0]['version']}" if found else ""


def _pairs(arguments: list[str]) -> dict[str, str]:
    values: dict[str, str] = {}
    for argument in arguments:
        name, equals, value = argument.partition("=")
        if not equals or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise usage("config:set", f"{argument!r} is no config var: write NAME=VALUE.")
        if name in values:
            raise usage("config:set", f"{name} is given twice.")
        values[name] = value
    asked = [name for name, value in values.items() if value == "-"]
    if len(asked) > 1:
        raise usage("config:set", f"Only one value can come from standard input, not {asked}.")
    for name in asked:
        values[name] = _from_stdin(name)
    return values


def _from_stdin(name: str) -> str:
    if sys.stdin is None:
        raise usage("config:set", "Standard input is closed.")
    if sys.stdin.isatty():
        print_line(f"Type the value of {name}, then Ctrl-D:")
    text = sys.stdin.read(STDIN_BYTES_MAX + 1)
    if len(text) > STDIN_BYTES_MAX:
        raise usage("config:set", f"The value of {name} is over {STDIN_BYTES_MAX} bytes.")
    return text.removesuffix("\n").removesuffix("\r")
