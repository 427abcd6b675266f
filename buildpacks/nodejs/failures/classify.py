"""Explains a failed step from its exit code, its last output and the app's own files. Pure."""

import shlex
from collections.abc import Collection, Iterable

from buildpacks.findings import Failure, Notice, Refused
from buildpacks.nodejs import manifest
from buildpacks.nodejs.failures import causes
from buildpacks.nodejs.known import KNOWN, named
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.package_manager import PackageManager
from buildpacks.nodejs.rules import Evidence
from buildpacks.tree import Tree, below

TAIL_CHARACTERS_MAX = 20_000
COMMIT = "git commit -m 'Change the dependencies'"


def classify(
    step: str,
    exit_code: int | None,
    tail: str,
    *,
    manager: str = KNOWN[0].name,
    port: int | None = None,
    tree: Tree | None = None,
    folder: str = "",
    config: Collection[str] = (),
) -> Failure:
    """Why a step failed. `step` is a step's name of the plan, or `start`; `manager` the plan's.

    `exit_code` is None for what was still running when its time was up: a build step over its
    limit, or a process that never opened `port`. A signal N is 128 + N. `tree` is what was pushed,
    `folder` the app's place in it; `config` are the names of its config vars.
    """
    evidence = Evidence(
        step=step,
        exit_code=exit_code,
        tail=tail[-TAIL_CHARACTERS_MAX:],
        package=_package(below(tree, folder)) if tree else Manifest(),
        tree=tree,
        folder=folder,
        config=frozenset(config),
        port=port,
        typed=typed(named(manager)),
    )
    found = (rule.find(evidence) for rule in causes.ALL)
    return next(failure for failure in found if failure)


def noticed(step: str, lines: Iterable[str], manager: str) -> list[Notice]:
    """What the package manager has left out in a step that did not fail."""
    evidence = Evidence(step, 0, "\n".join(lines), typed=typed(named(manager)))
    found = (rule.find(evidence) for rule in named(manager).warnings)
    return [Notice(one.id, one.message, one.hint) for one in found if one]


def typed(manager: PackageManager) -> dict[str, str]:
    """What the app's package manager is told, by purpose."""
    said, files = manager.typed, " ".join(manager.typed.files)
    return {
        "manager": manager.name,
        "install": said.install,
        "add": said.add,
        "add_dev": said.add_dev,
        "keep": said.keep,
        "start": said.start,
        "approve": said.approve,
        "files": files,
        "commit": f"git add {files} && {COMMIT}",
        "run_build": shlex.join(manager.run("build")),
    }


def _package(tree: Tree) -> Manifest:
    try:
        return manifest.read(tree)
    except Refused:
        return Manifest()
