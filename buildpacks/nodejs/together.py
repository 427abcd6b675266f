"""All that is wrong with a tree that can't be planned, so that one push tells what ten would.

A plan stops at the first thing that it can't live with. Here the same questions are asked once
more, each by itself: what hangs on an answer that there is none for is left out, because whoever
mends the first thing would find the second one gone, or another.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from buildpacks.findings import Failure, Refused, found_in
from buildpacks.nodejs import known, manifest, node_options, steps, versions
from buildpacks.nodejs.app import App, Base, based
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.package_manager import Lock, ManagerOffer, PackageManager
from buildpacks.nodejs.processes import absent, commands, procfile, types
from buildpacks.nodejs.versions import Offer
from buildpacks.tree import Tree, below

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """What a plan is made from; `folder` of the tree is the app."""

    tree: Tree
    folder: str
    offer: Offer
    managers: ManagerOffer
    config: Mapping[str, str]
    last_major: int | None
    starts_elsewhere: bool = False


class _Answers:
    """Each failure once, in the order in which they are found."""

    def __init__(self, first: Failure) -> None:
        self.failures = [first]

    def of(self, question: Callable[[], T], folder: str = "") -> T | None:
        """Asked of a folder of the tree, which is named with what is wrong there."""
        try:
            with found_in(folder):
                return question()
        except Refused as refused:
            self.failures += [one for one in refused.failures if one not in self.failures]
            return None


def beside(first: Failure, asked: Asked) -> tuple[Failure, ...]:
    """`first`, and what is wrong whether or not that is mended."""
    folder, answers = asked.folder, _Answers(first)
    own = below(asked.tree, folder)
    if "package.json" not in own.names():
        answers.of(lambda: absent.check(own, folder))
        return tuple(answers.failures)
    package = answers.of(lambda: manifest.read(own), folder)
    answers.of(lambda: procfile.read(own), folder)
    base = answers.of(lambda: based(asked.tree, folder)) if package else None
    if package is None or base is None:
        _without_package(asked, answers)
        return tuple(answers.failures)
    manager = answers.of(lambda: known.of(base.tree, base.package), base.folder)
    lock = (
        answers.of(lambda: manager.read(base.tree, base.package), base.folder) if manager else None
    )
    runtime = answers.of(
        lambda: versions.resolve(own, package, asked.offer, asked.last_major), folder
    )
    if manager and lock and runtime:
        version = runtime[0].version
        answers.of(lambda: manager.choose(base.package, lock, version, asked.managers), folder)
    _processes(_app(asked, base, package, manager or known.KNOWN[0], lock or Lock()), answers)
    return tuple(answers.failures)


def _without_package(asked: Asked, answers: _Answers) -> None:
    """package.json can't be read: damaged lock files and unknown versions show all the same."""
    own, nothing = below(asked.tree, asked.folder), Manifest()
    manager = answers.of(lambda: known.of(own, nothing), asked.folder)
    if manager:
        answers.of(lambda: manager.read(own, nothing), asked.folder)
    answers.of(lambda: versions.resolve(own, nothing, asked.offer, asked.last_major), asked.folder)


def _processes(app: App, answers: _Answers) -> None:
    found = answers.of(lambda: types.find(app), app.folder)
    prunes = bool(steps.prune(app).command)
    for type_, command in found.of.items() if found else ():
        answers.of(partial(commands.check, app, {type_: command}, prunes), app.folder)


def _app(asked: Asked, base: Base, package: Manifest, manager: PackageManager, lock: Lock) -> App:
    own = below(asked.tree, asked.folder)
    return App(
        tree=own,
        package=package,
        manager=manager,
        lock=lock,
        config=asked.config,
        at_build=node_options.at_build(own, lock.names, asked.config),
        ignores_scripts=manager.ignores_scripts(base.tree, asked.config),
        base=base,
        folder=asked.folder,
        starts_elsewhere=asked.starts_elsewhere,
    )
