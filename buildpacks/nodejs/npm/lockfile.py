"""npm's lock file: does it agree with package.json, and what does it say?"""

import posixpath
from collections.abc import Mapping
from typing import Any

from buildpacks import ranges
from buildpacks.findings import Refused, refuse
from buildpacks.nodejs import text
from buildpacks.nodejs.manifest import Manifest, load_object
from buildpacks.nodejs.package_manager import Lock
from buildpacks.tree import Tree

FILE_BYTES_MAX = 32 * 1024 * 1024
FILES = ("package-lock.json", "npm-shrinkwrap.json")
_PROBLEMS_SHOWN = 5


def read(tree: Tree, manifest: Manifest) -> Lock:
    """Raises Refused when it is missing, damaged, or against package.json."""
    path = next((name for name in FILES if name in tree.names()), "")
    if not path:
        if manifest.has_dependencies:
            raise _missing()
        return Lock()
    content = tree.read(path, FILE_BYTES_MAX + 1) or b""
    text.refuse_conflict(path, content, "npm install")
    value = load_object(path, content, FILE_BYTES_MAX)
    problems = disagreements(manifest, value)
    if problems:
        raise _out_of_sync(path, problems)
    packages = _packages(value)
    dev = any(entry.get("dev") or entry.get("devOptional") for entry in packages)
    return Lock(
        path=path,
        content=content,
        has_packages=bool(packages),
        has_dev_dependencies=dev,
        dev_commands=_dev_commands(value),
        # Version 1 does not say.
        has_install_scripts="packages" not in value
        or any(entry.get("hasInstallScript") for entry in packages),
        links=_links(value),
        form=str(value.get("lockfileVersion", "")),
        local=_local(value),
        names=frozenset(key.removeprefix("node_modules/") for key, _ in _table(value, "packages"))
        | frozenset(name for name, _ in _table(value, "dependencies")),
        variables=_variables(value),
    )


def _variables(lock: Mapping[str, Any]) -> dict[str, str]:
    """A node-gyp that a dependency brings, as sqlite3 5 does, goes before npm's, and is told of
    Node.js's headers only by the name that npm 11 warns of: without it, it asks nodejs.org.
    """
    brings = any(f"/{path}".endswith("/node-gyp") for path, _ in _table(lock, "packages"))
    return {"npm_config_nodedir": "/opt/node"} if brings else {}


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


def _missing() -> Refused:
    return refuse(
        "missing_lock_file",
        "package.json has dependencies, but there is no package-lock.json",
        "npm install --package-lock-only && git add package-lock.json && git commit -m 'Lock'\n"
        "(if git ignores the file, take it out of .gitignore)",
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
