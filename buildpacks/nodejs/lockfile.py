"""The lock file: which one, does it agree with package.json, does it have dev dependencies."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from buildpacks.findings import Refused, refuse
from buildpacks.nodejs import ranges
from buildpacks.nodejs.manifest import Manifest, load_object
from buildpacks.tree import Tree

FILE_BYTES_MAX = 32 * 1024 * 1024
NPM_LOCKS = ("npm-shrinkwrap.json", "package-lock.json")
_MANAGERS = {
    "package-lock.json": "npm",
    "npm-shrinkwrap.json": "npm",
    "yarn.lock": "yarn",
    "pnpm-lock.yaml": "pnpm",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
_PROBLEMS_SHOWN = 5


@dataclass(frozen=True)
class Lock:
    """npm's lock file. `path` is empty when there is none and none is needed."""

    path: str = ""
    content: bytes = b""
    has_packages: bool = False
    has_dev_dependencies: bool = False
    dev_commands: Mapping[str, str] = field(default_factory=dict)
    """The commands that are gone once dev dependencies are, and the packages that bring them."""
    has_install_scripts: bool = False
    """Of dependencies; True also where the lock file does not say (version 1)."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Workspaces and other folders that npm links: name → path in the tree."""
    local: tuple[str, ...] = ()
    """What npm copies from the tree: archives, folders with `install-links`."""
    names: frozenset[str] = frozenset()
    """What the app can require."""


def read(tree: Tree, manifest: Manifest) -> Lock:
    """Raises Refused when it is missing, not npm's, one of several, or against package.json."""
    present = [name for name in _MANAGERS if name in tree.names()]
    if len(present) > 1:
        raise _several(present)
    if not present:
        if _has_dependencies(manifest):
            raise _missing(manifest)
        return Lock()
    path = present[0]
    if path not in NPM_LOCKS:
        raise _foreign(path)
    content = tree.read(path, FILE_BYTES_MAX + 1) or b""
    value = load_object(path, content, FILE_BYTES_MAX)
    problems = disagreements(manifest, value)
    if problems:
        raise _out_of_sync(path, problems)
    packages = _packages(value)
    dev = any(entry.get("dev") or entry.get("devOptional") for entry in packages)
    return Lock(
        path,
        content,
        bool(packages),
        dev,
        _dev_commands(value),
        "packages" not in value or any(entry.get("hasInstallScript") for entry in packages),
        _links(value),
        _local(value),
        frozenset(key.removeprefix("node_modules/") for key, _ in _table(value, "packages"))
        | frozenset(name for name, _ in _table(value, "dependencies")),
    )


def disagreements(manifest: Manifest, lock: Mapping[str, Any]) -> list[str]:
    """What `npm ci` would refuse: dependencies that the lock lacks, or has at another version.

    A lock without "packages" (version 1, npm 6) and specifiers that are no ranges (git, tags,
    files, aliases) are left to npm itself; so are versions when "overrides" may change them.
    """
    packages = lock.get("packages")
    if not isinstance(packages, dict):
        return []
    problems = []
    for name, wanted in {**manifest.dependencies, **manifest.dev_dependencies}.items():
        entry = packages.get(f"node_modules/{name}")
        if not isinstance(entry, dict):
            problems.append(f"missing: {name}@{wanted}")
            continue
        version = entry.get("version")
        if manifest.overrides or entry.get("link") or not isinstance(version, str):
            continue
        if ranges.is_range(wanted) and not ranges.satisfies(version, wanted):
            problems.append(f"{name} is {version}, but package.json wants {wanted}")
    return problems


def _has_dependencies(manifest: Manifest) -> bool:
    return bool(
        manifest.dependencies
        or manifest.dev_dependencies
        or manifest.optional_dependencies
        or manifest.workspaces
    )


def _packages(lock: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The entries of what is installed; the app's own entry has the empty name."""
    table = lock.get("packages", lock.get("dependencies"))
    if not isinstance(table, dict):
        return []
    return [entry for name, entry in table.items() if name and isinstance(entry, dict)]


def _dev_commands(lock: Mapping[str, Any]) -> dict[str, str]:
    """Of the root's `node_modules/.bin`, as lock files from version 2 on tell it."""
    table = lock.get("packages")
    entries = table if isinstance(table, dict) else {}
    brought: dict[bool, dict[str, str]] = {True: {}, False: {}}
    for path, entry in entries.items():
        name = path.removeprefix("node_modules/")
        if name == path or "node_modules/" in name or not isinstance(entry, dict):
            continue
        linked = entries.get(str(entry.get("resolved"))) if entry.get("link") else None
        package = linked if isinstance(linked, dict) else entry
        if isinstance(package.get("bin"), dict):
            gone = bool(entry.get("dev") or package.get("dev"))
            brought[gone] |= dict.fromkeys(package["bin"], name)
    return {name: package for name, package in brought[True].items() if name not in brought[False]}


def _links(lock: Mapping[str, Any]) -> dict[str, str]:
    """Version 1 does not tell a linked folder from an archive: whatever is a file counts."""
    found = {
        key.rpartition("node_modules/")[2]: entry["resolved"]
        for key, entry in _table(lock, "packages")
        if entry.get("link") and isinstance(entry.get("resolved"), str)
    }
    old = {} if "packages" in lock else dict(_table(lock, "dependencies"))
    for name, entry in old.items():
        if str(entry.get("version")).startswith("file:"):
            found[name] = str(entry["version"])
    return {name: _in_tree(path) for name, path in found.items()}


def _local(lock: Mapping[str, Any]) -> tuple[str, ...]:
    places = [entry.get("resolved") for _, entry in _table(lock, "packages")]
    if "packages" not in lock:
        places = [entry.get("version") for _, entry in _table(lock, "dependencies")]
    found = {_in_tree(place) for place in places if str(place).startswith("file:")}
    return tuple(sorted(found))


def _in_tree(place: Any) -> str:
    return posixpath.normpath(str(place).removeprefix("file:"))


def _table(lock: Mapping[str, Any], key: str) -> list[tuple[str, dict[str, Any]]]:
    table = lock.get(key)
    found = table.items() if isinstance(table, dict) else ()
    return [(name, entry) for name, entry in found if isinstance(entry, dict)]


def _several(present: list[str]) -> Refused:
    ways = []
    for manager in dict.fromkeys(_MANAGERS[name] for name in present):
        keep = next(name for name in present if _MANAGERS[name] == manager)
        others = [name for name in present if name != keep]
        ways.append(f"if you use {manager} ({keep}):  git rm {' '.join(others)}")
    return refuse(
        "multiple_lock_files",
        f"several lock files: {', '.join(present)}",
        "Keep the one of your package manager:\n" + "\n".join(ways),
    )


def _missing(manifest: Manifest) -> Refused:
    if manifest.package_manager and not manifest.package_manager.startswith("npm"):
        return _foreign(manifest.package_manager)
    return refuse(
        "missing_lock_file",
        "package.json has dependencies, but there is no package-lock.json",
        "npm install --package-lock-only && git add package-lock.json && git commit -m 'Lock'\n"
        "(if git ignores the file, take it out of .gitignore)",
    )


def _foreign(found: str) -> Refused:
    """npm can't read the `node_modules` of others, so that these have to go first."""
    manager = _MANAGERS.get(found, found.partition("@")[0])
    remove = f"git rm -q {found} && " if found in _MANAGERS else ""
    return refuse(
        "package_manager_unsupported",
        f"{found}: only npm's lock file is supported for now",
        f"rm -rf node_modules && {remove}npm install && git add package-lock.json && "
        f"git commit -m 'Use npm'\n"
        f"(what only {manager} knows, such as workspace: and catalog: versions, npm refuses)",
    )


def _out_of_sync(path: str, problems: list[str]) -> Refused:
    shown = problems[:_PROBLEMS_SHOWN]
    if len(problems) > len(shown):
        shown.append(f"and {len(problems) - len(shown)} more")
    return refuse(
        "npm_lockfile_out_of_sync",
        f"{path} does not agree with package.json:\n" + "\n".join(shown),
        f"npm install && git add {path} && git commit -m 'Update the lock file'",
    )
