"""What is kept of other people's buildpacks from one build to the next, on the host, by app.

The cache folder that each is given, and its own files as they were fetched last. All of it is a tar
that a zone has made: nothing of the host opens it, and it goes into zones of the same app alone.
A file is whole or not there, and its name says what it is: who is killed leaves parts, which go.
"""

import hashlib
import logging
import os
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from buildpacks.classic import Buildpack
from paas.builder import zone
from paas.settings import Settings

CACHE_BYTES_MAX = 1024 * 1024 * 1024
SOURCE_BYTES_MAX = 256 * 1024 * 1024
FREE_BYTES_MIN = 2 * 1024 * 1024 * 1024
_PART = ".part"
_COPY_BYTES = 1024 * 1024
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """Of one app's buildpack. `pin` is the commit or checksum that the source has."""

    folder: Path
    key: str

    @property
    def cache(self) -> Path:
        return self.folder / f"{self.key}.cache"

    def source(self) -> tuple[Path, str] | None:
        """The file and its pin."""
        named = self.folder.glob(f"{self.key}.source-*")
        found = [path for path in named if not path.name.endswith(_PART)]
        newest = max(found, key=lambda path: path.stat().st_mtime, default=None)
        return (newest, newest.name.rpartition("-")[2]) if newest else None

    def source_of(self, pin: str) -> Path:
        return self.folder / f"{self.key}.source-{pin}"


def of(settings: Settings, app_id: str, buildpack: Buildpack) -> Kept:
    key = hashlib.sha256(buildpack.name.encode()).hexdigest()[:32]
    return Kept(_folder(settings) / app_id, key)


def fill(path: Path) -> zone.Fill:
    """Writes a kept tar to a command's input."""

    def write(stream: BinaryIO) -> None:
        with path.open("rb") as file:
            shutil.copyfileobj(file, stream, _COPY_BYTES)

    return write


async def keep(machine: zone.Zone, folder: str, path: Path, bytes_max: int) -> str:
    """The zone's folder is in the file afterwards; else why not."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if shutil.disk_usage(path.parent).free < FREE_BYTES_MIN + bytes_max:
        return "the server's disk is nearly full"
    part = path.with_name(f"{path.name}{_PART}")
    try:
        with part.open("wb", buffering=0) as file:
            whole = await machine.copy(("tar", "-c", "-f", "-", "-C", folder, "."), file, bytes_max)
            os.fsync(file.fileno())
        if not whole:
            return f"it is over {bytes_max >> 20} MiB"
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
    return ""


def forget_others(settings: Settings, app_id: str, listed: Collection[Buildpack]) -> None:
    """Of an app there is nothing but what these buildpacks have kept. Blocks."""
    keys = {of(settings, app_id, each).key for each in listed}
    folder = _folder(settings) / app_id
    for path in folder.glob("*"):
        if path.name.partition(".")[0] not in keys or path.name.endswith(_PART):
            path.unlink(missing_ok=True)


def sweep(settings: Settings, app_ids: Collection[str]) -> None:
    """Delete what is of no app any more. Blocks."""
    for path in _folder(settings).glob("*"):
        if path.name not in app_ids:
            log.info("removed what buildpacks kept of the app %s, which is gone", path.name)
            shutil.rmtree(path, ignore_errors=True)


def _folder(settings: Settings) -> Path:
    return settings.control_state / "buildpacks"
