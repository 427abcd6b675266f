"""What the commands of process types would run into, seen before anything is built: development
servers, programs of dev dependencies, scripts that Linux can't execute.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from buildpacks.findings import Notice, Refused, refuse
from buildpacks.nodejs.app import App
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.processes import development, recursion, serving, sites, start, web
from buildpacks.nodejs.rules import kept
from buildpacks.tree import Tree

_SHELLS = ("sh", "bash", "dash", "ksh")
_BUILD_SCRIPTS = (
    *("heroku-prebuild", "preinstall", "install", "postinstall", "prepare"),
    *("heroku-postbuild", "build", "heroku-cleanup"),
)


@dataclass(frozen=True)
class _Command:
    """A command as written, and where."""

    text: str
    source: str
    is_web: bool = False


def check(app: App, commands: Mapping[str, tuple[str, str]], prunes: bool) -> list[Notice]:
    """`commands` are type → command and source; `prunes`: dev dependencies go before the start.

    Raises Refused for what can't start.
    """
    tree, package = app.tree, app.package
    recursion.check(package.scripts)
    written = [_Command(text, source, type_ == "web") for type_, (text, source) in commands.items()]
    for item in written:
        _refuse_script(tree, package, item)
        if prunes:
            _refuse_dev_command(app, item)
    for name in _BUILD_SCRIPTS:
        if name in package.scripts:
            _refuse_script(tree, package, _Command(f"npm run {name}", f"scripts.{name}"))
    return [notice for item in written for notice in _development(app, item)]


def _development(app: App, command: _Command) -> Iterator[Notice]:
    found = development.server(command.text, app.package.scripts)
    if found:
        yield Notice(
            "development_server",
            f"`{command.text}` starts a development server ({found})",
            _instead(app, command, found),
        )


def _refuse_dev_command(app: App, command: _Command) -> None:
    package = app.package
    for program in development.programs(command.text, package.scripts):
        dependency = app.lock.dev_commands.get(program)
        if dependency:
            found = development.server(command.text, package.scripts)
            raise refuse(
                "start_needs_dev_dependency",
                f"{command.source}: `{command.text}` runs {program} of {dependency}, which is a "
                "dev dependency and gone when the app starts",
                _instead(app, command, found, dependency),
            )


def _instead(app: App, command: _Command, found: str, dependency: str = "") -> str:
    """What serves visitors in its place."""
    package, typed, gone = app.package, app.manager.typed, app.lock.dev_commands
    better = development.better_script(package.scripts, gone)
    served = serving.of(app.tree, package, typed)
    if served and {*development.programs(served.start, {})} & {*gone}:
        served = None
    if command.is_web and better:
        return web.procfile_hint(better)
    site = sites.of(app.tree, package)
    if command.is_web and command.source == "Procfile" and site:
        return (
            "Without that line what the build leaves is served: "
            "perl -ni -e 'print unless /^web:/' Procfile && git add Procfile && "
            "git commit -m 'Serve what is built'"
        )
    if command.is_web and served:
        return f"What was built is served by: {served.as_procfile()}"
    if dependency:
        version = package.dev_dependencies.get(dependency, "")
        keep = kept(typed.keep, dependency, version)
        files = " ".join(typed.files)
        return f"{keep} && git add {files} && git commit -m 'Keep it at run time'"
    return "Let the start script run what the build makes, e.g. node dist/server.js"


def _refuse_script(tree: Tree, package: Manifest, command: _Command) -> None:
    for path, executed in _scripts(command.text, package.scripts):
        content = tree.read(path, 4096)
        if content is None:
            continue
        first = content.split(b"\n", 1)[0]
        if first.endswith(b"\r") and (first.startswith(b"#!") or not executed):
            raise _crlf(command, path)
        changed = any("chmod" in package.scripts.get(name, "") for name in _BUILD_SCRIPTS)
        if executed and not changed and not tree.is_executable(path):
            raise _not_executable(command, path)


def _scripts(text: str, scripts: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """The files of the tree that a command runs itself, or gives to a shell."""
    before, last = start.unwrapped(text.strip(), scripts)
    for part in re.split(r"&&|\|\||[;|&\n]", " && ".join((*before, last))):
        words = development.split(part)
        if words and words[0] == "cd":
            return
        if words and words[0] in _SHELLS:
            yield from ((_path(word), False) for word in words[1:2] if not word.startswith("-"))
        elif words and "/" in words[0] and not words[0].startswith("/"):
            yield _path(words[0]), True


def _path(word: str) -> str:
    return word.removeprefix("./")


def _crlf(command: _Command, path: str) -> Refused:
    return refuse(
        "crlf_script",
        f"{command.source}: `{command.text}` runs {path}, whose lines end as on Windows (CRLF): "
        "Linux looks for an interpreter whose name ends in a carriage return",
        f"echo '{path} text eol=lf' >> .gitattributes && git add --renormalize .gitattributes "
        f"{shlex.quote(path)} && git commit -m 'Line ends of Linux'",
    )


def _not_executable(command: _Command, path: str) -> Refused:
    return refuse(
        "not_executable",
        f"{command.source}: `{command.text}` runs {path}, which git does not hold as executable",
        f"git update-index --chmod=+x {shlex.quote(path)} && git commit -m 'Make it executable'",
    )
