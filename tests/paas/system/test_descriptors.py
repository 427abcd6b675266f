"""A descriptor is read on the event loop under either loop, and given to neither."""

import ast
import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from paas.system import descriptors

Run = Callable[[Coroutine[Any, Any, Any]], Any]
ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_reading_waits_for_what_comes_and_ends_with_the_writer(run: Run) -> None:
    async def story() -> list[bytes]:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        try:
            waiting = asyncio.create_task(descriptors.read(reading, 100))
            await asyncio.sleep(0)
            assert not waiting.done()
            os.write(writing, b"late")
            first = await waiting
            os.close(writing)
            return [first, await descriptors.read(reading, 100)]
        finally:
            os.close(reading)

    assert run(story()) == [b"late", b""]


def test_nobody_gives_a_pipe_to_uvloop() -> None:
    """It closes it twice, and the second time perhaps what a thread has opened since."""
    found = []
    for package in ("paas", "router", "gitserver"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and node.attr in (
                    "connect_read_pipe",
                    "connect_write_pipe",
                ):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []
