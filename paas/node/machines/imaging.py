"""Images made of machines and of differences, and images deleted: none goes that a machine needs.

How a dataset becomes an image is the store's matter (`images.store`); here are the locks, and what
of a machine has to be still meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from paas.node import words
from paas.node.errors import ImageError, NodeError
from paas.node.images import files, manifests
from paas.node.images.store import ROOT, Images
from paas.node.machines import derive, protection
from paas.node.machines.host import Host
from paas.node.machines.life import Life
from paas.node.machines.machine import Machine
from paas.node.pools.interface import check_space


class Imaging:
    """`going` are images that are being deleted: no machine is made of them any more."""

    def __init__(
        self,
        host: Host,
        images: Images,
        lives: Mapping[str, Life],
        held: Callable[[str], AbstractAsyncContextManager[Life]],
        delete_machine: Callable[[Life], Awaitable[None]],
        known: Callable[[], Sequence[Machine]],
    ) -> None:
        self._host, self._images, self._lives = host, images, lives
        self._held, self._delete_machine, self._known = held, delete_machine, known
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.going: set[str] = set()

    def is_installed(self, image: str | None) -> bool:
        return any(manifest["uuid"] == image for manifest in self._images.list())

    async def create(
        self, uuid: str, manifest: Mapping[str, Any], *, keep_machine: bool
    ) -> dict[str, Any]:
        """Of a machine's dataset. Without `keep_machine` it must be stopped, and is then gone."""
        async with self._lock(str(manifest.get("uuid"))):
            if not self.is_installed(str(manifest.get("uuid"))):
                await asyncio.to_thread(check_space, self._host.pool)
            if uuid not in self._lives:
                # Made before, when the caller did not see the answer; or there is no such machine.
                return await self._to_image(uuid, manifest, keep_machine)
            async with self._held(uuid) as life:
                if keep_machine:
                    return await self._to_image(uuid, manifest, keep_machine)
                return await self._convert(life, manifest)

    async def derive(
        self, origin: str, manifest: Mapping[str, Any], quota_gib: int, stream: int
    ) -> dict[str, Any]:
        """Of another image and the differences that are read from a descriptor; cancelling undoes
        it.
        """
        async with self._lock(str(manifest.get("uuid"))):
            if not self.is_installed(str(manifest.get("uuid"))):
                await asyncio.to_thread(check_space, self._host.pool)
            derivation = derive.Derivation(origin, manifest, quota_gib * 1024**3, stream)
            return await derive.run(self._host.settings, self._images, derivation)

    async def install(
        self, manifest: Mapping[str, Any], source: str, stream: int
    ) -> dict[str, Any]:
        """From an image's file, over its origin where it has one; checked against the manifest."""
        uuid = str(manifest.get("uuid"))
        _check_foreign(manifest)
        async with self._lock(uuid):
            await asyncio.to_thread(check_space, self._host.pool)
            return await asyncio.to_thread(self._install, manifest, source, stream)

    def _install(self, manifest: Mapping[str, Any], source: str, stream: int) -> dict[str, Any]:
        uuid, origin = str(manifest["uuid"]), manifest.get("origin")

        def fill(root: Path) -> None:
            self._images.set_source(uuid, source)
            files.unpack(self._images.pool, root, stream, manifest)

        if origin:
            return self._images.derive(manifest, str(origin), fill, None)
        return self._images.create(manifest, fill)

    async def export(self, uuid: str, *, incremental: bool, target: int) -> dict[str, Any]:
        """A stopped machine's tree as a tar, or what differs from its image."""
        async with self._held(uuid) as life:
            machine, pool = life.machine, self._host.pool
            if life.runs:
                text = f"cannot create an image from a running VM ({uuid}): stop it first"
                raise NodeError("VmNotStopped", text)
            origin = str(machine.properties["image_uuid"])
            self._images.get(origin)
            before = pool.path(origin) / ROOT if incremental else None
            tree = pool.path(uuid) / ROOT
            await asyncio.to_thread(files.pack, tree, before, target, f"machine {uuid}")
            return {"origin": origin if incremental else None}

    async def records(self) -> list[dict[str, Any]]:
        """Of each image: its manifest, pool, source, and what was made of it or needs it."""
        images = await asyncio.to_thread(self._images.list)
        users = {machine.uuid: machine.images() for machine in self._known()}
        pins = {image["uuid"]: manifests.pins(image) for image in images}
        return [
            {
                "manifest": image,
                "zpool": "zones",
                "source": self._images.source(image["uuid"]),
                "machines": sorted(u for u, needed in users.items() if image["uuid"] in needed),
                "images": sorted(u for u, needed in pins.items() if image["uuid"] in needed),
            }
            for image in images
        ]

    async def delete(self, uuid: str) -> None:
        """Raises NodeError and ImageError; `ImageNotInstalled` for the second of two at once."""
        async with self._lock(uuid):
            self._refuse_pinned(uuid)
            self.going.add(uuid)
            try:
                await asyncio.to_thread(self._images.delete, uuid)
            finally:
                self.going.discard(uuid)

    def _lock(self, uuid: str) -> asyncio.Lock:
        return self._locks.setdefault(uuid, asyncio.Lock())

    async def _to_image(
        self, uuid: str, manifest: Mapping[str, Any], keep_machine: bool
    ) -> dict[str, Any]:
        made: dict[str, Any] = await asyncio.to_thread(
            self._images.create_from_machine, uuid, manifest, keep_machine
        )
        return made

    async def _convert(self, life: Life, manifest: Mapping[str, Any]) -> dict[str, Any]:
        uuid, image = life.machine.uuid, str(manifest.get("uuid"))
        if life.runs:
            raise NodeError("VmNotStopped", f"machine {uuid} runs: stop it first")
        protection.refuse_delete(life.machine)
        if self.is_installed(image) and life.machine.becomes != image:
            text = f"image {image} is installed, and was not made of machine {uuid}"
            raise NodeError("ImageUuidAlreadyExists", text)
        await life.leave_dataset()
        life.record(becomes=image)
        try:
            made = await self._to_image(uuid, manifest, keep_machine=False)
        except Exception:
            # Half-way the dataset has the image's name already: the next try, or start, goes on.
            if await asyncio.to_thread(self._host.pool.exists, uuid):
                life.change(becomes=None)
            raise
        await self._delete_machine(life)
        return made

    def _refuse_pinned(self, image: str) -> None:
        """Raises NodeError `ImageInUse` when a machine was made from the image or mounts it."""
        users = [machine.uuid for machine in self._known() if image in machine.images()]
        if users:
            raise NodeError(
                "ImageInUse",
                f"image {image} is in use by {len(users)} machine(s): {', '.join(users)}",
            )


def _check_foreign(manifest: Mapping[str, Any]) -> None:
    """What comes from elsewhere is no part of the platform, and is for zones. Raises ImageError."""
    found = manifests.problems(manifest) or manifests.file_problems(manifest)
    if found:
        text = "; ".join(problem["message"] for problem in found)
        raise ImageError("InvalidManifest", f"the manifest is not valid: {text}")
    if manifests.role(manifest):
        text = f"the tag {words.ROLE} is for images that the platform makes itself"
        raise ImageError("InvalidManifest", text, "Leave it out of the manifest.")
    if manifest["type"] not in ("lx-dataset", "zone-dataset", "other"):
        text = f"images of type {manifest['type']} can't be installed: this node has zones alone"
        raise ImageError("NotSupported", text)
