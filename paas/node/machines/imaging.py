"""Images made of machines and of differences, and images deleted: none goes that a machine needs.

How a dataset becomes an image is the store's matter (`images.store`); here are the locks, and what
of a machine has to be still meanwhile.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any
from weakref import WeakValueDictionary

from paas.node.errors import NodeError
from paas.node.images.store import Images
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
                "ImageInUse", f"image {image} is in use by {len(users)} machine(s): {users[0]}"
            )
