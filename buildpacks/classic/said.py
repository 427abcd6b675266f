"""What a buildpack's programs answer: bin/release in YAML, and the variables that `export` sets.

All of it is a stranger's: what is not understood is left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from buildpacks.classic.plan import process
from buildpacks.nodejs import indented
from buildpacks.nodejs.processes import procfile
from buildpacks.plan import Process

_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,29}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
_OF_THE_SHELL = frozenset(
    ("_", "PWD", "OLDPWD", "SHLVL", "BASH_ENV", "ENV", "HOME", "BASHOPTS", "SHELLOPTS")
)
_COMMAND_CHARACTERS_MAX = 4000
_TYPES_MAX = 100


def types(release: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """The default process types of what `bin/release` prints, and which other parts of it say
    something that has no effect here."""
    found = indented.load(release)
    listed = indented.mapping(found, "default_process_types")
    given = {
        type_: command.strip()
        for type_, command in list(listed.items())[:_TYPES_MAX]
        if isinstance(command, str)
        and _TYPE.fullmatch(type_)
        and 0 < len(command.strip()) <= _COMMAND_CHARACTERS_MAX
        and command.isprintable()
    }
    without = [key for key in ("addons", "config_vars") if _says_something(found.get(key))]
    return given, tuple(without)


def _says_something(value: object) -> bool:
    return bool(value) and value not in ("{}", "[]", "null", "~")


def differences(before: bytes, after: bytes) -> dict[str, str]:
    """The variables that are new or other in what `env -0` prints; its texts are UTF-8."""
    old = dict(_variables(before))
    return {name: text for name, text in _variables(after) if old.get(name) != text}


def _variables(printed: bytes) -> Iterator[tuple[str, str]]:
    for item in printed.split(b"\0"):
        name, equals, text = item.decode("utf-8", "replace").partition("=")
        if equals and _NAME.fullmatch(name) and name not in _OF_THE_SHELL:
            yield name, text


def processes(
    planned: Mapping[str, Process],
    defaults: Sequence[Mapping[str, str]],
    written: bytes | None,
    ours_at: int,
) -> dict[str, Process]:
    """The process types of the app once all buildpacks have run.

    `defaults` are those of each of the others in turn, ours (what is `planned` without a Procfile)
    stands before the one at `ours_at`; a later buildpack's goes over an earlier one's, as on
    Heroku, and the Procfile, which a buildpack may have `written`, over all. Raises Refused for a
    Procfile that can't be read.
    """
    found: dict[str, Process] = {}
    of_file = {type_: each for type_, each in planned.items() if each.source == "Procfile"}
    ours = {type_: each for type_, each in planned.items() if type_ not in of_file}
    for number, given in enumerate([*defaults, {}]):
        if number == ours_at:
            found |= ours
        found |= {type_: process(type_, text, "bin/release") for type_, text in given.items()}
    commands = procfile.parse(written) if written is not None else {}
    for type_, command in commands.items():
        known = of_file.get(type_)
        same = known is not None and known.command == command
        found[type_] = known if known and same else process(type_, command, "Procfile")
    return found
