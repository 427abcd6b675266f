"""`git-receive-pack`: a push, from the first byte to the report.

head (which refs) → pack to a file → checked and placed by a child process → accept() → refs
"""

import asyncio
import contextlib
import dataclasses
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitserver import incoming, refchanges, references
from gitserver.claims import Claims
from gitserver.faults import Fault
from gitserver.interface import Accept, Limits, Push, RefUpdate
from gitserver.jobs import JobDied, JobFailed, Jobs
from gitserver.protocol import packets
from gitserver.protocol.commands import Head, HeadParser
from gitserver.protocol.exchange import ClientGone, Exchange
from gitserver.protocol.sideband import SideBand

RESULT_TYPE = "application/x-git-receive-pack-result"
_WRITE_BYTES = 1024 * 1024
_DRAIN_BYTES_MAX = 64 * 1024 * 1024

Results = dict[str, str | None]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Receiver:
    """What every push needs."""

    jobs: Jobs
    accept: Accept
    limits: Limits
    incoming: Path
    claims: Claims = field(default_factory=Claims)


async def receive(
    receiver: Receiver, exchange: Exchange, repository: str, path: Path, user: str
) -> None:
    """Answers one request. The client may go at any moment; `accept` then hears of it."""
    body = exchange.body()
    head, first = await _head(body, receiver.limits)
    if head.ended_at_once:
        await exchange.respond(200, RESULT_TYPE, b"")
        return
    async with _answering(exchange, head, receiver.limits) as side_band:
        push = Push(
            repository,
            path,
            user,
            tuple(head.updates),
            tuple(head.push_options),
            side_band.progress,
            asyncio.Event(),
            atomic="atomic" in head.capabilities,
        )
        reception = _Reception(receiver, exchange, head, push)
        await side_band.close(await reception.run(body, first))


async def refuse(exchange: Exchange, limits: Limits, text: str) -> None:
    """Answers a push for which there is no repository (any more)."""
    head, _ = await _head(exchange.body(), limits)
    head.fault = text
    async with _answering(exchange, head, limits) as side_band:
        await side_band.close(await _refused(head, side_band.progress))


@contextlib.asynccontextmanager
async def _answering(exchange: Exchange, head: Head, limits: Limits) -> AsyncIterator[SideBand]:
    await exchange.start(200, RESULT_TYPE)
    side_band = SideBand(
        exchange,
        enabled=head.side_band,
        keep_alive_s=limits.keep_alive_s,
        progress_wait_s=limits.progress_wait_s,
    )
    try:
        yield side_band
        # A client that is still sending its pack hears an early answer only if that is read.
        await exchange.drain(_DRAIN_BYTES_MAX)
        await exchange.write(b"", more=False)
    finally:
        await side_band.abandon()


async def _refused(head: Head, progress: Callable[[str], Awaitable[None]]) -> bytes:
    """What is wrong with a head, where its client looks for it: within the side band, or not."""
    fault = head.fault or "refused"
    if "report-status" not in head.capabilities and not head.side_band:
        return packets.error(fault)
    await progress(_told(fault))
    return _report(head, fault, {update.name: "unpacker error" for update in head.updates})


class _Reception:
    """One push under way."""

    def __init__(self, receiver: Receiver, exchange: Exchange, head: Head, push: Push) -> None:
        self._jobs = receiver.jobs
        self._accept = receiver.accept
        self._limits = receiver.limits
        self._incoming = receiver.incoming
        self._claims = receiver.claims
        self._exchange = exchange
        self._head = head
        self._push = push

    async def run(self, body: AsyncIterator[bytes], first: bytes) -> bytes:
        """The report (gitprotocol-pack(5), report-status)."""
        if self._head.fault is not None:
            return await _refused(self._head, self._push.progress)
        refused = await self._refuse_early()
        wanted = [u for u in self._push.updates if u.name not in refused]
        if not wanted or (refused and self._push.atomic):
            return _report(self._head, "ok", self._all_or_nothing(refused))
        try:
            await self._objects(body, first, wanted)
        except (Fault, JobFailed) as fault:
            self._head.fault = str(fault)
            return await _refused(self._head, self._push.progress)
        except JobDied as death:
            log.warning("checking a push to %s: %s", self._push.repository, death)
            self._head.fault = f"the pack could not be checked: {death}"
            return await _refused(self._head, self._push.progress)
        judge = self._judge_atomic if self._push.atomic else self._judge
        return _report(self._head, "ok", await judge(refused, wanted))

    async def _judge_atomic(self, refused: Results, wanted: list[RefUpdate]) -> Results:
        """The refs are looked at once more, and from then on stay as they are until the end."""
        claims, path = self._claims, self._push.path
        names = [update.name for update in wanted]
        changed: Results = dict(claims.refusals(path, names))
        if changed:
            return self._all_or_nothing(changed)
        with claims.hold(path, names):
            changed = await self._refuse_early()
            if changed:
                return self._all_or_nothing(changed)
            return await self._judge(refused, wanted)

    async def _judge(self, refused: Results, wanted: list[RefUpdate]) -> Results:
        async with self._watched():
            accepted = await self._ask(wanted)
        return await self._change(refused, accepted, wanted)

    async def _refuse_early(self) -> Results:
        """What can be said from the head alone, in milliseconds."""
        updates = self._push.updates
        now = await asyncio.to_thread(references.read, self._push.path)
        if len(now) + sum(u.old is None for u in updates) > self._limits.refs:
            return {u.name: f"a repository may have {self._limits.refs} refs" for u in updates}
        return dict(refchanges.refusals(updates, now, self._limits.hidden_refs))

    async def _objects(
        self, body: AsyncIterator[bytes], first: bytes, wanted: list[RefUpdate]
    ) -> None:
        """The pack, if one comes, is in the repository afterwards."""
        if not self._head.has_pack:
            return
        with tempfile.TemporaryDirectory(dir=self._incoming, prefix="push-") as folder:
            pack = Path(folder) / "received.pack"
            await self._spool(body, first, pack)
            tips = [(u.new, u.name.startswith("refs/heads/")) for u in wanted if u.new]
            await incoming.check(
                self._jobs, self._limits, self._push.path, pack, tips, self._head.shallow
            )

    async def _spool(self, body: AsyncIterator[bytes], first: bytes, pack: Path) -> None:
        limit = self._limits.pack_bytes
        announced = self._exchange.headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limit + _WRITE_BYTES:
            raise Fault(_too_large(limit))
        buffer, received = bytearray(first), len(first)
        with pack.open("wb", buffering=0) as file:
            async for part in body:
                buffer += part
                received += len(part)
                if received > limit:
                    raise Fault(_too_large(limit))
                if len(buffer) >= _WRITE_BYTES:
                    await asyncio.to_thread(file.write, bytes(buffer))
                    buffer.clear()
            await asyncio.to_thread(file.write, bytes(buffer))

    async def _ask(self, wanted: list[RefUpdate]) -> Mapping[str, str | None]:
        try:
            return await self._accept(dataclasses.replace(self._push, updates=tuple(wanted)))
        except Exception:
            log.exception("a push to %s could not be judged", self._push.repository)
            return {u.name: "internal error of the server" for u in wanted}

    @contextlib.asynccontextmanager
    async def _watched(self) -> AsyncIterator[None]:
        """Looks whether the client is still there, once its whole request was read."""

        async def watch() -> None:
            await self._exchange.gone()
            self._push.cancelled.set()

        task = asyncio.create_task(watch())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _change(
        self, refused: Results, accepted: Mapping[str, str | None], wanted: list[RefUpdate]
    ) -> Results:
        results = dict(refused)
        for update in wanted:
            results[update.name] = accepted.get(update.name, "not accepted")
        results = self._all_or_nothing(results)
        path, atomic = self._push.path, self._push.atomic
        if not atomic:
            yes = [name for name, reason in results.items() if reason is None]
            results.update(self._claims.refusals(path, yes))
        changes = [u for u in wanted if results[u.name] is None]
        if changes:
            changed = await asyncio.to_thread(refchanges.update, path, changes, atomic=atomic)
            results.update(changed)
        return results

    def _all_or_nothing(self, results: Results) -> Results:
        if not self._push.atomic or not any(results.values()):
            return results
        names = [u.name for u in self._push.updates]
        return {name: results.get(name) or refchanges.ALL_OR_NOTHING for name in names}


def _report(head: Head, unpack: str, results: Results) -> bytes:
    if "report-status" not in head.capabilities:
        return b""
    summary, _, _ = unpack.partition("\n")
    lines = [f"unpack {_line(summary)}\n"]
    for name, reason in results.items():
        lines.append(f"ng {name} {_line(reason)}\n" if reason else f"ok {name}\n")
    return b"".join(map(packets.encode, lines)) + packets.FLUSH


async def _head(body: AsyncIterator[bytes], limits: Limits) -> tuple[Head, bytes]:
    """The head, with its fault where it can't be read, and what comes after it."""
    parser = HeadParser(limits.updates)
    try:
        async for part in body:
            if parser.feed(part):
                return parser.head, parser.rest
        parser.head.fault = "the request ends before its list of refs does"
    except (Fault, packets.PacketError) as fault:
        parser.head.fault = str(fault)
    return parser.head, b""


def _told(fault: str) -> str:
    text = fault if fault.endswith((".", "\n")) else f"{fault}."
    return f"\nThe push was refused: {text.rstrip()}\n\n"


def _line(text: str) -> str:
    """Reports have one line a ref."""
    return " ".join(text.split())[:1000] or "refused"


def _too_large(limit_bytes: int) -> str:
    return (
        f"the pack is over the limit of {limit_bytes // 1024 // 1024} MiB; "
        "remove large files from the history, they belong in a store of their own"
    )


__all__ = ["ClientGone", "Receiver", "receive", "refuse"]
