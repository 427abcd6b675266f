"""Which logs of machines go, and that a log which conmon replaced stays control's to read."""

import asyncio
import os
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from paas.node.machines import log
from paas.node.zone import logs
from paas.node.zone.logs import Left


def test_a_log_goes_a_week_after_its_machine(tmp_path: Path) -> None:
    day_s = 86400
    for name, days in (("old", 8), ("new", 6), ("alive", 30)):
        path = tmp_path / f"{name}.log"
        path.write_text("words")
        os.utime(path, (time.time() - days * day_s,) * 2)
    assert logs.prune(tmp_path, {"alive"}) == [tmp_path / "old.log"]
    assert {path.name for path in tmp_path.iterdir()} == {"new.log", "alive.log"}
    log.end(tmp_path / "alive.log")
    assert logs.prune(tmp_path, set()) == []


@given(st.lists(st.tuples(st.floats(0, 1000), st.integers(0, 500)), max_size=20))
def test_the_newest_are_kept_within_the_bound(sizes: list[tuple[float, int]]) -> None:
    left = [Left(Path(str(number)), *item) for number, item in enumerate(sizes)]
    gone = set(logs.surplus(left, 1000, keep_s=600, keep_bytes=1000))
    kept = [item for item in left if item.path not in gone]
    assert sum(item.size_bytes for item in kept) <= 1000
    assert all(1000 - item.ended_s <= 600 for item in kept)
    oldest_s = min((item.ended_s for item in kept), default=1000)
    for item in left:
        if item.path in gone and 1000 - item.ended_s <= 600:
            assert item.ended_s <= oldest_s


def test_a_log_at_its_bound_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "m.log"
    path.write_bytes(b"x" * 8192)
    logs.begin(path)
    assert path.stat().st_size == 8192
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, logs.LOG_BYTES_MAX)
    logs.begin(path)
    assert path.stat().st_size == 0


def test_a_replaced_log_is_told_of(tmp_path: Path) -> None:
    async def story() -> None:
        seen: asyncio.Queue[Path] = asyncio.Queue()
        watch = logs.Watch(tmp_path, seen.put_nowait)
        try:
            for name in ("a.log", "b.log"):
                (tmp_path / f"{name}.tmp").touch()
                (tmp_path / f"{name}.tmp").rename(tmp_path / name)
            found = [await asyncio.wait_for(seen.get(), 30) for _ in range(2)]
            assert found == [tmp_path / "a.log", tmp_path / "b.log"]
        finally:
            watch.close()

    asyncio.run(story())
