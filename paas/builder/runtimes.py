"""Installs a runtime that a build asks for: from the npm registry into an image, inside a zone.

`npm pack` fetches the archive of Node.js's binaries and checks it against the registry's checksum.
It is extracted in a build machine, because it is a stranger's archive, and the platform's npm put
beside it. The machine's dataset then becomes the image; its userland is at `opt/node`.
"""

import asyncio
import json
import shutil
import tarfile
import tempfile
import uuid
from collections import defaultdict
from pathlib import Path
from typing import BinaryIO

from buildpacks import output
from paas.builder import npm, offer, zone
from paas.builder.images import Bases
from paas.errors import PlatformError
from paas.node.client import Node
from paas.settings import Settings

_NAMESPACE = uuid.UUID("5ad3f5a2-9f3f-4c35-8d27-5d7a2d2c1b4e")
_PLACE = "/opt/node"
_UNPACK = """
set -e
mkdir -p /opt/node/lib/node_modules
exec tar -x -z -f - -C /opt/node --strip-components=1 --no-same-owner --exclude=package/share
"""
_UNPACK_NPM = """
set -e
cd /opt/node
tar -x -f - -C lib/node_modules --no-same-owner
ln -sf ../lib/node_modules/npm/bin/npm-cli.js bin/npm
ln -sf ../lib/node_modules/npm/bin/npx-cli.js bin/npx
exec bin/node --version
"""
_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)


async def install(
    settings: Settings, node: Node, bases: Bases, version: str, write: zone.Write, build_id: str
) -> str:
    """The uuid of the runtime's image, once it is there. Raises PlatformError."""
    async with _locks[f"{node.socket} {version}"]:
        installed = offer.runtimes(await node.images())
        if version in installed:
            return installed[version]
        await write(output.detail(f"Fetching Node.js {version}"))
        image = str(uuid.uuid5(_NAMESPACE, f"{npm.architecture()} {version}"))
        with tempfile.TemporaryDirectory(dir=settings.control_state, prefix="runtime-") as folder:
            archive = await _fetch(settings, version, Path(folder))
            await _make(node, bases, image, version, archive, build_id)
        return image


async def _fetch(settings: Settings, version: str, folder: Path) -> Path:
    name = f"{offer.package(npm.architecture())}@{version}"
    said = await npm.run(settings, "pack", name, "--json", "--pack-destination", str(folder))
    archive = folder / Path(json.loads(said)[0]["filename"]).name
    if not archive.is_file():
        raise PlatformError(f"npm pack {name} left no archive")
    return archive


async def _make(
    node: Node, bases: Bases, image: str, version: str, archive: Path, build_id: str
) -> None:
    payload = zone.payload(
        uuid=str(uuid.uuid4()),
        image=bases.base,
        stack=bases.build_stack,
        runtime=None,
        tags={zone.BUILD_TAG: build_id},
        name=f"nodejs-{version}",
    )
    async with zone.running(node, payload) as machine:
        await _run(machine, _UNPACK, lambda stream: _copy(archive, stream))
        said = await _run(machine, _UNPACK_NPM, _pack_npm)
        if said.strip() != f"v{version}":
            raise PlatformError(f"the archive of Node.js {version} holds {said[:80]!r}")
        await node.stop(machine.uuid, force=True)
        await node.create_image(machine.uuid, _manifest(image, version), keep_machine=False)


async def _run(machine: zone.Zone, script: str, fill: zone.Fill) -> str:
    result = await machine.run(("sh", "-c", script), fill=fill, user="root", working_directory="/")
    if result.code:
        raise PlatformError(f"a runtime could not be unpacked ({result.code}): {result.tail}")
    return result.tail


def _copy(archive: Path, stream: BinaryIO) -> None:
    with archive.open("rb") as source:
        shutil.copyfileobj(source, stream, 1024 * 1024)


def _pack_npm(stream: BinaryIO) -> None:
    with tarfile.open(fileobj=stream, mode="w|") as tar:
        tar.add(npm.folder(), "npm", filter=_without_documents)


def _without_documents(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if member.name in ("npm/docs", "npm/man"):
        return None
    member.uid = member.gid = 0
    if member.name.startswith("npm/bin/"):
        member.mode = 0o755
    return member


def _manifest(image: str, version: str) -> dict[str, object]:
    return {
        "uuid": image,
        "name": "nodejs",
        "version": version,
        "homepage": "https://nodejs.org/",
        "tags": {"smartplatform:role": "runtime", "smartplatform:version": version},
    }
