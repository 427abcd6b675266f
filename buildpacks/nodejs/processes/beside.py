"""What an app's commands call beside Node.js: Bun or Deno, which are runtimes of their own.

An app that Bun installs has Bun wherever it runs: commands call it inside of scripts that nobody
reads. In any other app they are there where a command names them.
"""

import re
from collections.abc import Iterable, Mapping

from buildpacks.nodejs.processes import development, procfile
from buildpacks.tree import Tree

_PROGRAMS = {"bun": "bun", "bunx": "bun", "deno": "deno"}
"""Program → place of its runtime."""
_BUILD_SCRIPTS = (
    *("heroku-prebuild", "preinstall", "install", "postinstall", "prepare"),
    *("heroku-postbuild", "build", "heroku-cleanup"),
)
_NAMED = re.compile(r"(?<![\w./@-])(bunx?|deno)(?=\s)")


def mentioned(tree: Tree, scripts: Mapping[str, str]) -> set[str]:
    """The places of what any command names, or more: which versions may have to be known."""
    text = [*scripts.values(), *(procfile.read(tree) or {}).values()]
    return {_PROGRAMS[name] for command in text for name in _NAMED.findall(f"{command} ")}


def called(commands: Iterable[str], scripts: Mapping[str, str]) -> set[str]:
    """The places of what the commands of process types and of builds run."""
    builds = (scripts[name] for name in _BUILD_SCRIPTS if name in scripts)
    return {
        _PROGRAMS[program]
        for command in (*commands, *builds)
        for program in development.programs(command, scripts)
        if program in _PROGRAMS
    }


def place(command: str, scripts: Mapping[str, str]) -> str:
    """Of the runtime that runs a command. `bunx` gives what it fetches to Node.js, but for
    `--bun`."""
    programs = development.programs(command, scripts)
    runs = (program for program in programs if program in _PROGRAMS)
    program = next(runs, "")
    if program == "bunx" and "--bun" not in command.split():
        return "node"
    return _PROGRAMS.get(program, "node")
