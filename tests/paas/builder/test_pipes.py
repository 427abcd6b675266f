"""A command's output is read from a pipe whose descriptor is closed once, under either loop."""

import ast
import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from paas.builder import pipes
from paas.builder.zone import _output

Run = Callable[[Coroutine[Any, Any, Any]], Any]
ROOT = Path(__file__).parents[3]


def open_descriptors() -> set[str]:
    return {link.name for link in Path("/proc/self/fd").iterdir()}


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_lines_come_whole_and_no_descriptor_stays(run: Run) -> None:
    lines: list[str] = []

    async def line(text: str) -> None:
        lines.append(text)

    async def story() -> set[str]:
        await asyncio.sleep(0)
        before = open_descriptors()
        async with _output(line) as writing:
            os.write(writing, b"one\ntw")
            await asyncio.sleep(0)
            os.write(writing, "o\r\nthree\rlä".encode()[:-1])
            os.write(writing, "ä".encode()[1:] + b"st")
        return open_descriptors() - before

    assert run(story()) == set()
    assert lines == ["one", "two", "three", "läst"]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_reading_waits_for_what_comes_and_ends_with_the_writer(run: Run) -> None:
    async def story() -> list[bytes]:
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        try:
            waiting = asyncio.create_task(pipes.read(reading, 100))
            await asyncio.sleep(0)
            assert not waiting.done()
            os.write(writing, b"late")
            first = await waiting
            os.close(writing)
            return [first, await pipes.read(reading, 100)]
        finally:
            os.close(reading)

    assert run(story()) == [b"late", b""]


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_one_that_is_cancelled_lets_go(run: Run) -> None:
    async def line(_: str) -> None: ...

    async def hold() -> None:
        async with _output(line):
            await asyncio.Event().wait()

    async def story() -> set[str]:
        await asyncio.sleep(0)
        before = open_descriptors()
        task = asyncio.create_task(hold())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        return open_descriptors() - before

    assert run(story()) == set()


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
