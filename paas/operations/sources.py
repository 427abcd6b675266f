"""Archives that are uploaded to be built: kept for an hour, within what the disk has."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from paas.deploys.archive import ARCHIVE_BYTES_MAX
from paas.errors import NotFound, UserError
from paas.platform.platform import Platform
from paas.settings import Settings
from paas.store.sql.row import new_id

KEPT_S = 3600
WAITING_BYTES_MAX = 4 * 1024 * 1024 * 1024
"""All uploads together, those under way counted as far as they have come."""
FREE_BYTES_MIN = 2 * 1024 * 1024 * 1024
SILENCE_S = 60.0
_WRITE_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Sources:
    platform: Platform

    def reserve(self) -> str:
        """The id under which an archive may be uploaded."""
        return new_id()

    async def keep(self, id: str, content: AsyncIterator[bytes]) -> None:
        """The upload; a later one of the same id takes its place. Raises UserError."""
        folder = self.platform.settings.sources
        await asyncio.to_thread(_make_room, folder)
        part = folder / f"{new_id()}.part"
        try:
            await _write(part, content)
            await asyncio.to_thread(part.rename, folder / id)
        finally:
            part.unlink(missing_ok=True)

    def path(self, id: str) -> Path:
        """Raises NotFound."""
        path = self.platform.settings.sources / id
        if not path.is_file():
            raise NotFound("Nothing was uploaded there (any more).", "PUT the archive first.")
        return path


def sweep(settings: Settings) -> None:
    """Delete what is older than an upload is kept. Blocks."""
    for path in settings.sources.glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_mtime < time.time() - KEPT_S:
                path.unlink()


def _make_room(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    waiting = sum(_bytes(path) for path in folder.iterdir())
    if waiting > WAITING_BYTES_MAX or shutil.disk_usage(folder).free < FREE_BYTES_MIN:
        raise UserError(
            "unavailable",
            "There is no room for another upload now.",
            "Each is deleted after an hour; push with git meanwhile.",
        )


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


async def _write(path: Path, content: AsyncIterator[bytes]) -> None:
    """In pieces of a size that the disk likes. Raises UserError for too much, or too slow."""
    received, pending = 0, bytearray()
    chunks = aiter(content)
    with path.open("wb", buffering=0) as file:
        while True:
            try:
                async with asyncio.timeout(SILENCE_S):
                    chunk = await anext(chunks, None)
            except TimeoutError as error:
                message = f"The upload stopped for {SILENCE_S:g} s."
                raise UserError("request_timeout", message) from error
            received += len(chunk or b"")
            if received > ARCHIVE_BYTES_MAX:
                message = f"An archive may have {ARCHIVE_BYTES_MAX >> 20} MiB."
                raise UserError("request_entity_too_large", message)
            pending += chunk or b""
            if len(pending) >= _WRITE_BYTES or chunk is None:
                await asyncio.to_thread(file.write, bytes(pending))
                pending.clear()
            if chunk is None:
                return
