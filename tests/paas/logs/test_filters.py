"""Which lines of a log are asked for: by time, text and level."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.logs import Filter, LogLine, append, levels, read
from paas.settings import Settings

APP = "11111111-0000-0000-0000-000000000000"
SECOND = 1_000_000_000
BEGIN = int(datetime(2026, 11, 22, tzinfo=UTC).timestamp()) * SECOND


class Here(Settings):
    folder = Path()

    @property
    def state(self) -> Path:
        return self.folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = Here(installation="test-filters")
    object.__setattr__(found, "folder", tmp_path)
    return found


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ('{"level":50,"time":1,"msg":"x"}', "error"),
        ('{"level":60,"msg":"x"}', "error"),
        ('{"level":40,"msg":"level=debug"}', "warn"),
        ('{"level":10}', "debug"),
        ('{"level":"WARNING","msg":"x"}', "warn"),
        ('{"msg":"x"}', "info"),
        ("time=1 level=error msg=x", "error"),
        ('at=error code=H12 desc="x" method=GET', "error"),
        ("at=info method=GET path=/", "info"),
        ("[WARN] x", "warn"),
        ("ERROR: x", "error"),
        ("ERROR x", "error"),
        ("DEBUG x", "debug"),
        ("TypeError: x is not a function", "error"),
        ("Error: x", "error"),
        ("Error R14 (Memory quota exceeded)", "error"),
        ("GET / 200", "info"),
        ("an error that is none", "info"),
        ("", "info"),
        ("[x] level", "info"),
    ],
)
def test_levels_are_read_as_loggers_write_them(text: str, level: str) -> None:
    assert levels.LEVELS[levels.rank(text)] == level


@given(st.text(max_size=60))
def test_any_text_has_a_level(text: str) -> None:
    assert levels.rank(text) in range(len(levels.LEVELS))


TEXTS = ["GET /a", "error X", "level=warn a", "request_id=1 A", "ERROR: x"]


@given(
    lines=st.lists(st.tuples(st.integers(0, 20), st.sampled_from(TEXTS)), max_size=20),
    since=st.integers(0, 20),
    until=st.none() | st.integers(0, 20),
    texts=st.lists(st.sampled_from(["a", "x", "request_id=1"]), max_size=2),
    level=st.none() | st.sampled_from(levels.LEVELS),
)
def test_a_line_is_taken_if_it_is_all_that_is_asked(
    lines: Any, since: int, until: int | None, texts: list[str], level: str | None
) -> None:
    only = Filter(since_ns=since, until_ns=until, texts=tuple(texts), level=level)
    for time_ns, text in lines:
        taken = only.takes(LogLine(time_ns, "app", "web.1", text))
        assert taken == (
            since <= time_ns < (21 if until is None else until)
            and all(each in text.lower() for each in texts)
            and (level is None or levels.rank(text) >= levels.LEVELS.index(level))
        )


def test_rare_lines_are_found_far_back_and_no_further_than_asked(settings: Settings) -> None:
    for number in range(3_000):
        text = f"needle {number}" if number in (10, 2_000) else f"hay {number} {'x' * 60}"
        append(settings, APP, "app", "api", text, BEGIN + number * SECOND)

    def found(only: Filter, lines: int = 100) -> list[str]:
        return [line.text.split(" x")[0] for line in read(settings, APP, [], lines, only)]

    assert found(Filter(texts=("NEEDLE",))) == ["needle 10", "needle 2000"]
    since = BEGIN + 1_000 * SECOND
    assert found(Filter(texts=("needle",), since_ns=since)) == ["needle 2000"]
    last = Filter(since_ns=BEGIN + 2_998 * SECOND)
    assert found(last) == ["hay 2998", "hay 2999"]
    window = Filter(since_ns=BEGIN, until_ns=BEGIN + 3 * SECOND)
    assert found(window, 2) == ["hay 1", "hay 2"]
