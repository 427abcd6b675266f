"""An app as its tree describes it: what a plan is made from."""

from collections.abc import Mapping
from dataclasses import dataclass

from buildpacks.findings import found_in
from buildpacks.nodejs import known, manifest, node_options, workspaces
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.node_options import AtBuild
from buildpacks.nodejs.package_manager import Lock, PackageManager
from buildpacks.nodejs.processes import absent
from buildpacks.tree import Tree, below


@dataclass(frozen=True)
class Base:
    """Where an app's dependencies are installed: the root of the workspaces that it is one of, or
    else its own folder. `folder` is its place in the repository."""

    tree: Tree
    package: Manifest
    folder: str = ""


@dataclass(frozen=True)
class App:
    """What the tree says of the app, its config vars, and what goes over them at its build.

    `tree` and `package` are the app's own, `folder` is their place in the repository.
    """

    tree: Tree
    package: Manifest
    manager: PackageManager
    lock: Lock
    config: Mapping[str, str]
    at_build: AtBuild
    ignores_scripts: bool
    """Is the package manager told to run no install scripts?"""
    base: Base
    folder: str = ""
    starts_elsewhere: bool = False
    """Do other buildpacks, which run later, have a say in how it is started?"""

    @property
    def is_workspace(self) -> bool:
        return self.base.folder != self.folder


def based(tree: Tree, folder: str) -> Base:
    """`tree` is the whole repository, `folder` the app's place in it. Raises Refused."""
    own = below(tree, folder)
    absent.check(own, folder)
    with found_in(folder):
        package = manifest.read(own)
    found = workspaces.root_of(tree, folder)
    if found == folder:
        return Base(own, package, folder)
    with found_in(found):
        return Base(below(tree, found), manifest.read(below(tree, found)), found)


def read(tree: Tree, config: Mapping[str, str], folder: str = "") -> App:
    """`tree` is the whole repository. Raises Refused when there is no app in its folder, or what
    describes it can't be read."""
    base, own = based(tree, folder), below(tree, folder)
    with found_in(base.folder):
        manager = known.of(base.tree, base.package)
        lock = manager.read(base.tree, base.package)
    package = manifest.read(own)
    if base.folder != folder:
        package = workspaces.with_frameworks_of_root(own, package, base.package)
    return App(
        tree=own,
        package=package,
        manager=manager,
        lock=lock,
        config=config,
        at_build=node_options.at_build(own, lock.names, config),
        ignores_scripts=manager.ignores_scripts(base.tree, config),
        base=base,
        folder=folder,
    )
