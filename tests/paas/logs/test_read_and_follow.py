"""Reading an app's log from its files: merged, filtered, followed, kept small."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.errors import PlatformError
from paas.logs import Filter, LogLine, append, follow, prune, read, tail
from paas.logs.files import Source
from paas.logs.merge import merge
from paas.settings import Settings

APP = "11111111-0000-0000-0000-000000000000"
WEB1 = "22222222-0000-0000-0000-000000000001"
WEB2 = "22222222-0000-0000-0000-000000000002"
MACHINES = [(WEB1, "web.1"), (WEB2, "web.2")]


@dataclass(frozen=True)
class Here(Settings):
    """An installation whose state is a temporary folder."""

    folder: Path = Path()

    @property
    def state(self) -> Path:
        return self.folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for name in ("machines", "router", "apps"):
        (tmp_path / "logs" / name).mkdir(parents=True)
    return Here(installation="test-logs", folder=tmp_path)


def stamp(second: float) -> str:
    return datetime.fromtimestamp(1_700_000_000 + second, UTC).isoformat()


def say(settings: Settings, machine: str, second: float, text: str, kind: str = "F") -> None:
    with (settings.logs / "machines" / f"{machine}.log").open("a") as file:
        file.write(f"{stamp(second)} stdout {kind} {text}\n")


def route(settings: Settings, second: float, text: str) -> None:
    with (settings.logs / "router" / f"{APP}.log").open("a") as file:
        file.write(f"{stamp(second)} heroku[router]: {text}\n")


def texts(lines: list[LogLine]) -> list[str]:
    return [f"{line.source}[{line.process}] {line.text}" for line in lines]


def test_lines_of_all_files_are_merged_by_time(settings: Settings) -> None:
    say(settings, WEB1, 1, "first")
    say(settings, WEB2, 2, "second")
    route(settings, 3, "at=info")
    append(settings, APP, "app", "api", "Release v1 created", time_ns=1_700_000_000 * 10**9)
    say(settings, WEB1, 4, "last")
    assert texts(read(settings, APP, MACHINES)) == [
        "app[api] Release v1 created",
        "app[web.1] first",
        "app[web.2] second",
        "heroku[router] at=info",
        "app[web.1] last",
    ]
    assert texts(read(settings, APP, MACHINES, 2)) == ["heroku[router] at=info", "app[web.1] last"]
    assert read(settings, APP, MACHINES, 0) == []


def test_filters_choose_source_type_and_instance(settings: Settings) -> None:
    say(settings, WEB1, 1, "one")
    say(settings, WEB2, 2, "two")
    route(settings, 3, "at=info")
    assert texts(read(settings, APP, MACHINES, only=Filter("heroku"))) == ["heroku[router] at=info"]
    assert len(read(settings, APP, MACHINES, only=Filter("app", "web"))) == 2
    assert texts(read(settings, APP, MACHINES, only=Filter(process="web.2"))) == ["app[web.2] two"]


def test_a_filter_finds_lines_far_back_in_a_file(settings: Settings) -> None:
    append(settings, APP, "heroku", "web.1", "State changed", time_ns=10**18)
    for _ in range(40):
        append(settings, APP, "app", "api", "x" * 9000, time_ns=10**18)
    found = read(settings, APP, [], 5, Filter("heroku"))
    assert texts(found) == ["heroku[web.1] State changed"]


def test_the_end_of_a_big_file_is_read_without_its_beginning(settings: Settings) -> None:
    path = settings.logs / "machines" / f"{WEB1}.log"
    with path.open("w") as file:
        for number in range(200_000):
            file.write(f"{stamp(number)} stdout F line {number}\n")
    found = read(settings, APP, [(WEB1, "web.1")], 3)
    assert [line.text for line in found] == ["line 199997", "line 199998", "line 199999"]


def test_missing_files_and_links_are_no_lines(settings: Settings, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(f"{stamp(1)} stdout F root's own\n")
    (settings.logs / "machines" / f"{WEB1}.log").symlink_to(secret)
    assert read(settings, APP, MACHINES) == []


def test_a_name_that_is_no_uuid_opens_no_file(settings: Settings) -> None:
    with pytest.raises(PlatformError):
        read(settings, "../../etc/passwd", [])


def test_what_is_appended_can_not_forge_a_line(settings: Settings) -> None:
    append(settings, APP, "app", "api", "Set A\n2026-01-01T00:00:00Z heroku[api]: forged\r\x1b[2J")
    first, second = read(settings, APP, [])
    assert first.text == "Set A"
    assert (second.source, second.process) == ("app", "api")
    assert second.text == "2026-01-01T00:00:00Z heroku[api]: forged\ufffd\ufffd[2J"


async def collect(stream: AsyncIterator[list[LogLine]], count: int) -> list[str]:
    found: list[LogLine] = []
    while len(found) < count:
        found += await asyncio.wait_for(anext(stream), 60)
    return [line.text for line in found]


def test_follow_gives_the_last_lines_then_each_new_one_once(settings: Settings) -> None:
    async def story() -> None:
        say(settings, WEB1, 1, "old")
        say(settings, WEB1, 2, "newer")
        machines = [(WEB1, "web.1")]
        async with aclosing(follow(settings, APP, lambda: machines, 1)) as stream:
            assert await collect(stream, 1) == ["newer"]
            say(settings, WEB1, 3, "half ", "P")
            say(settings, WEB1, 3, "and half")
            assert await collect(stream, 1) == ["half and half"]
            say(settings, WEB2, 4, "from the start of a new machine")
            machines[:] = [(WEB2, "web.1")]
            assert await collect(stream, 1) == ["from the start of a new machine"]
            say(settings, WEB1, 5, "last words")
            assert await collect(stream, 1) == ["last words"]

    asyncio.run(story())


def test_follow_waits_for_the_end_of_a_line(settings: Settings) -> None:
    async def story() -> None:
        path = settings.logs / "machines" / f"{WEB1}.log"
        path.write_text(f"{stamp(1)} stdout F wh")
        async with aclosing(follow(settings, APP, lambda: MACHINES, 10)) as stream:
            assert await asyncio.wait_for(anext(stream), 10) == []
            with path.open("a") as file:
                file.write("ole\n")
            assert await collect(stream, 1) == ["whole"]

    asyncio.run(story())


def test_follow_goes_on_in_a_file_that_was_replaced_or_truncated(settings: Settings) -> None:
    async def story() -> None:
        path = settings.logs / "machines" / f"{WEB1}.log"
        say(settings, WEB1, 1, "before")
        async with aclosing(follow(settings, APP, lambda: MACHINES, 10)) as stream:
            assert await collect(stream, 1) == ["before"]
            say(settings, WEB1, 2, "at the end of the old file")
            path.rename(path.with_suffix(".1"))
            say(settings, WEB1, 3, "in the new file")
            assert await collect(stream, 2) == ["at the end of the old file", "in the new file"]
            os.truncate(path, 0)
            say(settings, WEB1, 4, "short")
            assert await collect(stream, 1) == ["short"]

    asyncio.run(story())


def test_what_is_written_just_before_a_file_is_replaced_is_read(settings: Settings) -> None:
    path = settings.logs / "machines" / f"{WEB1}.log"

    class Watched(tail.Tail):
        """Its file is written to once more and replaced while it looks."""

        def _is_replaced(self, descriptor: int) -> bool:
            if not path.with_suffix(".1").exists():
                say(settings, WEB1, 2, "late, ")
                say(settings, WEB1, 2, "half ", "P")
                path.rename(path.with_suffix(".1"))
                say(settings, WEB1, 3, "a line")
            return super()._is_replaced(descriptor)

    say(settings, WEB1, 1, "early, ")
    watched = Watched(Source(path, "web.1"), Filter())
    try:
        found = [line.text for _ in range(4) for line in watched.poll()]
    finally:
        watched.close()
    assert found == ["early, ", "late, ", "half a line"]


def test_a_reader_far_behind_is_told_what_it_lost(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BEHIND_BYTES_MAX", 1000)
    monkeypatch.setattr(tail, "READ_BYTES_MAX", 500)

    async def story() -> None:
        async with aclosing(follow(settings, APP, lambda: MACHINES, 0)) as stream:
            assert await asyncio.wait_for(anext(stream), 10) == []
            for number in range(100):
                say(settings, WEB1, number, f"flood {number}")
            found = await collect(stream, 2)
            assert any("L10" in text for text in found)
            assert found[-1] == "flood 99"

    asyncio.run(story())


def test_prune_shortens_big_files_and_removes_those_of_nobody(settings: Settings) -> None:
    old = settings.logs / "machines" / f"{WEB2}.log"
    say(settings, WEB2, 1, "gone")
    os.utime(old, (0, 0))
    for number in range(20_000):
        route(settings, number, f"request {number} " + "x" * 50)
    other = settings.logs / "apps" / "99999999-0000-0000-0000-000000000000.log"
    other.write_text("")
    pruned = prune(settings, [WEB1], [APP], keep_bytes=64 * 1024)
    assert set(pruned.removed) == {old, other}
    kept = settings.logs / "router" / f"{APP}.log"
    assert pruned.freed_bytes > 1_000_000
    assert kept.stat().st_blocks * 512 < 200_000
    found = read(settings, APP, MACHINES, 100_000)
    assert found[-1].text.startswith("request 19999 ")
    numbers = [int(line.text.split()[1]) for line in found]
    assert numbers == list(range(numbers[0], 20_000))
    route(settings, 30_000, "after")
    assert read(settings, APP, MACHINES, 1)[0].text == "after"


def test_the_log_of_a_machine_outlives_it(settings: Settings) -> None:
    say(settings, WEB1, 1, "last words")
    assert prune(settings, [], [APP]).removed == ()
    assert len(read(settings, APP, MACHINES)) == 1


stamps = st.lists(st.integers(0, 50), max_size=15)


@given(st.lists(stamps, max_size=5))
def test_merging_keeps_every_line_and_the_order_in_each_file(files: list[list[int]]) -> None:
    lines = [
        [LogLine(time, "app", f"web.{number}", str(index)) for index, time in enumerate(times)]
        for number, times in enumerate(files)
    ]
    merged = merge(lines)
    assert len(merged) == sum(map(len, files))
    for number, expected in enumerate(lines):
        assert [line for line in merged if line.process == f"web.{number}"] == expected


@given(st.lists(stamps.map(sorted), max_size=5))
def test_merging_files_with_good_clocks_sorts_by_time(files: list[list[int]]) -> None:
    merged = merge([[LogLine(time, "app", "web.1", "") for time in times] for times in files])
    assert [line.time_ns for line in merged] == sorted(time for times in files for time in times)


@pytest.fixture(autouse=True)
def no_open_files() -> Iterator[None]:
    before = len(list(Path("/proc/self/fd").iterdir()))
    yield
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
