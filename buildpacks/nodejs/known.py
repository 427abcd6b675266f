"""The package managers that an app may use, and which one it does use."""

import re
from collections.abc import Mapping

from buildpacks import aptfile, ranges
from buildpacks.findings import Notice, Refused, refuse
from buildpacks.nodejs.berry.berry import BERRY
from buildpacks.nodejs.bun.bun import BUN
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.npm.npm import NPM
from buildpacks.nodejs.package_manager import PackageManager
from buildpacks.nodejs.pnpm.pnpm import PNPM
from buildpacks.nodejs.yarn.yarn import YARN
from buildpacks.tree import Tree

KNOWN: tuple[PackageManager, ...] = (NPM, PNPM, YARN, BERRY, BUN)
"""The first is that of an app that says nothing."""


def path(folder: str = "") -> str:
    """PATH of builds and of instances, for an app in that folder of the tree: commands of
    dependencies are found in the folders above as well, as npm has it."""
    parts = folder.split("/") if folder else []
    folders = ["/".join(("/app", *parts[:depth])) for depth in range(len(parts), -1, -1)]
    return ":".join(
        (
            *(f"{each}/node_modules/.bin" for each in folders),
            f"/app/{aptfile.FOLDER}/usr/bin",
            *(f"/opt/{manager.name}/bin" for manager in KNOWN),
            "/opt/deno/bin",
            "/opt/node/bin",
            "/usr/local/bin",
            "/usr/bin",
            "/bin",
        )
    )


def named(name: str) -> PackageManager:
    return next(manager for manager in KNOWN if manager.name == name)


def of(tree: Tree, package: Manifest) -> PackageManager:
    """The app's package manager: `packageManager` of package.json, else the one of the lock file,
    else that of engines or devEngines, else npm. Raises Refused for several lock files, and for a
    package manager that is not known.
    """
    owners = _owners(tree)
    called = package.package_manager.partition("@")[0].strip()
    if called:
        return _asked(called, package, owners)
    if len(set(owners.values())) > 1:
        raise _several(owners)
    # npm comes with every Node.js: that its version is named does not say that it installs.
    asked = {**package.engines, **package.dev_engines}
    other = next((each.name for each in KNOWN[1:] if each.called in asked), KNOWN[0].name)
    return named(next(iter(owners.values()), other))


def notices(tree: Tree, manager: PackageManager) -> list[Notice]:
    """Of lock files that do not count, because package.json says so."""
    others = [name for name, owner in _owners(tree).items() if owner != manager.name]
    if not others:
        return []
    return [
        Notice(
            "lock_files_ignored",
            f"packageManager in package.json says {manager.called}: {', '.join(others)} does not "
            "count",
            f"git rm {' '.join(others)}",
        )
    ]


def _asked(called: str, package: Manifest, owners: Mapping[str, str]) -> PackageManager:
    alike = [manager for manager in KNOWN if manager.called == called]
    if not alike:
        raise _unknown(called)
    number = re.search(r"\d+", package.package_manager)
    if number:
        version = f"{number[0]}.0.0"
        return next((each for each in alike if ranges.satisfies(version, each.versions)), alike[-1])
    return next((each for each in alike if each.name in owners.values()), alike[-1])


def _owners(tree: Tree) -> dict[str, str]:
    """The lock files that are there, and the package managers that they belong to."""
    names = tree.names()
    return {
        lock_file: manager.name
        for manager in KNOWN
        for lock_file in manager.lock_files
        if lock_file in names and manager.owns(tree, lock_file)
    }


def _several(present: Mapping[str, str]) -> Refused:
    """`present` are lock files and the package managers that they belong to."""
    ways = []
    for manager in dict.fromkeys(present.values()):
        keep = next(name for name, owner in present.items() if owner == manager)
        others = [name for name, owner in present.items() if owner != manager]
        ways.append(f"if you use {named(manager).called} ({keep}):  git rm {' '.join(others)}")
    return refuse(
        "multiple_lock_files",
        f"several lock files: {', '.join(present)}",
        "Keep the one of your package manager:\n" + "\n".join(ways),
    )


def _unknown(called: str) -> Refused:
    return refuse(
        "package_manager_unsupported",
        f"the app's package manager, {called[:40]!r}, is not known here",
        f"Name one of {', '.join({each.called: '' for each in KNOWN})}, and commit its lock file.",
    )
