"""The package managers that an app may use, and which one it does use."""

from collections.abc import Mapping

from buildpacks.findings import Refused, refuse
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.npm.npm import NPM
from buildpacks.nodejs.package_manager import PackageManager
from buildpacks.tree import Tree

KNOWN: tuple[PackageManager, ...] = (NPM,)
"""The first is that of an app that says nothing."""
_FOREIGN = {
    "yarn.lock": "yarn",
    "pnpm-lock.yaml": "pnpm",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
"""Lock files of those that are not supported yet."""

PATH = ":".join(
    (
        "/app/node_modules/.bin",
        *(f"/opt/{manager.name}/bin" for manager in KNOWN),
        "/opt/node/bin",
        "/usr/local/bin",
        "/usr/bin",
        "/bin",
    )
)
"""Of builds and of instances."""


def named(name: str) -> PackageManager:
    return next(manager for manager in KNOWN if manager.name == name)


def of(tree: Tree, package: Manifest) -> PackageManager:
    """The app's package manager. Raises Refused for several, and for one that is not known."""
    owners = _owners(tree)
    if len(owners) > 1:
        raise _several(owners)
    for lock_file, owner in owners.items():
        if lock_file in _FOREIGN:
            raise _foreign(lock_file)
        return named(owner)
    asked = next((each for each in KNOWN if package.package_manager.startswith(each.name)), None)
    if asked is None and package.package_manager and package.has_dependencies:
        raise _foreign(package.package_manager)
    return asked or KNOWN[0]


def _owners(tree: Tree) -> dict[str, str]:
    """The lock files that are there, and the package managers that they belong to."""
    names = tree.names()
    known = {
        lock_file: manager.name
        for manager in KNOWN
        for lock_file in manager.lock_files
        if lock_file in names and manager.owns(tree, lock_file)
    }
    return known | {name: owner for name, owner in _FOREIGN.items() if name in names}


def _several(present: Mapping[str, str]) -> Refused:
    """`present` are lock files and the package managers that they belong to."""
    ways = []
    for manager in dict.fromkeys(present.values()):
        keep = next(name for name, owner in present.items() if owner == manager)
        others = [name for name in present if name != keep]
        ways.append(f"if you use {manager} ({keep}):  git rm {' '.join(others)}")
    return refuse(
        "multiple_lock_files",
        f"several lock files: {', '.join(present)}",
        "Keep the one of your package manager:\n" + "\n".join(ways),
    )


def _foreign(found: str) -> Refused:
    """npm can't read the `node_modules` of others, so that these have to go first."""
    manager = _FOREIGN.get(found, found.partition("@")[0])
    remove = f"git rm -q {found} && " if found in _FOREIGN else ""
    return refuse(
        "package_manager_unsupported",
        f"{found}: only npm's lock file is supported for now",
        f"rm -rf node_modules && {remove}npm install && git add package-lock.json && "
        f"git commit -m 'Use npm'\n"
        f"(what only {manager} knows, such as workspace: and catalog: versions, npm refuses)",
    )
