"""An app as its tree describes it: what a plan is made from."""

from collections.abc import Mapping
from dataclasses import dataclass

from buildpacks.nodejs import known, manifest, node_options
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.node_options import AtBuild
from buildpacks.nodejs.package_manager import Lock, PackageManager
from buildpacks.nodejs.processes import absent
from buildpacks.tree import Tree


@dataclass(frozen=True)
class App:
    """What the tree says of the app, its config vars, and what goes over them at its build."""

    tree: Tree
    package: Manifest
    manager: PackageManager
    lock: Lock
    config: Mapping[str, str]
    at_build: AtBuild
    ignores_scripts: bool
    """Is the package manager told to run no install scripts?"""


def read(tree: Tree, config: Mapping[str, str]) -> App:
    """Raises Refused when there is no app, or what describes it can't be read."""
    absent.check(tree)
    package = manifest.read(tree)
    manager = known.of(tree, package)
    lock = manager.read(tree, package)
    return App(
        tree=tree,
        package=package,
        manager=manager,
        lock=lock,
        config=config,
        at_build=node_options.at_build(tree, lock.names, config),
        ignores_scripts=manager.ignores_scripts(tree, config),
    )
