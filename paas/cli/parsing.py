"""A command line, taken apart as its command's spec says.

Options and arguments come in any order: `--name value`, `--name=value`, `-n 5` and `-n5`.
"""

import re
from collections.abc import Sequence

from paas.cli.call import Parsed, usage
from paas.cli.command import APP, Option, Spec

_APP_NAME = re.compile(r"[a-z][a-z0-9-]{1,28}[a-z0-9]")


def parse(name: str, spec: Spec, words: Sequence[str]) -> Parsed:
    """Raises UserError (usage) for what the command does not accept."""
    arguments: list[str] = []
    options: dict[str, str] = {}
    flags: set[str] = set()
    repeated: dict[str, list[str]] = {}
    rest = list(words)
    while rest:
        if _is_verbatim(spec, len(arguments)) and (rest[0] == "--" or rest[0][:1] != "-"):
            arguments += rest[1:] if rest[0] == "--" else rest
            break
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
        if option.repeated:
            repeated.setdefault(option.name, []).append(value)
    _check_count(name, spec, arguments)
    return Parsed(name, arguments, options, frozenset(flags), repeated)


def verbatim_from(spec: Spec, words: Sequence[str]) -> int:
    """Where another program's command line begins, at the latest."""
    place = next((at for at, each in enumerate(spec.arguments) if each.verbatim), None)
    if place is None:
        return len(words)
    taking = {f"-{each.short}" for each in spec.options if each.short and each.value}
    taking |= {f"--{each.name}" for each in spec.options if each.value}
    at, seen = 0, 0
    while at < len(words):
        if words[at].startswith("-"):
            at += 2 if words[at] in taking else 1
            continue
        if seen == place:
            return at
        at, seen = at + 1, seen + 1
    return len(words)


def _is_verbatim(spec: Spec, position: int) -> bool:
    """Whether what comes at this position is another program's command line."""
    place = next((at for at, each in enumerate(spec.arguments) if each.verbatim), None)
    return place is not None and position >= place


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
    from paas.cli.nearest import did_you_mean

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
            import shlex

            words = shlex.join([*name.split(), *arguments[:most], "-a", arguments[most]])
            error.hint = f"If that is the app: paas {words}\n{error.hint}"
        raise error
