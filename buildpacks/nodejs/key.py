"""The key of an installation: with an equal one, what is in place is what would be installed.

It covers what the package manager reads, in the tree and in the environment. What install scripts
read beyond that is the matter of `scripts`: they are repeated.

It has two halves: the circumstances of an installation, and what is installed. Where only the
latter differs, the package manager can go on from what is in place.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator

from buildpacks.nodejs import scripts, workspaces
from buildpacks.nodejs.app import App
from buildpacks.nodejs.manifest import FILE_BYTES_MAX, INSTALL_SCRIPTS, install_fields
from buildpacks.tree import Tree

_FORM = b"4"
_HALVES = "."
_CONFIGURATION_BYTES_MAX = 64 * 1024
_GYP = "binding.gyp"
_CREDENTIALS = re.compile(rb"\$\{|auth|password|token", re.IGNORECASE)
_ALLOW_SCRIPTS = ("allowScripts", "pnpm", "dependenciesMeta", "trustedDependencies")
"""Fields of package.json that say whose install scripts run: over what is in place no package
manager makes up for those that it left out."""


def dependencies_key(app: App, version: str, abi: str) -> str:
    """`version` is the package manager's, where the app asks for one; native addons hold for an
    `abi`, the runtime's major, so that its patch releases install nothing again.
    """
    manager = f"{app.manager.name} {version}"
    circumstances = _digest((_FORM, abi.encode(), manager.encode(), *_circumstances(app)))
    return f"{circumstances}{_HALVES}{_digest(_packages(app))}"


def differs_in_packages_only(one: str, other: str) -> bool:
    circumstances, halves, _packages = one.partition(_HALVES)
    return bool(halves) and other.startswith(circumstances + halves) and one != other


def says_all(app: App) -> bool:
    """Would another app with this key get the same? Not where scripts or files of the app take
    part, nor where it shows credentials: the other may not have them.
    """
    lock, scripts_of = app.lock, app.package.scripts
    if lock.links or lock.workspaces or lock.local or app.folder or _GYP in app.tree.names():
        return False
    if any(scripts_of.get(event, "").strip() for event in (*INSTALL_SCRIPTS, "heroku-prebuild")):
        return False
    files = (app.tree.read(name, _CONFIGURATION_BYTES_MAX) for name in app.manager.configuration)
    return not any(_CREDENTIALS.search(content or b"") for content in files)


def _digest(parts: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _packages(app: App) -> Iterator[bytes]:
    yield app.lock.content
    yield app.base.package.install_fields.encode()
    for name, path in sorted(app.lock.links.items()):
        yield f"{name} {path}".encode()
        yield _linked(app.base.tree, path)
    for pattern in workspaces.patterns(app.base.package):
        yield json.dumps([pattern, list(workspaces.matching(app.base.tree, pattern))]).encode()


def _circumstances(app: App) -> Iterator[bytes]:
    tree, package, lock, manager = app.base.tree, app.base.package, app.lock, app.manager
    yield app.package.scripts.get("heroku-prebuild", "").encode()
    allowed = {name: package.fields.get(name) for name in _ALLOW_SCRIPTS}
    yield json.dumps(allowed, sort_keys=True).encode()
    for name in manager.configuration:
        yield tree.read(name, _CONFIGURATION_BYTES_MAX) or b""
    # All other config vars reach scripts only, which are repeated.
    options = {name: text for name, text in app.config.items() if manager.obeys.fullmatch(name)}
    yield json.dumps(options, sort_keys=True).encode()
    for path in ("patches", *lock.local, *scripts.named_files(tree, package)):
        yield f"{path} {tree.digest(path)}".encode()
    if app.base.folder:
        yield f"in {app.base.folder}".encode()


def _linked(tree: Tree, path: str) -> bytes:
    content = tree.read(f"{path}/package.json", FILE_BYTES_MAX) or b""
    try:
        return install_fields(json.loads(content)).encode()
    except (ValueError, TypeError, RecursionError):
        return content
