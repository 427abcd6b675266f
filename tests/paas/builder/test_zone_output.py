"""A command's output comes line by line, through a pipe whose descriptor is closed once."""

import asyncio
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from paas.builder.zone import _output

Run = Callable[[Coroutine[Any, Any, Any]], Any]


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
