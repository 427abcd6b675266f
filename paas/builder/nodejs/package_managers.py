"""Lets a build zone have the package manager that its app asks for: `/opt/<name>` of its trunk and
its image.

It comes from the registry at the exact version, is unpacked inside the zone, and stays in the
trunk, so that the next build finds it there.
"""

import asyncio
import contextlib
import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, BinaryIO

from buildpacks import output
from buildpacks.findings import Failure
from buildpacks.nodejs import named
from buildpacks.plan import ManagerVersion
from paas.builder import zone
from paas.builder.nodejs import registry
from paas.builder.nodejs.tool import Tool
from paas.builder.nodejs.tools import TOOLS
from paas.builder.work import BuildFailed, Work
from paas.errors import PlatformError

_TIMEOUT_S = 120.0
_CHUNK_BYTES = 1024 * 1024


async def put(
    work: Work, machine: zone.Zone, wanted: ManagerVersion, present: Mapping[str, str]
) -> None:
    """Let the zone have that version, and no other beside the runtime's: `present` are those that
    its tree brings, name → version.

    Raises BuildFailed for an archive that is not the one of the app's checksum, PlatformError.
    """
    present = {name: version for name, version in present.items() if not TOOLS[name].is_runtime}
    is_unpacked = bool(wanted.version) and not TOOLS[wanted.name].is_runtime
    if present == ({wanted.name: wanted.checked} if is_unpacked else {}):
        return
    async with work.timeline.step(wanted.name):
        for name in present:
            if name != wanted.name or not is_unpacked:
                await _run(machine, ("rm", "-rf", f"/opt/{name}"), None)
        if is_unpacked:
            await _replace(work, machine, wanted)


async def _replace(work: Work, machine: zone.Zone, wanted: ManagerVersion) -> None:
    tool, settings = TOOLS[wanted.name], work.settings
    called = named(wanted.name).called
    await work.write(output.detail(f"Fetching {called} {wanted.version}"))
    prefix = f"{wanted.name}-"
    with tempfile.TemporaryDirectory(dir=settings.control_state, prefix=prefix) as folder:
        name = f"{tool.package(wanted.version)}@{wanted.version}"
        archive = await registry.fetch(settings, name, Path(folder))
        if wanted.checksum and not await asyncio.to_thread(_is, archive, tool, wanted.checksum):
            raise BuildFailed(_another(wanted))
        await _unpack(machine, tool.unpack, archive)
        if binary := tool.binary(wanted.version):
            more = await registry.fetch(settings, f"{binary}@{wanted.version}", Path(folder))
            await _unpack(machine, tool.unpack_binary, more)


async def _unpack(machine: zone.Zone, script: str, archive: Path) -> None:
    await _run(machine, ("sh", "-c", script), lambda stream: _copy(archive, stream))


async def _run(machine: zone.Zone, command: tuple[str, ...], fill: zone.Fill | None) -> None:
    async with asyncio.timeout(_TIMEOUT_S):
        result = await machine.run(command, fill=fill, user="root", working_directory="/")
    if result.code:
        raise PlatformError(
            f"a package manager could not be unpacked ({result.code}): {result.tail}"
        )


def _is(archive: Path, tool: Tool, checksum: str) -> bool:
    """Corepack's `sha224.<hexadecimal>` and the like, of the archive or of a file in it."""
    algorithm, _, digest = checksum.partition(".")
    if algorithm not in hashlib.algorithms_guaranteed:
        return False
    with contextlib.ExitStack() as stack:
        stream: IO[bytes] | None = stack.enter_context(archive.open("rb"))
        if tool.checked:
            tar = stack.enter_context(tarfile.open(archive, "r:gz"))
            stream = tar.extractfile(tool.checked)
        return stream is not None and _digest(stream, algorithm) == digest


def _digest(stream: IO[bytes], algorithm: str) -> str:
    found = hashlib.new(algorithm)
    while chunk := stream.read(_CHUNK_BYTES):
        found.update(chunk)
    return found.hexdigest()


def _copy(archive: Path, stream: BinaryIO) -> None:
    with archive.open("rb") as source:
        shutil.copyfileobj(source, stream, _CHUNK_BYTES)


def _another(wanted: ManagerVersion) -> Failure:
    plain = f"{named(wanted.name).called}@{wanted.version}"
    return Failure(
        "package_manager_checksum",
        f"{wanted.source} has a checksum that is not that of the registry's "
        f"{named(wanted.name).called} {wanted.version}",
        f'Write it anew: corepack use {plain} — or leave it out: "packageManager": "{plain}"',
    )
