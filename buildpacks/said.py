"""What the output of an app's steps and of its start means, whichever buildpack is the app's.

`manager` is the plan's: it says whose tools have spoken. At a start each runtime's words are asked
for, because an app of Node.js may start Deno.
"""

import re
from collections.abc import Callable, Collection, Iterable

from buildpacks import deno, nodejs
from buildpacks.deno import failures as of_deno
from buildpacks.findings import Failure, Notice
from buildpacks.nodejs.failures.classify import TAIL_CHARACTERS_MAX
from buildpacks.nodejs.rules import Evidence
from buildpacks.tree import Tree, below

_COLOUR = re.compile(r"\x1b\[[0-9;:]{0,32}m")
"""An output keeps its colours when it is shown; to the rules they are in the middle of words."""


def manager_of(tree: Tree, folder: str = "") -> str:
    """The app's package manager, or Deno, which is its own. `folder` is the app's."""
    is_deno = deno.detect(below(tree, folder))
    return deno.NAME if is_deno else nodejs.needs(tree, folder).manager


def classify(
    step: str,
    exit_code: int | None,
    tail: str,
    *,
    manager: str = "npm",
    port: int | None = None,
    tree: Tree | None = None,
    folder: str = "",
    config: Collection[str] = (),
) -> Failure:
    """Why a step failed, `start` among them (`buildpacks.nodejs.failures.classify`)."""
    is_deno = manager == deno.NAME
    tail = _COLOUR.sub("", tail)
    if is_deno or step == "start":
        evidence = Evidence(step, exit_code, tail[-TAIL_CHARACTERS_MAX:], port=port)
        found = next((failure for rule in of_deno.RULES if (failure := rule.find(evidence))), None)
        if found:
            return found
        if is_deno and (step != "start" or exit_code not in (None, 0, 137)):
            return of_deno.otherwise(step, exit_code)
    named = "npm" if is_deno else manager
    return nodejs.classify(
        step,
        exit_code,
        tail,
        manager=named,
        port=port,
        tree=tree,
        folder=folder,
        config=config,
    )


def noticed(step: str, lines: Iterable[str], manager: str) -> list[Notice]:
    """What was left out in a step that did not fail."""
    lines = [_COLOUR.sub("", line) for line in lines]
    if manager != deno.NAME:
        return nodejs.noticed(step, lines, manager)
    evidence = Evidence(step, 0, "\n".join(lines))
    found = (rule.find(evidence) for rule in of_deno.WARNINGS)
    return [Notice(one.id, one.message, one.hint) for one in found if one]


def shown(manager: str) -> Callable[[str], bool]:
    """Asked of each line of a step's output in turn: is it worth showing?"""
    return of_deno.shown() if manager == deno.NAME else nodejs.named(manager).shown()
