"""A service is kept running, said to be ready by itself, and given up at its start by count."""

import asyncio
import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from paas.supervisor import service
from paas.supervisor.service import Running, Service, keep

SERVES = """
import os, signal, sys
open(sys.argv[1], "a").write(f"{os.getpid()}\\n")
os.write(int(os.environ["PAAS_READY_FD"]), b"1")
signal.pause()
"""
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + SERVES


def _service(code: str, *arguments: str) -> Running:
    command = [sys.executable, "-c", code, *arguments]
    return Running(Service("test", command, {"PATH": os.environ["PATH"]}))


def _kept(
    running: Running, story: Callable[[list[str]], Awaitable[None]], timeout_s: float = 60
) -> list[str]:
    """What was said while the story was told; the service is stopped afterwards."""
    said: list[str] = []

    async def whole() -> None:
        keeper = asyncio.create_task(keep(running, said.append))
        try:
            await asyncio.wait_for(story(said), timeout_s)
        finally:
            running.stop.set()
            await asyncio.wait_for(keeper, 60)

    asyncio.run(whole())
    return said


def _pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().splitlines()]


def test_a_process_that_is_killed_is_started_again(tmp_path: Path) -> None:
    running = _service(SERVES, str(tmp_path / "pids"))

    async def story(_said: list[str]) -> None:
        await running.ready.wait()
        running.ready.clear()
        os.kill(_pids(tmp_path / "pids")[0], signal.SIGKILL)
        await running.ready.wait()

    said = _kept(running, story)
    pids = _pids(tmp_path / "pids")
    assert len(pids) == 2 and not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert "test ended: signal SIGKILL" in said[0]
    assert not running.failed.is_set()


def test_one_that_never_serves_is_given_up_by_count() -> None:
    running = _service("raise SystemExit(3)")

    async def story(_said: list[str]) -> None:
        await running.failed.wait()

    said = _kept(running, story)
    assert len(said) == service.ATTEMPTS_MAX
    assert "status 3" in said[0]


def test_a_program_that_is_not_there_counts_as_an_end() -> None:
    running = Running(Service("test", ["/nowhere/program"], {}))

    async def story(_said: list[str]) -> None:
        await running.failed.wait()

    gc.collect()  # what other tests left open
    before = len(list(Path("/proc/self/fd").iterdir()))
    said = _kept(running, story)
    assert "No such file" in said[0]
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_one_that_does_not_heed_sigterm_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = _service(DEAF, str(tmp_path / "pids"))
    usual_s = service.STOP_TIMEOUT_S
    monkeypatch.setattr(service, "STOP_TIMEOUT_S", 0.3)

    async def story(_said: list[str]) -> None:
        await running.ready.wait()

    started = time.monotonic()
    _kept(running, story)
    assert time.monotonic() - started < usual_s
    assert not Path(f"/proc/{_pids(tmp_path / 'pids')[0]}").exists()


def test_an_adopted_process_is_left_alone_until_it_ends_and_then_replaced(tmp_path: Path) -> None:
    running = _service(SERVES, str(tmp_path / "pids"))

    async def story(said: list[str]) -> None:
        assert running.ready.is_set()
        await asyncio.to_thread(assert_lives, other)
        running.ready.clear()
        os.kill(other.pid, signal.SIGKILL)
        await running.ready.wait()
        assert "test ended" in said[0]

    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as other:
        running.adopt(other.pid)
        _kept(running, story)
    assert len(_pids(tmp_path / "pids")) == 1


def assert_lives(other: "subprocess.Popen[bytes]") -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(0.2)


def test_an_adopted_process_is_ended_with_the_service(tmp_path: Path) -> None:
    running = _service(SERVES, str(tmp_path / "pids"))

    async def story(_said: list[str]) -> None:
        running.stop.set()

    with subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"]) as other:
        running.adopt(other.pid)
        assert _kept(running, story) == []
        assert other.wait(60) == -signal.SIGTERM
    assert not (tmp_path / "pids").exists()
