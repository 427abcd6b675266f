"""Git LFS over HTTP: the batch API and basic transfers, as JSON and as bytes.

A client asks (`objects/batch`) what it is to send or to fetch, does that (`objects/<oid>`) and asks
whether it is there (`verify`). What is sent counts when it has the size and the SHA-256 it should.
"""

import asyncio
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gitserver.faults import Fault
from gitserver.interface import Limits
from gitserver.lfs import batch, store
from gitserver.lfs.pointers import Pointer
from gitserver.protocol.exchange import Exchange

JSON_TYPE = "application/vnd.git-lfs+json"
PREFIX = "info/lfs/"
_OBJECT = "objects/"
_STEP_BYTES = 1024 * 1024
_REQUEST_BYTES_MAX = 1024 * 1024
_DRAIN_BYTES_MAX = 64 * 1024 * 1024

MayPush = Callable[[], Awaitable[str | None]]
"""None, or why not."""


class Refused(Exception):
    """The answer's status and its message, which git-lfs shows."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class LargeFiles:
    """Of all repositories; `incoming` is a folder on their disk."""

    def __init__(self, limits: Limits, incoming: Path) -> None:
        self._limits = limits
        self._incoming = incoming
        self._transfers = asyncio.Semaphore(limits.lfs_transfers_at_once)
        self._on_their_way_bytes: Counter[Path] = Counter()

    async def serve(
        self, exchange: Exchange, service: str, repository: Path, may_push: MayPush
    ) -> None:
        """`service` is what follows the repository in the path."""
        asked = service.removeprefix(PREFIX)
        oid = asked.removeprefix(_OBJECT)
        try:
            match exchange.method, asked:
                case "POST", "objects/batch":
                    await self._batch(exchange, repository, may_push)
                case "POST", "verify":
                    await self._verify(exchange, repository)
                case "GET", _ if asked == _OBJECT + oid and batch.is_oid(oid):
                    await self._download(exchange, repository, oid)
                case "PUT", _ if asked == _OBJECT + oid and batch.is_oid(oid):
                    await self._upload(exchange, repository, oid)
                case _, _ if asked.startswith("locks"):
                    # With this status git-lfs asks no more, and says nothing.
                    raise Refused(501, "files are not locked here")
                case _:
                    raise Refused(404, "there is no such service")
        except Fault as fault:
            await refuse(exchange, 422, str(fault))
        except Refused as refused:
            await refuse(exchange, refused.status, str(refused))

    async def _batch(self, exchange: Exchange, repository: Path, may_push: MayPush) -> None:
        asked = batch.parse(await exchange.read_all(_REQUEST_BYTES_MAX))
        reason = await may_push() if asked.uploads else None
        if reason is not None:
            raise Refused(403, reason)
        here = store.promise if asked.uploads else store.has

        def look() -> set[Pointer]:
            return {pointer for pointer in asked.objects if here(repository, pointer)}

        there = await asyncio.to_thread(look)
        base = exchange.url.removesuffix("/objects/batch")
        limit = self._limits.lfs_object_bytes
        answer = batch.answer(asked, there, base=base, object_bytes_max=limit)
        await exchange.respond(200, JSON_TYPE, json.dumps(answer).encode())

    async def _verify(self, exchange: Exchange, repository: Path) -> None:
        asked = batch.parse_one(await exchange.read_all(_REQUEST_BYTES_MAX))
        if not await asyncio.to_thread(store.has, repository, asked):
            raise Refused(404, f"{asked.oid} is not here with {asked.size_bytes} bytes")
        await exchange.respond(200, JSON_TYPE, b"{}")

    async def _download(self, exchange: Exchange, repository: Path, oid: str) -> None:
        try:
            file = await asyncio.to_thread(store.place_of(repository, oid).open, "rb")
        except FileNotFoundError as error:
            raise Refused(404, f"{oid} is not here") from error
        with file:
            length = {"content-length": str(os.fstat(file.fileno()).st_size)}
            async with self._transfers:
                await exchange.start(200, "application/octet-stream", length)
                while part := await asyncio.to_thread(file.read, _STEP_BYTES):
                    await exchange.write(part)
        await exchange.write(b"", more=False)

    async def _upload(self, exchange: Exchange, repository: Path, oid: str) -> None:
        announced = exchange.headers.get("content-length", "")
        if not announced.isdigit() or len(announced) > 18:
            raise Refused(411, "the length of the file has to be said first (content-length)")
        pointer = Pointer(oid, int(announced))
        if not await asyncio.to_thread(store.promise, repository, pointer):
            async with self._transfers:
                with self._room(repository, pointer.size_bytes):
                    await self._check_room(repository, pointer.size_bytes)
                    await self._receive(exchange, repository, pointer)
        else:
            await exchange.drain(pointer.size_bytes)
        await exchange.respond(200, JSON_TYPE, b"{}")

    @contextmanager
    def _room(self, repository: Path, size_bytes: int) -> Iterator[None]:
        self._on_their_way_bytes[repository] += size_bytes
        try:
            yield
        finally:
            self._on_their_way_bytes[repository] -= size_bytes
            self._on_their_way_bytes += Counter()  # forgets those at zero

    async def _check_room(self, repository: Path, size_bytes: int) -> None:
        limits = self._limits
        if size_bytes > limits.lfs_object_bytes:
            raise Refused(413, batch.too_large(limits.lfs_object_bytes))
        held_bytes = await asyncio.to_thread(store.total_bytes, repository)
        if held_bytes + self._on_their_way_bytes[repository] > limits.lfs_bytes:
            mib = limits.lfs_bytes // 1024 // 1024
            raise Refused(507, f"an app's large files may have {mib} MiB together")
        coming_bytes = sum(self._on_their_way_bytes.values())
        if shutil.disk_usage(repository).free - coming_bytes < limits.lfs_free_bytes:
            raise Refused(507, "the disk of the server is nearly full; its operator can make room")

    async def _receive(self, exchange: Exchange, repository: Path, pointer: Pointer) -> None:
        with tempfile.TemporaryDirectory(dir=self._incoming, prefix="lfs-") as folder:
            received = Path(folder) / pointer.oid
            with received.open("wb", buffering=0) as file:
                digest = await _spool(exchange, file, pointer.size_bytes)
            if digest != pointer.oid:
                raise Refused(422, f"what came as {pointer.oid} has the SHA-256 {digest}")
            try:
                await asyncio.to_thread(store.put, received, repository, pointer.oid)
            except FileNotFoundError as error:
                raise Refused(404, "the repository was deleted meanwhile") from error


async def refuse(exchange: Exchange, status: int, message: str) -> None:
    """In git-lfs's own form; a client that is still sending hears it only if that is read."""
    body = json.dumps({"message": message}).encode()
    ended = {"connection": "close"} if exchange.method != "GET" else {}
    await exchange.start(status, JSON_TYPE, {"content-length": str(len(body)), **ended})
    await exchange.write(body)
    await exchange.drain(_DRAIN_BYTES_MAX)
    await exchange.write(b"", more=False)


async def _spool(exchange: Exchange, file: BinaryIO, size_bytes: int) -> str:
    """The SHA-256 of the body, which is in the file and on the disk. Raises Fault."""
    digest, received, buffer = hashlib.sha256(), 0, bytearray()

    def write(data: bytes) -> None:
        digest.update(data)
        file.write(data)

    async for part in exchange.body():
        buffer += part
        received += len(part)
        if received > size_bytes:
            raise Fault("the file is longer than was said")
        if len(buffer) >= _STEP_BYTES:
            await asyncio.to_thread(write, bytes(buffer))
            buffer.clear()
    await asyncio.to_thread(write, bytes(buffer))
    if received != size_bytes:
        raise Fault("the file is shorter than was said")
    await asyncio.to_thread(os.fsync, file.fileno())
    return digest.hexdigest()
