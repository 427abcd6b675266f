"""`git-upload-pack`: hands the request to a child process and the answer to the client."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path
from typing import Any

from gitserver.faults import Fault
from gitserver.interface import Limits
from gitserver.jobs import JobDied, JobFailed, Jobs
from gitserver.protocol import conversation, packets
from gitserver.protocol.conversation import Stream
from gitserver.protocol.exchange import Exchange

RESULT_TYPE = "application/x-git-upload-pack-result"


async def fetch(jobs: Jobs, exchange: Exchange, path: Path, limits: Limits) -> None:
    """Answers one request; the pack streams at the client's pace."""
    try:
        payload = await exchange.read_all(limits.fetch_request_bytes)
    except Fault as fault:
        await exchange.respond(200, RESULT_TYPE, packets.error(str(fault)))
        return
    request = _job(path, exchange.protocol_version, limits)
    await exchange.start(200, RESULT_TYPE)
    # Closed with the client: its job must not outlive it.
    async with aclosing(_answer(jobs, request, payload)) as answer:
        async for part in answer:
            await exchange.write(part)
    await exchange.write(b"", more=False)


async def converse(jobs: Jobs, stream: Stream, path: Path, version: int, limits: Limits) -> None:
    """Answers a client that stays connected until it has what it wants.

    Of the cut of a shallow history the client is told once: over HTTP with each answer.
    """
    request = _job(path, version, limits)
    split = conversation.requests_v2 if version == 2 else conversation.requests_v0
    try:
        async for payload in split(stream, limits.fetch_request_bytes):
            async with aclosing(_answer(jobs, request, payload)) as answer:
                async for part in answer:
                    await stream.write(part)
            request["knows_boundary"] = version != 2
    except (Fault, packets.PacketError) as fault:
        await stream.write(packets.error(str(fault)))


def _job(path: Path, version: int, limits: Limits) -> dict[str, Any]:
    return {
        "job": "fetch",
        "repository": str(path),
        "version": 2 if version == 2 else 0,
        "knows_boundary": False,
        "hidden": list(limits.hidden_refs),
        "memory_bytes": limits.check_memory_bytes,
        "cpu_s": limits.check_cpu_s,
        "wall_s": limits.fetch_s,
    }


async def _answer(jobs: Jobs, request: dict[str, Any], payload: bytes) -> AsyncGenerator[bytes]:
    async with jobs.job(request, payload) as job:
        try:
            async for part in job.output():
                yield part
        except (JobFailed, JobDied) as error:
            # In the middle of a pack git takes no packet of ours but this one.
            yield packets.encode(b"\x03" + f"fetch failed: {error}\n".encode())
