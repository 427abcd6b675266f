"""yarn.lock: whose it is, and what Yarn classic's says."""

import posixpath
import re

from buildpacks.findings import Refused, refuse
from buildpacks.nodejs import dev_commands, text, workspaces
from buildpacks.nodejs.manifest import LFS_POINTER, Manifest
from buildpacks.nodejs.package_manager import Lock
from buildpacks.tree import Tree

FILE = "yarn.lock"
_FILE_BYTES_MAX = 32 * 1024 * 1024
_CONFLICT = re.compile(r"^<<<<<<< ", re.MULTILINE)
_LOCAL = re.compile(r"@(?:file|portal|link):(?P<path>[^\"',:#\s]+)")


def is_of_berry(tree: Tree) -> bool:
    """From its second major on it has another form."""
    return b"__metadata:" in (tree.read(FILE, 4096) or b"")


def content(tree: Tree, package: Manifest) -> bytes | None:
    """Raises Refused when it is needed and not there, or no lock file."""
    found = tree.read(FILE, _FILE_BYTES_MAX + 1)
    if found is None and package.has_dependencies:
        raise _missing()
    if found is None:
        return None
    if found.startswith(LFS_POINTER):
        raise _unreadable("is a Git LFS pointer, not the file itself", f"git lfs untrack {FILE}")
    if len(found) > _FILE_BYTES_MAX:
        raise _unreadable("is over 32 MiB", "yarn dedupe")
    text.refuse_utf16(FILE, found)
    if _CONFLICT.search(found.decode("utf-8", "replace")):
        raise _unreadable("has conflicts of a merge in it", "yarn install")
    return found


def read(tree: Tree, package: Manifest) -> Lock:
    """Yarn classic's. Raises Refused."""
    found = content(tree, package)
    if found is None:
        return Lock()
    folders = workspaces.folders(tree, package)
    return Lock(
        path=FILE,
        content=found,
        form="1",
        has_packages=b'\n  version "' in found or package.has_dependencies,
        has_dev_dependencies=workspaces.dev_dependencies(tree, package),
        dev_commands=dev_commands.guessed(package),
        has_install_scripts=True,
        links={f"./{folder}": folder for folder in folders},
        local=local(found),
        names=frozenset({**package.dependencies, **package.dev_dependencies}),
        workspaces=tuple(folders),
    )


def local(found: bytes) -> tuple[str, ...]:
    """Archives and folders of the tree that are copied or linked."""
    paths = {match["path"] for match in _LOCAL.finditer(found.decode("utf-8", "replace"))}
    return tuple(sorted(posixpath.normpath(path) for path in paths))


def _missing() -> Refused:
    return refuse(
        "missing_lock_file",
        f"package.json has dependencies and is Yarn's, but there is no {FILE}",
        f"yarn install && git add {FILE} && git commit -m 'Lock'\n"
        "(if git ignores the file, take it out of .gitignore)",
    )


def _unreadable(what: str, first: str) -> Refused:
    return refuse(
        "yarn_lockfile_unreadable",
        f"{FILE} {what}",
        f"{first} && git add {FILE} && git commit -m 'Mend the lock file'",
    )
