"""Scripts of package.json that call themselves, and would until no process can be made any more."""

import re
from collections.abc import Iterator, Mapping

from buildpacks.findings import refuse
from buildpacks.nodejs import known

_RUN = (
    *("heroku-prebuild", "preinstall", "install", "postinstall", "prepare"),
    *("heroku-postbuild", "build", "heroku-cleanup", "start"),
)
"""What a build or a start begins with."""


def check(scripts: Mapping[str, str]) -> None:
    """Raises Refused for a circle that nothing can leave."""
    for name in _RUN:
        circle = _circle(name, scripts, ())
        if circle:
            raise refuse(
                "script_recursion",
                f"scripts.{circle[0]} in package.json calls itself: {' → '.join(circle)}",
                f"Let one of them do the work: npm pkg set scripts.{circle[-2]}='<command>' && "
                "git add package.json && git commit -m 'Do not call itself'",
            )


def _circle(name: str, scripts: Mapping[str, str], way: tuple[str, ...]) -> tuple[str, ...]:
    if name in way:
        return (*way[way.index(name) :], name)
    for called in _called(scripts.get(name, ""), scripts):
        found = _circle(called, scripts, (*way, name))
        if found:
            return found
    return ()


def _called(text: str, scripts: Mapping[str, str]) -> Iterator[str]:
    """The scripts that are run whatever happens. With words of its own a command may be meant for
    a workspace; what stands after `||` or in an `if` need not be run."""
    if re.search(r"\|\||\bif\b|[()]", text):
        return
    for part in re.split(r"&&|[;&\n]", text):
        for manager in known.KNOWN if part.strip() else ():
            run = manager.script(part.strip(), scripts)
            if run and not run.rest and run.name in scripts:
                yield run.name
                break
