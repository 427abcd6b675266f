"""All that is wrong with a tree that can't be planned, so that one push tells what ten would.

A plan stops at the first thing that it can't live with. Here the same questions are asked once
more, each by itself: what hangs on an answer that there is none for is left out, because whoever
mends the first thing would find the second one gone, or another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from buildpacks.findings import Failure, Refused
from buildpacks.nodejs import known, manifest, node_options, steps, versions
from buildpacks.nodejs.app import App
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.package_manager import Lock, ManagerOffer, PackageManager
from buildpacks.nodejs.processes import absent, commands, procfile, types
from buildpacks.nodejs.versions import Offer
from buildpacks.tree import Tree

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What a plan is made from."""

    tree: Tree
    offer: Offer
    managers: ManagerOffer
    config: Mapping[str, str]
    last_major: int | None


class _Answers:
    """Each failure once, in the order in which they are found."""

    def __init__(self, first: Failure) -> None:
        self.failures = [first]

    def of(self, question: Callable[[], T]) -> T | None:
        try:
            return question()
        except Refused as refused:
            self.failures += [one for one in refused.failures if one not in self.failures]
            return None


def beside(first: Failure, asked: Asked) -> tuple[Failure, ...]:
    """`first`, and what is wrong whether or not that is mended."""
    tree, answers = asked.tree, _Answers(first)
    if "package.json" not in tree.names():
        answers.of(lambda: absent.check(tree))
        return tuple(answers.failures)
    package = answers.of(lambda: manifest.read(tree))
    answers.of(lambda: procfile.read(tree))
    if package is None:
        _without_package(asked, answers)
        return tuple(answers.failures)
    manager = answers.of(lambda: known.of(tree, package))
    lock = answers.of(lambda: manager.read(tree, package)) if manager else None
    runtime = answers.of(lambda: versions.resolve(tree, package, asked.offer, asked.last_major))
    if manager and lock and runtime:
        answers.of(lambda: manager.choose(package, lock, runtime[0].version, asked.managers))
    _processes(_app(asked, package, manager or known.KNOWN[0], lock or Lock()), answers)
    return tuple(answers.failures)


def _without_package(asked: Asked, answers: _Answers) -> None:
    """package.json can't be read: damaged lock files and unknown versions show all the same."""
    tree, nothing = asked.tree, Manifest()
    manager = answers.of(lambda: known.of(tree, nothing))
    if manager:
        answers.of(lambda: manager.read(tree, nothing))
    answers.of(lambda: versions.resolve(tree, nothing, asked.offer, asked.last_major))


def _processes(app: App, answers: _Answers) -> None:
    found = answers.of(lambda: types.find(app))
    prunes = bool(steps.prune(app).command)
    for type_, command in found.of.items() if found else ():
        answers.of(partial(commands.check, app, {type_: command}, prunes))


def _app(asked: Asked, package: Manifest, manager: PackageManager, lock: Lock) -> App:
    return App(
        tree=asked.tree,
        package=package,
        manager=manager,
        lock=lock,
        config=asked.config,
        at_build=node_options.at_build(asked.tree, lock.names, asked.config),
        ignores_scripts=manager.ignores_scripts(asked.tree, asked.config),
    )
