"""The workspaces of npm that a tree can start: for a hint, so only plain patterns are read.

Negated and nested patterns are npm's to understand; what is missed here costs a shorter hint.
"""

import re

from buildpacks.findings import Refused
from buildpacks.nodejs import manifest
from buildpacks.tree import Tree

_FOLDERS_MAX = 200
_PATH = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_@.-]*(/[A-Za-z0-9_@][A-Za-z0-9_@.-]*)*", re.ASCII)
"""What can stand in a shell command without quotes."""


def with_start(tree: Tree) -> list[str]:
    """The folders of the workspaces that have a start script."""
    folders = [folder for pattern in _patterns(tree) for folder in _folders(tree, pattern)]
    return [folder for folder in dict.fromkeys(folders[:_FOLDERS_MAX]) if _starts(tree, folder)]


def _patterns(tree: Tree) -> list[str]:
    value = _package(tree, "package.json").get("workspaces")
    if isinstance(value, dict):
        value = value.get("packages")
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _folders(tree: Tree, pattern: str) -> list[str]:
    path = pattern.removeprefix("./").rstrip("/")
    if path.endswith("/*"):
        parent = path.removesuffix("/*")
        inside = tree.names(parent) if _PATH.fullmatch(parent) else []
        found = [f"{parent}/{name.rstrip('/')}" for name in inside if name.endswith("/")]
    else:
        found = [path]
    return [folder for folder in found if _PATH.fullmatch(folder)]


def _starts(tree: Tree, folder: str) -> bool:
    scripts = _package(tree, f"{folder}/package.json").get("scripts")
    return isinstance(scripts, dict) and bool(str(scripts.get("start") or "").strip())


def _package(tree: Tree, path: str) -> dict[str, object]:
    content = tree.read(path, manifest.FILE_BYTES_MAX + 1)
    if content is None:
        return {}
    try:
        return manifest.load_object(path, content, manifest.FILE_BYTES_MAX)
    except Refused:
        return {}
