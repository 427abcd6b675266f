"""Installs a runtime that a build asks for: from the npm registry into an image, inside a zone.

`npm pack` fetches the archive of Node.js's binaries and checks it against the registry's checksum.
It is extracted in a build machine, because it is a stranger's archive, and npm put beside it: the
platform's own, or for an older Node.js the newest that supports it. The machine's dataset then
becomes the image; its userland is at `opt/node`.
"""

import asyncio
import shutil
import tarfile
import tempfile
import uuid
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from buildpacks import output
from buildpacks.nodejs.npm.versions import for_runtime
from paas.builder import zone
from paas.builder.images import Bases
from paas.builder.nodejs import offer, registry
from paas.builder.nodejs.npm import NPM
from paas.builder.work import Work
from paas.errors import PlatformError
from paas.node import words

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
mkdir -p lib/node_modules/npm
tar -x "$@" -f - -C lib/node_modules/npm --strip-components=1 --no-same-owner
chmod 755 lib/node_modules/npm/bin/*-cli.js
ln -sf ../lib/node_modules/npm/bin/npm-cli.js bin/npm
ln -sf ../lib/node_modules/npm/bin/npx-cli.js bin/npx
exec bin/node --version
"""


@dataclass(frozen=True)
class _Fetched:
    """Archives; `npm` is None where the platform's own belongs into the runtime."""

    nodejs: Path
    npm: Path | None
    npm_version: str


_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)


async def install(work: Work, bases: Bases, version: str) -> str:
    """The uuid of the runtime's image, once it is there. Raises PlatformError."""
    node = work.node
    async with _locks[f"{node.socket} {version}"]:
        installed = offer.runtimes(await node.images())
        if version in installed:
            return installed[version]
        await work.write(output.detail(f"Fetching Node.js {version}"))
        image = str(uuid.uuid5(_NAMESPACE, f"{registry.architecture()} {version}"))
        with tempfile.TemporaryDirectory(
            dir=work.settings.control_state, prefix="runtime-"
        ) as folder:
            fetched = await _fetch(work, version, Path(folder))
            async with zone.running(node, _payload(bases, version, work.build_id)) as machine:
                await _fill(machine, version, fetched)
                await node.stop(machine.uuid, force=True)
                manifest = _manifest(image, version, fetched.npm_version)
                await node.create_image(machine.uuid, manifest, keep_machine=False)
        return image


async def _fetch(work: Work, version: str, folder: Path) -> _Fetched:
    npms = await offer.managers(work.settings, await work.node.images(), NPM)
    if not for_runtime(version, npms):
        npms = await offer.managers(work.settings, await work.node.images(), NPM, wait=True)
    its_npm = for_runtime(version, npms)
    name = offer.nodejs_package(registry.architecture())
    nodejs = await registry.fetch(work.settings, f"{name}@{version}", folder)
    own = its_npm == npms.own
    npm = None if own else await registry.fetch(work.settings, f"npm@{its_npm}", folder)
    return _Fetched(nodejs, npm, its_npm)


def _payload(bases: Bases, version: str, build_id: str) -> dict[str, Any]:
    return zone.payload(
        uuid=str(uuid.uuid4()),
        image=bases.base,
        stack=bases.build_stack,
        runtimes={},
        tags={words.BUILD: build_id},
        name=f"nodejs-{version}",
    )


async def _fill(machine: zone.Zone, version: str, fetched: _Fetched) -> None:
    other = fetched.npm
    await _run(machine, _UNPACK, lambda stream: _copy(fetched.nodejs, stream))
    if other is None:
        said = await _run(machine, _UNPACK_NPM, _pack_npm)
    else:
        said = await _run(machine, _UNPACK_NPM, lambda stream: _copy(other, stream), "-z")
    if said.strip() != f"v{version}":
        raise PlatformError(f"the archive of Node.js {version} holds {said[:80]!r}")


async def _run(machine: zone.Zone, script: str, fill: zone.Fill, *options: str) -> str:
    command = ("sh", "-c", script, "sh", *options)
    result = await machine.run(command, fill=fill, user="root", working_directory="/")
    if result.code:
        raise PlatformError(f"a runtime could not be unpacked ({result.code}): {result.tail}")
    return result.tail


def _copy(archive: Path, stream: BinaryIO) -> None:
    with archive.open("rb") as source:
        shutil.copyfileobj(source, stream, 1024 * 1024)


def _pack_npm(stream: BinaryIO) -> None:
    with tarfile.open(fileobj=stream, mode="w|") as tar:
        tar.add(registry.npm_folder(), "npm", filter=_without_documents)


def _without_documents(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    if member.name in ("npm/docs", "npm/man"):
        return None
    member.uid = member.gid = 0
    if member.name.startswith("npm/bin/"):
        member.mode = 0o755
    return member


def _manifest(image: str, version: str, its_npm: str) -> dict[str, object]:
    return {
        "uuid": image,
        "name": "nodejs",
        "version": version,
        "homepage": "https://nodejs.org/",
        "tags": {
            words.ROLE: "runtime",
            words.VERSION: version,
            words.NPM: its_npm,
        },
    }
