"""`run(story)`: a story told in a world of its own, with a real router that the session shares."""

import asyncio
import os
import select
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.paas.provisioner.world import Run, Story

STORY_TIMEOUT_S = 90.0
READY_TIMEOUT_S = 60.0


@pytest.fixture(scope="session")
def router() -> Iterator[Path]:
    """The control socket of a router with one worker."""
    folder = Path(tempfile.mkdtemp(prefix="router-"))
    command = [sys.executable, "-m", "router.keeper", "--workers", "1"]
    command += ["--control-socket", str(folder / "socket"), "--table", str(folder / "table.json")]
    command += ["--log-folder", str(folder), "--listen", "127.0.0.1:0", "--drain-limit", "1"]
    reading, writing = os.pipe()
    environment = os.environ | {"PAAS_READY_FD": str(writing)}
    with subprocess.Popen(command, env=environment, pass_fds=[writing]) as process:
        os.close(writing)
        try:
            assert select.select([reading], [], [], READY_TIMEOUT_S)[0], "the router hangs"
            assert os.read(reading, 1), "the router did not start"
            yield folder / "socket"
        finally:
            os.close(reading)
            process.terminate()
            process.wait(30)
            shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    """Short enough for the names of sockets."""
    path = Path(tempfile.mkdtemp(prefix="paas-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def run(folder: Path, router: Path) -> "Run":
    """`run(story, …)` gives what the story returns; keyword arguments are settings."""

    # Only who tells a story needs all of the control process.
    from tests.paas.provisioner.world import world

    def tell(story: "Story", **settings: Any) -> Any:
        async def whole() -> Any:
            async with world(folder, settings.pop("router", router), **settings) as here:
                return await asyncio.wait_for(story(here), STORY_TIMEOUT_S)

        return asyncio.run(whole())

    return tell
