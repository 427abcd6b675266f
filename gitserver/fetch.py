"""`git-upload-pack`: hands the request to a child process and the answer to the client."""

from pathlib import Path

from gitserver.faults import Fault
from gitserver.interface import Limits
from gitserver.jobs import JobDied, JobFailed, Jobs
from gitserver.protocol import packets
from gitserver.protocol.exchange import Exchange

RESULT_TYPE = "application/x-git-upload-pack-result"


async def fetch(jobs: Jobs, exchange: Exchange, path: Path, limits: Limits) -> None:
    """Answers one request; the pack streams at the client's pace."""
    try:
        payload = await exchange.read_all(limits.fetch_request_bytes)
    except Fault as fault:
        await exchange.respond(200, RESULT_TYPE, packets.error(str(fault)))
        return
    request = {
        "job": "fetch",
        "repository": str(path),
        "version": 2 if exchange.protocol_version == 2 else 0,
        "hidden": list(limits.hidden_refs),
        "memory_bytes": limits.check_memory_bytes,
        "cpu_s": limits.check_cpu_s,
        "wall_s": limits.fetch_s,
    }
    await exchange.start(200, RESULT_TYPE)
    async with jobs.job(request, payload) as job:
        try:
            async for part in job.output():
                await exchange.write(part)
        except (JobFailed, JobDied) as error:
            # In the middle of a pack git takes no packet of ours but this one.
            await exchange.write(packets.encode(b"\x03" + f"fetch failed: {error}\n".encode()))
    await exchange.write(b"", more=False)
