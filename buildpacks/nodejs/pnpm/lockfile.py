"""pnpm's lock file (versions 5.3 to 9.0): what a build has to know of it.

Does it agree with package.json? That says pnpm itself, in a second, before it fetches anything.
"""

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from buildpacks.findings import Refused, refuse
from buildpacks.nodejs import dev_commands, indented, text
from buildpacks.nodejs.manifest import LFS_POINTER, Manifest
from buildpacks.nodejs.package_manager import Lock
from buildpacks.tree import Tree

FILE = "pnpm-lock.yaml"
WORKSPACE = "pnpm-workspace.yaml"
_FILE_BYTES_MAX = 32 * 1024 * 1024
_SETTINGS_BYTES_MAX = 256 * 1024
_PNPMFILES = (".pnpmfile.cjs", ".pnpmfile.mjs", "pnpmfile.js")
_ALL = ("dependencies", "devDependencies", "optionalDependencies")


def read(tree: Tree, package: Manifest) -> Lock:
    """Raises Refused when it is missing, or no lock file."""
    content = tree.read(FILE, _FILE_BYTES_MAX + 1)
    if content is None:
        if package.has_dependencies:
            raise _missing()
        return Lock()
    version, importers, said = _parse(content)
    local = sorted({path for path in said if path.startswith("file:")})
    folders = [folder for folder in importers if folder != "."]
    return Lock(
        path=FILE,
        content=content,
        form=version,
        has_packages=bool(said) or package.has_dependencies,
        has_dev_dependencies=any(
            indented.mapping(each, "devDependencies") for each in importers.values()
        ),
        dev_commands=dev_commands.guessed(package),
        # From version 9 on it does not say.
        has_install_scripts=version >= "9" or b"requiresBuild: true" in content,
        links=_links(tree, importers),
        local=(*(_in_tree(".", path) for path in local), *_files(tree, package)),
        names=frozenset(_names(importers.get(".", {}))),
        workspaces=tuple(folders),
        variables=_variables(tree),
    )


def settings(tree: Tree) -> dict[str, Any]:
    """pnpm-workspace.yaml: from pnpm 10 on it has settings too."""
    content = tree.read(WORKSPACE, _SETTINGS_BYTES_MAX) or b""
    return indented.load(content.decode("utf-8", "replace"))


def _parse(content: bytes) -> tuple[str, dict[str, dict[str, Any]], list[str]]:
    """Its version, its importers (folder → dependencies), and where all of these come from."""
    if content.startswith(LFS_POINTER):
        raise _unreadable(
            "is a Git LFS pointer, not the file itself", "git lfs untrack pnpm-lock.yaml"
        )
    if len(content) > _FILE_BYTES_MAX:
        raise _unreadable("is over 32 MiB", "pnpm dedupe")
    text.refuse_utf16(FILE, content)
    decoded = content.decode("utf-8", "replace").replace("\r\n", "\n")
    if "\n<<<<<<< " in decoded:
        raise _unreadable("has conflicts of a merge in it", "pnpm install")
    # What follows is long, and repeats what pnpm alone needs.
    head = decoded[: decoded.find("\npackages:", decoded.rfind("\n---\n") + 1)]
    found = indented.load(head if "\npackages:" in decoded else decoded)
    version = str(found.get("lockfileVersion") or "")
    if not version:
        raise _unreadable("does not begin as pnpm writes it", "rm pnpm-lock.yaml && pnpm install")
    importers = indented.mapping(found, "importers") or {".": found}
    tables = {folder: each for folder, each in importers.items() if isinstance(each, dict)}
    said = [version for each in tables.values() for version in _versions(each)]
    return version, tables, said


def _names(importer: Mapping[str, Any]) -> Iterator[str]:
    for kind in _ALL:
        yield from indented.mapping(importer, kind)


def _links(tree: Tree, importers: Mapping[str, Any]) -> dict[str, str]:
    """Workspaces and other folders of the tree that are linked, each by its path."""
    found = [folder for folder in importers if folder != "."]
    for folder, importer in importers.items():
        for version in _versions(importer):
            if version.startswith("link:"):
                found.append(_in_tree(folder, version))
    return {f"./{path}": path for path in sorted(set(found)) if tree.names(path)}


def _versions(importer: Mapping[str, Any]) -> Iterator[str]:
    for kind in _ALL:
        for entry in indented.mapping(importer, kind).values():
            yield str(entry.get("version") if isinstance(entry, dict) else entry)


def _in_tree(folder: str, place: str) -> str:
    path = place.removeprefix("link:").removeprefix("file:")
    return posixpath.normpath(posixpath.join(folder, path))


def _files(tree: Tree, package: Manifest) -> Iterator[str]:
    """What pnpm reads beside, and copies or runs. The field `pnpm` of package.json had its settings
    until pnpm 10."""
    yield from (name for name in _PNPMFILES if name in tree.names())
    for found in (settings(tree), package.fields.get("pnpm")):
        patches = indented.mapping(found, "patchedDependencies").values()
        yield from sorted(indented.texts([*patches]))


def _variables(tree: Tree) -> dict[str, str]:
    """A dependency whose scripts nobody has approved stops pnpm 11 and later, but their makers'
    own installation too leaves the app as it is and usable: so it is said, unless the app asks.
    """
    npmrc = tree.read(".npmrc", _SETTINGS_BYTES_MAX) or b""
    if "strictDepBuilds" in settings(tree) or b"strict-dep-builds" in npmrc:
        return {}
    return {"npm_config_strict_dep_builds": "false", "pnpm_config_strict_dep_builds": "false"}


def _missing() -> Refused:
    return refuse(
        "missing_lock_file",
        f"package.json has dependencies and is pnpm's, but there is no {FILE}",
        f"pnpm install --lockfile-only && git add {FILE} && git commit -m 'Lock'\n"
        "(if git ignores the file, take it out of .gitignore)",
    )


def _unreadable(what: str, first: str) -> Refused:
    return refuse(
        "pnpm_lockfile_unreadable",
        f"{FILE} {what}",
        f"{first} && git add {FILE} && git commit -m 'Mend the lock file'",
    )
