"""The key of an installation: with an equal one, what is in place is what npm would install.

It covers what npm reads, in the tree and in the environment. What install scripts read beyond that
is the matter of `scripts`: they are repeated.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator, Mapping

from buildpacks.nodejs import scripts
from buildpacks.nodejs.lockfile import Lock
from buildpacks.nodejs.manifest import FILE_BYTES_MAX, Manifest, install_fields
from buildpacks.tree import Tree

_VERSION = b"2"
_NPMRC_BYTES_MAX = 64 * 1024
_OPTIONS = re.compile(
    r"npm_config_.*|npm_package_config_.*|C|CC|CXX|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|GYP_.*",
    re.IGNORECASE,
)
"""Config vars that npm and compilers obey. All others reach scripts only, which are repeated."""
_GLOB = re.compile(r"[*?\[{(!]")
_DEPTH_MAX = 8
_FOLDERS_MAX = 2000
_PATTERNS_MAX = 100
_IGNORE = re.compile(r"^\s*ignore-scripts\s*=\s*(\w+)\s*$", re.MULTILINE)


def dependencies_key(
    tree: Tree,
    package: Manifest,
    lock: Lock,
    config: Mapping[str, str],
    *,
    abi: str,
    npm: str,
) -> str:
    """Native addons hold for a major (its ABI), so a patch release installs nothing again."""
    parts = _parts(tree, package, lock, config)
    whole = (_VERSION, abi.encode(), f"npm {npm}".encode(), *parts)
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in whole)).hexdigest()


def scripts_ignored(tree: Tree, config: Mapping[str, str]) -> bool:
    """Is npm told to run no install scripts? A config var goes over the file."""
    found = _IGNORE.findall(_npmrc(tree).decode("utf-8", "replace"))
    said = [text for name, text in config.items() if name.lower() == "npm_config_ignore_scripts"]
    return (said or found or ["false"])[-1].strip().lower() == "true"


def _parts(tree: Tree, package: Manifest, lock: Lock, config: Mapping[str, str]) -> Iterator[bytes]:
    yield lock.content
    yield package.install_fields.encode()
    yield package.scripts.get("heroku-prebuild", "").encode()
    yield _npmrc(tree)
    options = {name: text for name, text in config.items() if _OPTIONS.fullmatch(name)}
    yield json.dumps(options, sort_keys=True).encode()
    for name, path in sorted(lock.links.items()):
        yield f"{name} {path}".encode()
        yield _linked(tree, path)
    for pattern in _workspaces(package):
        yield json.dumps([pattern, list(_matching(tree, pattern))]).encode()
    for path in ("patches", *lock.local, *scripts.named_files(tree, package)):
        yield f"{path} {tree.digest(path)}".encode()


def _workspaces(package: Manifest) -> list[str]:
    found = json.loads(package.install_fields).get("workspaces")
    patterns = found.get("packages") if isinstance(found, dict) else found
    if not isinstance(patterns, list):
        return []
    return [text for text in patterns[:_PATTERNS_MAX] if isinstance(text, str)]


def _matching(tree: Tree, pattern: str) -> Iterator[str]:
    """Folders that may be workspaces by it: one that the lock file lacks makes `npm ci` refuse."""
    fixed = list(itertools.takewhile(lambda part: not _GLOB.search(part), pattern.split("/")))
    folders = [("/".join(part for part in fixed if part not in ("", ".")), 0)]
    deep = "**" in pattern
    for _ in range(_FOLDERS_MAX):
        if not folders:
            return
        folder, depth = folders.pop()
        names = tree.names(folder)
        if "package.json" in names:
            yield folder
        if depth < (_DEPTH_MAX if deep else pattern.count("/") + 1 - len(fixed)):
            inner = (name for name in names if name.endswith("/") and name != "node_modules/")
            folders += [(f"{folder}/{name}".strip("/"), depth + 1) for name in inner]


def _linked(tree: Tree, path: str) -> bytes:
    content = tree.read(f"{path}/package.json", FILE_BYTES_MAX) or b""
    try:
        return install_fields(json.loads(content)).encode()
    except (ValueError, TypeError, RecursionError):
        return content


def _npmrc(tree: Tree) -> bytes:
    return tree.read(".npmrc", _NPMRC_BYTES_MAX) or b""
