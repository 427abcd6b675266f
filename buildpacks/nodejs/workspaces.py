"""The workspaces that package.json names by patterns, and those of them that can be started.

Which folders are workspaces in the end says the package manager: negated and nested patterns are
its own to understand. What is missed or too many here costs a longer key, or a shorter hint.
"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from buildpacks.findings import Refused
from buildpacks.nodejs import indented, manifest
from buildpacks.nodejs.manifest import Manifest
from buildpacks.tree import Tree, below

_FOLDERS_MAX = 200
_PATH = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9_@.-]*(/[A-Za-z0-9_@][A-Za-z0-9_@.-]*)*", re.ASCII)
"""What can stand in a shell command without quotes."""


_GLOB = re.compile(r"[*?\[{(!]")
_DEPTH_MAX = 8
_VISITED_MAX = 2000
_PATTERNS_MAX = 100
_NEEDED_MAX = 500
_FRAMEWORKS = frozenset(("vite", "next", "nuxt", "astro"))
"""Their configuration has the package's name before `.config.`."""
_PNPM = "pnpm-workspace.yaml"
_LOCK_FILES = (
    *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"),
    *("bun.lock", "bun.lockb"),
)


def folders(tree: Tree, package: Manifest) -> list[str]:
    """Those of all workspaces, and perhaps more."""
    found = {path for pattern in patterns(package) for path in matching(tree, pattern)}
    return sorted(path for path in found if path)


def patterns(package: Manifest) -> list[str]:
    found = json.loads(package.install_fields or "{}").get("workspaces")
    listed = found.get("packages") if isinstance(found, dict) else found
    if not isinstance(listed, list):
        return []
    return [text for text in listed[:_PATTERNS_MAX] if isinstance(text, str)]


def matching(tree: Tree, pattern: str) -> Iterator[str]:
    """Folders that may be workspaces by it: one that the lock file lacks stops `npm ci`."""
    fixed = list(itertools.takewhile(lambda part: not _GLOB.search(part), pattern.split("/")))
    waiting = [("/".join(part for part in fixed if part not in ("", ".")), 0)]
    deep = "**" in pattern
    for _ in range(_VISITED_MAX):
        if not waiting:
            return
        folder, depth = waiting.pop()
        names = tree.names(folder)
        if "package.json" in names:
            yield folder
        if depth < (_DEPTH_MAX if deep else pattern.count("/") + 1 - len(fixed)):
            inner = (name for name in names if name.endswith("/") and name != "node_modules/")
            waiting += [(f"{folder}/{name}".strip("/"), depth + 1) for name in inner]


def root_of(tree: Tree, folder: str) -> str:
    """The folder of the workspaces that the app in `folder` is one of; `folder` itself for others.

    Whoever has a lock file of its own is on its own: the members of workspaces share one.
    """
    if any(name in tree.names(folder) for name in _LOCK_FILES):
        return folder
    parts = folder.split("/") if folder else []
    for depth in range(len(parts)):
        above = "/".join(parts[:depth])
        inner = "/".join(parts[depth:])
        if inner in members(below(tree, above)):
            return above
    return folder


def members(tree: Tree) -> set[str]:
    """The folders of the workspaces whose root the tree is, and perhaps more."""
    found = [pattern for pattern in _all_patterns(tree) if not pattern.startswith("!")]
    return {path for pattern in found for path in matching(tree, pattern) if path}


def _all_patterns(tree: Tree) -> list[str]:
    content = tree.read(_PNPM, manifest.FILE_BYTES_MAX) or b""
    settings = indented.load(content.decode("utf-8", "replace"))
    listed = settings.get("packages")
    of_pnpm = indented.texts(listed) if isinstance(listed, list) else []
    return [*_patterns(tree), *of_pnpm][:_PATTERNS_MAX]


def needed_by(tree: Tree, folder: str) -> list[str]:
    """The folders of the workspaces that the one in `folder` depends on, each after what it depends
    on itself, with those alone that have a build script."""
    folders = sorted(members(tree))[:_NEEDED_MAX]
    packages = {path: _package(tree, f"{path}/package.json") for path in folders}
    named = {str(package.get("name")): path for path, package in packages.items()}
    found: list[str] = []
    seen = {folder}

    def visit(path: str) -> None:
        for field in ("dependencies", "devDependencies", "optionalDependencies"):
            listed = packages.get(path, {}).get(field)
            for name in listed if isinstance(listed, dict) else ():
                inner = named.get(name)
                if inner is not None and inner not in seen:
                    seen.add(inner)
                    visit(inner)
                    found.append(inner)

    visit(folder)
    return [path for path in found if _has_script(packages[path], "build") and plain(path)]


def plain(path: str) -> bool:
    """Can the folder stand in a shell's command without quotes?"""
    return _PATH.fullmatch(path) is not None


def dev_dependencies(tree: Tree, package: Manifest) -> bool:
    """Has the root or any workspace some?"""
    return bool(package.dev_dependencies) or any(
        _package(tree, f"{folder}/package.json").get("devDependencies")
        for folder in folders(tree, package)
    )


def apps(tree: Tree) -> list[str]:
    """The folders of the workspaces that serve visitors by themselves, as far as it can be seen:
    they have a start script, a page, or a framework's configuration."""
    found = [folder for folder in sorted(members(tree))[:_FOLDERS_MAX] if plain(folder)]
    return [folder for folder in found if _serves(tree, folder)]


def with_frameworks_of_root(tree: Tree, package: Manifest, root: Manifest) -> Manifest:
    """`package` of a workspace, `tree` its folder. Some have all packages in the root, as Nx does:
    a framework that is configured in the workspace's folder is its own."""
    own = {**package.dependencies, **package.dev_dependencies}
    wanted = configured(tree) - {*own}
    return replace(
        package,
        dependencies={**package.dependencies, **_some(root.dependencies, wanted)},
        dev_dependencies={**package.dev_dependencies, **_some(root.dev_dependencies, wanted)},
    )


def configured(tree: Tree) -> set[str]:
    """The frameworks whose configuration is in the tree's root."""
    names = {name.partition(".config.")[0] for name in tree.names() if ".config." in name}
    return names & _FRAMEWORKS


def _some(versions: Mapping[str, str], names: set[str]) -> dict[str, str]:
    return {name: version for name, version in versions.items() if name in names}


def _patterns(tree: Tree) -> list[str]:
    value = _package(tree, "package.json").get("workspaces")
    if isinstance(value, dict):
        value = value.get("packages")
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _serves(tree: Tree, folder: str) -> bool:
    inner = below(tree, folder)
    has_page = "index.html" in inner.names() or bool(configured(inner))
    return has_page or _has_script(_package(tree, f"{folder}/package.json"), "start")


def _has_script(package: dict[str, object], name: str) -> bool:
    scripts = package.get("scripts")
    return isinstance(scripts, dict) and bool(str(scripts.get(name) or "").strip())


def _package(tree: Tree, path: str) -> dict[str, object]:
    content = tree.read(path, manifest.FILE_BYTES_MAX + 1)
    if content is None:
        return {}
    try:
        return manifest.load_object(path, content, manifest.FILE_BYTES_MAX)
    except Refused:
        return {}
