"""What the node tells the router: of every machine on each connection, then what changes."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paas.node.server.notices import Notices
from router.wire import frames

Heard = list[tuple[str, bool]]


class Keeper:
    """Stands for the router's keeper; `heard` is what came on each connection."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.heard: list[Heard] = []
        self._news = asyncio.Event()
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self) -> None:
        await asyncio.start_unix_server(self._talk, self.socket)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard: Heard = []
        self.heard.append(heard)
        self._writers.append(writer)
        with contextlib.suppress(ConnectionError, frames.FrameError):
            while (message := await frames.read(reader)) is not None:
                heard.append((message["machine"], message["up"]))
                writer.write(frames.encode({"type": "noted"}))
                self._news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            await self._news.wait()
            self._news.clear()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()


def run(story: Callable[[Keeper, Notices], Any], socket: Path) -> None:
    async def work() -> None:
        keeper = Keeper(socket)
        await keeper.serve()
        notices = Notices(socket)
        task = asyncio.create_task(notices.run())
        try:
            async with asyncio.timeout(30):
                await story(keeper, notices)
        finally:
            task.cancel()

    asyncio.run(work())


def test_each_change_is_told_once(tmp_path: Path) -> None:
    async def story(keeper: Keeper, notices: Notices) -> None:
        notices.tell("a", True)
        notices.tell("a", True)
        await keeper.until(lambda: keeper.heard == [[("a", True)]])
        notices.tell("a", False)
        notices.tell("b", False)
        await keeper.until(lambda: keeper.heard == [[("a", True), ("a", False), ("b", False)]])

    run(story, tmp_path / "keeper")


def test_a_keeper_that_comes_back_hears_also_which_machines_are_down(tmp_path: Path) -> None:
    async def story(keeper: Keeper, notices: Notices) -> None:
        for machine, up in (("a", True), ("b", False), ("c", True)):
            notices.tell(machine, up)
        await keeper.until(lambda: sum(map(len, keeper.heard)) == 3)
        notices.forget("c")
        await keeper.until(lambda: sum(map(len, keeper.heard)) == 4)
        keeper.hang_up()
        await keeper.until(lambda: len(keeper.heard) == 2 and len(keeper.heard[1]) == 2)
        assert sorted(keeper.heard[1]) == [("a", True), ("b", False)]

    run(story, tmp_path / "keeper")
