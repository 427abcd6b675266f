"""bun.lock (text), and bun.lockb (binary, until Bun 1.2): what a build has to know of them."""

import json
import posixpath
import re
from typing import Any

from buildpacks import runtimes
from buildpacks.findings import Refused, refuse
from buildpacks.nodejs import dev_commands, text, workspaces
from buildpacks.nodejs.manifest import LFS_POINTER, Manifest
from buildpacks.nodejs.package_manager import Lock
from buildpacks.tree import Tree

FILES = ("bun.lock", "bun.lockb")
_FILE_BYTES_MAX = 32 * 1024 * 1024
_NOT_JSON = re.compile(r'(?P<text>"(?:[^"\\\n]|\\.)*")|,(?=\s*[}\]])|//[^\n]*')


def read(tree: Tree, package: Manifest) -> Lock:
    """Raises Refused when it is missing, or no lock file."""
    path = next((name for name in FILES if name in tree.names()), "")
    wanted = runtimes.in_files(runtimes.BUN, tree)
    if not path:
        if package.has_dependencies:
            raise _missing()
        return Lock(asked=wanted)
    content = tree.read(path, _FILE_BYTES_MAX + 1) or b""
    if content.startswith(LFS_POINTER) or len(content) > _FILE_BYTES_MAX:
        raise _unreadable(path, "is no lock file, or over 32 MiB")
    said = _parse(path, content) if path == "bun.lock" else {}
    folders = workspaces.folders(tree, package)
    return Lock(
        path=path,
        content=content,
        form=str(said.get("lockfileVersion", "")),
        has_packages=package.has_dependencies or bool(said.get("packages")),
        has_dev_dependencies=workspaces.dev_dependencies(tree, package),
        dev_commands=dev_commands.guessed(package),
        has_install_scripts=True,
        links={f"./{folder}": folder for folder in folders},
        local=_local(package),
        names=frozenset({**package.dependencies, **package.dev_dependencies}),
        workspaces=tuple(folders),
        asked=wanted,
    )


def _parse(path: str, content: bytes) -> dict[str, Any]:
    """It is JSON with commas before closing brackets."""
    text.refuse_utf16(path, content)
    plain = _NOT_JSON.sub(lambda match: match["text"] or "", content.decode("utf-8", "replace"))
    try:
        value = json.loads(plain)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _unreadable(path, "is not as Bun writes it (conflicts of a merge?)")
    return value


def _local(package: Manifest) -> tuple[str, ...]:
    """Archives and folders of the tree that are copied, and patches."""
    wanted = [*package.dependencies.values(), *package.dev_dependencies.values()]
    wanted += [*package.optional_dependencies.values()]
    files = [each.removeprefix("file:") for each in wanted if each.startswith(("file:", "./"))]
    patches = package.fields.get("patchedDependencies")
    files += [str(each) for each in patches.values()] if isinstance(patches, dict) else []
    return tuple(sorted(posixpath.normpath(path) for path in files))


def _missing() -> Refused:
    return refuse(
        "missing_lock_file",
        "package.json has dependencies and is Bun's, but there is no bun.lock",
        "bun install && git add bun.lock && git commit -m 'Lock'\n"
        "(if git ignores the file, take it out of .gitignore)",
    )


def _unreadable(path: str, what: str) -> Refused:
    return refuse(
        "bun_lockfile_unreadable",
        f"{path} {what}",
        f"rm {path} && bun install && git add {path} && git commit -m 'Mend the lock file'",
    )
