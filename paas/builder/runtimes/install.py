"""Sees that the runtimes of a plan are there: an image each, made where it is missing.

Those that are a binary (Bun, Deno) come from the npm registry's package for the machine's kind of
processor. `npm pack` fetches the archive and checks it against the registry's checksum; it is
unpacked in a build machine, because it is a stranger's, and that machine's dataset becomes the
image. Node.js has a module of its own, because npm belongs to it.
"""

import asyncio
import shutil
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from buildpacks import output, ranges
from buildpacks.plan import Runtime
from buildpacks.runtimes import Offer
from paas.builder import zone
from paas.builder.images import Bases
from paas.builder.nodejs import offer as registry_offer
from paas.builder.nodejs import registry
from paas.builder.nodejs import runtimes as nodejs
from paas.builder.nodejs.tool import Tool
from paas.builder.nodejs.tools import TOOLS
from paas.builder.work import Work
from paas.errors import PlatformError
from paas.node import words
from paas.node.client import Manifest
from paas.settings import Settings

_NAMESPACE = uuid.UUID("0b0f6f0c-5f0d-4d0e-9c3c-0f6a4d0f9b11")
_RECIPE = 1
_TIMEOUT_S = 120.0
_CHUNK_BYTES = 1024 * 1024
_locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)


async def images(
    work: Work, bases: Bases, wanted: Iterable[Runtime], installed: Sequence[Manifest]
) -> dict[str, str]:
    """The uuids of the runtimes' images by their places, once all are there. Raises PlatformError.

    `installed` are the node's images, which need not be asked for again.
    """
    found: dict[str, str] = {}
    for runtime in wanted:
        present = versions(installed, runtime.place)
        if runtime.version in present:
            found[runtime.place] = present[runtime.version]
            continue
        async with work.timeline.step("runtime"):
            found[runtime.place] = await _install(work, bases, runtime)
    return found


def versions(installed: Sequence[Manifest], place: str) -> dict[str, str]:
    """Version → uuid of a runtime's images."""
    if place == "node":
        return registry_offer.runtimes(installed)
    return {
        str(image["tags"][words.VERSION]): str(image["uuid"])
        for image in installed
        if image.get("name") == place and image.get("tags", {}).get(words.ROLE) == "runtime"
    }


def majors(installed: Sequence[Manifest], mounted: Collection[str]) -> Mapping[str, int]:
    """The majors of the runtimes whose images are `mounted`, by their places."""
    return {
        place: ranges.release(version)[0]
        for place in words.RUNTIMES
        for version, image in versions(installed, place).items()
        if image in mounted
    }


async def offer(
    settings: Settings, place: str, installed: Sequence[Manifest], *, wait: bool
) -> Offer:
    """What an app may choose from, of a runtime beside Node.js. Raises PlatformError only with
    `wait`."""
    present = list(versions(installed, place))
    available: list[str] = []
    for package in registry_offer.packages(TOOLS[place]):
        available += await registry_offer.available(settings, package, wait=wait)
    return Offer(available, present)


async def _install(work: Work, bases: Bases, runtime: Runtime) -> str:
    if runtime.place == "node":
        return await nodejs.install(work, bases, runtime.version)
    tool, node = TOOLS[runtime.place], work.node
    async with _locks[f"{node.socket} {runtime.place} {runtime.version}"]:
        present = versions(await node.images(), runtime.place)
        if runtime.version in present:
            return present[runtime.version]
        await work.write(output.detail(f"Fetching {runtime.said}"))
        name = f"{tool.package(runtime.version)}@{runtime.version}"
        image = str(uuid.uuid5(_NAMESPACE, f"{_RECIPE} {name}"))
        with tempfile.TemporaryDirectory(
            dir=work.settings.control_state, prefix="runtime-"
        ) as folder:
            archive = await registry.fetch(work.settings, name, Path(folder))
            async with zone.running(node, _payload(bases, runtime, work.build_id)) as machine:
                await _fill(machine, tool, runtime, archive)
                await node.stop(machine.uuid, force=True)
                await node.create_image(machine.uuid, _manifest(image, runtime), keep_machine=False)
        return image


async def _fill(machine: zone.Zone, tool: Tool, runtime: Runtime, archive: Path) -> None:
    """Unpacked, and run once: what the package holds has to be what its name says."""

    def copy(stream: BinaryIO) -> None:
        with archive.open("rb") as source:
            shutil.copyfileobj(source, stream, _CHUNK_BYTES)

    program = f"/opt/{runtime.place}/bin/{runtime.place}"
    script = f"{tool.unpack}\nexec {program} --version"
    async with asyncio.timeout(_TIMEOUT_S):
        result = await machine.run(
            ("sh", "-c", script), fill=copy, user="root", working_directory="/"
        )
    if result.code == 128 + 4:
        raise PlatformError(f"this server's processor can't run {runtime.said}")
    if result.code:
        raise PlatformError(f"a runtime could not be unpacked ({result.code}): {result.tail}")
    if runtime.version not in result.tail.split():
        raise PlatformError(f"the archive of {runtime.said} holds {result.tail[:80]!r}")


def _payload(bases: Bases, runtime: Runtime, build_id: str) -> dict[str, object]:
    return zone.payload(
        uuid=str(uuid.uuid4()),
        image=bases.base,
        stack=bases.build_stack,
        runtimes={},
        tags={words.BUILD: build_id},
        name=f"{runtime.place}-{runtime.version}",
    )


def _manifest(image: str, runtime: Runtime) -> Manifest:
    pages = {"bun": "https://bun.com/", "deno": "https://deno.com/"}
    return {
        "uuid": image,
        "name": runtime.place,
        "version": runtime.version,
        "homepage": pages[runtime.place],
        "tags": {words.ROLE: "runtime", words.VERSION: runtime.version},
    }
