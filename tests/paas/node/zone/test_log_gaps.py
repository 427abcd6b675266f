"""A log loses no line and doubles none, whatever happens to the node while the zone prints."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from paas.logs import Filter
from paas.logs.files import Source
from paas.logs.tail import Tail
from tests.paas.node.conftest import RunningNode

pytestmark = pytest.mark.root

LINES = 85_000
PRINT = f"""
import sys, time
for number in range({LINES}):
    sys.stdout.write(f"{{number}} {{'x' * 950}}\\n")
    if number % 1000 == 0:
        sys.stdout.flush()
        time.sleep(0.03)
"""
PATIENCE_S = 90


async def read_all(tail: Tail, ended: asyncio.Event) -> tuple[list[int], set[int], list[str]]:
    """The numbers printed, the inodes of the files that they stood in, the platform's own lines."""
    numbers: list[int] = []
    files: set[int] = set()
    said: list[str] = []
    while not (ended.is_set() and said and said[-1].startswith("State changed")):
        lines = tail.poll()
        if tail.source.path.exists():
            files.add(tail.source.path.stat().st_ino)
        for line in lines:
            found = re.match(r"(\d+) x", line.text)
            if line.source == "app" and found:
                numbers.append(int(found[1]))
            else:
                said.append(line.text)
        await asyncio.sleep(0 if lines else 0.01)
    return numbers, files, said


def test_every_line_is_there_once_while_the_node_is_killed_and_the_log_is_replaced(
    running_node: RunningNode,
) -> None:
    async def story() -> None:
        client = running_node.client
        stack = next(
            image["uuid"]
            for image in await client.images()
            if image["tags"].get("smartplatform:variant") == "build"
        )
        once = {"docker:restartpolicy": "no", "smartplatform:port": None}
        command = {"docker:cmd": json.dumps(["python3", "-c", PRINT]), "smartplatform:stack": stack}
        payload = await running_node.payload([], metadata={**once, **command})
        uuid = payload["uuid"]
        log = Path(running_node.settings.logs / "machines" / f"{uuid}.log")
        tail, ended = Tail(Source(log, "web.1"), Filter()), asyncio.Event()
        try:
            await client.create(payload)
            reading = asyncio.create_task(read_all(tail, ended))
            for _ in range(2):
                await asyncio.to_thread(running_node.kill)
                await asyncio.sleep(0.2)
                await asyncio.to_thread(running_node.start)
            await running_node.until(uuid, lambda vm: vm["state"] == "stopped", PATIENCE_S)
            ended.set()
            numbers, files, said = await asyncio.wait_for(reading, PATIENCE_S)
            assert len(files) > 1, "the log was never replaced"
            assert numbers == list(range(LINES))
            assert said == ["Process exited with status 0", "State changed from up to complete"]
        finally:
            tail.close()
            await client.delete(uuid)

    asyncio.run(story())
