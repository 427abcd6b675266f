"""From a command as people write it to the argument vector that an instance runs.

A command is run itself, never through a package manager, which costs 30 to 70 MB an instance and
swallows SIGTERM: `npm start`, `pnpm run x` or `yarn x` become what the script says. One simple
command becomes its own argument vector. What needs a shell gets one that the last command replaces
(`exec`), so that signals reach it.
"""

import re
from collections.abc import Mapping

from buildpacks.nodejs import known
from buildpacks.nodejs.package_manager import ScriptRun

_PLAIN = re.compile(r"[\w@%+=:,./ \t-]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=")
# fmt: off
_SHELL_WORDS = frozenset((
    ".", ":", "[", "alias", "bg", "break", "builtin", "case", "cd", "command", "continue", "do",
    "done", "elif", "else", "esac", "eval", "exec", "exit", "export", "false", "fg", "fi", "for",
    "function", "getopts", "if", "in", "jobs", "kill", "local", "printf", "read", "readonly",
    "return", "set", "shift", "source", "test", "then", "times", "trap", "true", "type", "ulimit",
    "umask", "unalias", "unset", "until", "wait", "while", "{", "}",
))
# fmt: on
_DEPTH_MAX = 8


def argv(command: str, scripts: Mapping[str, str]) -> tuple[str, ...]:
    """What to execute for a command of the Procfile or of package.json's scripts."""
    before, command = unwrapped(command.strip(), scripts)
    if not before:
        return _argv(command)
    groups = "".join(f"{{ {earlier}\n}} && " for earlier in before)
    return ("sh", "-c", groups + _with_exec(command))


def script_name(command: str, scripts: Mapping[str, str]) -> str:
    """`npm start` → start, `pnpm run x` → x, anything else → nothing."""
    found = _run(command.strip(), scripts)
    return found.name if found else ""


def unwrapped(command: str, scripts: Mapping[str, str]) -> tuple[list[str], str]:
    """The `pre` scripts to run first, and the command, once each `npm run` or the like is its
    script's text."""
    before: list[str] = []
    for _ in range(_DEPTH_MAX):
        run = _run(command, scripts)
        text = scripts.get(run.name, "").strip() if run else ""
        if run is None or not text:
            break
        earlier = scripts.get(f"pre{run.name}", "").strip() if run.before else ""
        before += [earlier] if earlier else []
        command = f"{text} {run.rest}" if run.rest else text
    return before, command


def _run(command: str, scripts: Mapping[str, str]) -> ScriptRun | None:
    """The script that a package manager is told to run, if that is what the command does."""
    found = (each.script(command, scripts) for each in known.KNOWN)
    return next((run for run in found if run), None)


def _argv(command: str) -> tuple[str, ...]:
    if _PLAIN.fullmatch(command):
        words = command.split()
        if not _ASSIGNMENT.match(words[0]) and words[0] not in _SHELL_WORDS:
            return tuple(words)
    return ("sh", "-c", _with_exec(command))


def _with_exec(command: str) -> str:
    """Let the last command replace the shell, when it is certain which one that is."""
    last = _last_command_start(command)
    words = command[last:].split(maxsplit=1) if last is not None else []
    if not words or words[0].strip("'\"") in _SHELL_WORDS:
        return command
    if not _ASSIGNMENT.match(words[0]):
        return f"{command[:last]}exec {command[last:]}"
    # `exec env A=$B` would split the value of B, where `A=$B` alone does not.
    return command if "$" in command else f"{command[:last]}exec env {command[last:]}"


def _last_command_start(command: str) -> int | None:
    """Where the command after the last `&&` begins; None where the grammar is richer than `&&`.

    Richer is whatever joins, groups or backgrounds commands otherwise, outside of quotes.
    """
    start = index = 0
    quote = ""
    while index < len(command):
        character = command[index]
        if character == "\\" and quote != "'":
            index += 1
        elif quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif command.startswith("&&", index):
            index += 1
            start = index + 1
        elif character in "|;()`\n" or (character == "&" and command[index - 1 : index] != ">"):
            return None
        index += 1
    return None if quote else start + len(command[start:]) - len(command[start:].lstrip())
