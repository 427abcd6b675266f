"""The npm that an app asks for, beside the one of its runtime: `/opt/npm` of its trunk and image.

It comes from the registry at the exact version, is unpacked inside the build zone, and stays in the
trunk, so that the next build finds it there.
"""

import asyncio
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import BinaryIO

from buildpacks import output
from buildpacks.findings import Refused, refuse
from buildpacks.nodejs.npm import Npm
from paas.builder import zone
from paas.builder.nodejs import npm
from paas.errors import PlatformError
from paas.settings import Settings

PATH = "/opt/npm/bin"
_TIMEOUT_S = 120.0
_CHUNK_BYTES = 1024 * 1024
_REMOVE = ("rm", "-rf", "/opt/npm")
_UNPACK = """
set -e
rm -rf /opt/npm
mkdir -p /opt/npm/bin /opt/npm/lib/node_modules/npm
cd /opt/npm
tar -x -z -f - -C lib/node_modules/npm --strip-components=1 --no-same-owner
chmod 755 lib/node_modules/npm/bin/*-cli.js
ln -s ../lib/node_modules/npm/bin/npm-cli.js bin/npm
ln -s ../lib/node_modules/npm/bin/npx-cli.js bin/npx
"""


async def put(settings: Settings, machine: zone.Zone, wanted: Npm, write: zone.Write) -> None:
    """Let the zone have the npm that is wanted, which may be none.

    Raises Refused for an archive that is not the one of the app's checksum, PlatformError.
    """
    if not wanted.version:
        await _run(machine, _REMOVE, None)
        return
    await write(output.detail(f"Fetching npm {wanted.version}"))
    with tempfile.TemporaryDirectory(dir=settings.control_state, prefix="npm-") as folder:
        archive = await npm.fetch(settings, f"npm@{wanted.version}", Path(folder))
        if wanted.checksum and not await asyncio.to_thread(_is, archive, wanted.checksum):
            raise _another(wanted)
        await _run(machine, ("sh", "-c", _UNPACK), lambda stream: _copy(archive, stream))


async def _run(machine: zone.Zone, command: tuple[str, ...], fill: zone.Fill | None) -> None:
    async with asyncio.timeout(_TIMEOUT_S):
        result = await machine.run(command, fill=fill, user="root", working_directory="/")
    if result.code:
        raise PlatformError(f"npm could not be unpacked ({result.code}): {result.tail}")


def _is(archive: Path, checksum: str) -> bool:
    """Corepack's `sha224.<hexadecimal>` and the like, of the archive itself."""
    algorithm, _, digest = checksum.partition(".")
    if algorithm not in hashlib.algorithms_guaranteed:
        return False
    with archive.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest() == digest


def _copy(archive: Path, stream: BinaryIO) -> None:
    with archive.open("rb") as source:
        shutil.copyfileobj(source, stream, _CHUNK_BYTES)


def _another(wanted: Npm) -> Refused:
    return refuse(
        "package_manager_checksum",
        f"{wanted.source} has a checksum that is not that of the registry's npm {wanted.version}",
        f"Write it anew: corepack use npm@{wanted.version} — or leave it out: "
        f'"packageManager": "npm@{wanted.version}"',
    )
