"""The key of an installation: with an equal one, what is in place is what would be installed.

It covers what the package manager reads, in the tree and in the environment. What install scripts
read beyond that is the matter of `scripts`: they are repeated.
"""

import hashlib
import json
from collections.abc import Iterator

from buildpacks.nodejs import scripts, workspaces
from buildpacks.nodejs.app import App
from buildpacks.nodejs.manifest import FILE_BYTES_MAX, install_fields
from buildpacks.tree import Tree

_FORM = b"2"
_CONFIGURATION_BYTES_MAX = 64 * 1024


def dependencies_key(app: App, version: str, abi: str) -> str:
    """`version` is the package manager's, where the app asks for one; native addons hold for an
    `abi`, the runtime's major, so that its patch releases install nothing again.
    """
    whole = (_FORM, abi.encode(), f"{app.manager.name} {version}".encode(), *_parts(app))
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in whole)).hexdigest()


def _parts(app: App) -> Iterator[bytes]:
    tree, package, lock, manager = app.tree, app.package, app.lock, app.manager
    yield lock.content
    yield package.install_fields.encode()
    yield package.scripts.get("heroku-prebuild", "").encode()
    for name in manager.configuration:
        yield tree.read(name, _CONFIGURATION_BYTES_MAX) or b""
    # All other config vars reach scripts only, which are repeated.
    options = {name: text for name, text in app.config.items() if manager.obeys.fullmatch(name)}
    yield json.dumps(options, sort_keys=True).encode()
    for name, path in sorted(lock.links.items()):
        yield f"{name} {path}".encode()
        yield _linked(tree, path)
    for pattern in workspaces.patterns(package):
        yield json.dumps([pattern, list(workspaces.matching(tree, pattern))]).encode()
    for path in ("patches", *lock.local, *scripts.named_files(tree, package)):
        yield f"{path} {tree.digest(path)}".encode()


def _linked(tree: Tree, path: str) -> bytes:
    content = tree.read(f"{path}/package.json", FILE_BYTES_MAX) or b""
    try:
        return install_fields(json.loads(content)).encode()
    except (ValueError, TypeError, RecursionError):
        return content
