"""Due times: beside croniter's in UTC, and where clocks change as Debian's cron(8) has it."""

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from paas.apps import schedules
from paas.errors import UserError

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def times(schedule: str, zone: str, start: str, count: int) -> list[str]:
    moment = datetime.fromisoformat(start).replace(tzinfo=UTC)
    return [f"{due:%m-%d %H:%M}" for due in islice(schedules.after(schedule, zone, moment), count)]


def field(low: int, high: int) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    # Of a range with one day of the week croniter makes the whole week.
    pairs = st.tuples(number, number).filter(lambda pair: pair[0] < pair[1])
    span = pairs.map(lambda pair: f"{pair[0]}-{pair[1]}")
    listed = st.lists(st.one_of(number.map(str), span), min_size=1, max_size=3).map(",".join)
    stepped = st.tuples(span, st.integers(1, 9)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.one_of(st.just("*"), number.map(str), listed, stepped)


@given(
    fields=st.tuples(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 6)),
    offset_s=st.integers(0, 400 * 86400),
)
def test_times_are_those_of_croniter(fields: tuple[str, ...], offset_s: int) -> None:
    moment = NOON + timedelta(seconds=offset_s)
    text = schedules.check(" ".join(fields))
    ours = list(islice(schedules.after(text, "UTC", moment), 5))
    theirs = croniter(text, moment)
    assert ours == [theirs.get_next(datetime) for _ in ours]


@pytest.mark.parametrize(
    ("schedule", "start", "expected"),
    [
        # Berlin, 29 March 2026: 02:00 becomes 03:00 (01:00 UTC).
        ("30 2 * * *", "2026-03-28T12:00", ["03-29 01:00", "03-30 00:30"]),
        ("0 3 * * *", "2026-03-28T12:00", ["03-29 01:00", "03-30 01:00"]),
        ("*/30 * * * *", "2026-03-29T00:20", ["03-29 00:30", "03-29 01:00", "03-29 01:30"]),
        # 25 October 2026: 03:00 becomes 02:00 (01:00 UTC); 02:30 is there twice.
        ("30 2 * * *", "2026-10-24T12:00", ["10-25 00:30", "10-26 01:30"]),
        ("30 2 * * *", "2026-10-25T00:30", ["10-26 01:30"]),
        ("45 2 * * *", "2026-10-25T01:15", ["10-26 01:45"]),
        ("*/30 * * * *", "2026-10-25T00:10", ["10-25 00:30", "10-25 01:00", "10-25 01:30"]),
        ("30 * * * *", "2026-10-24T23:50", ["10-25 00:30", "10-25 01:30", "10-25 02:30"]),
    ],
)
def test_clocks_that_change(schedule: str, start: str, expected: list[str]) -> None:
    assert times(schedule, "Europe/Berlin", start, len(expected)) == expected


ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]


@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    zone=st.sampled_from(ZONES),
    offset_s=st.integers(0, 730 * 86400),
)
def test_what_is_due_once_a_day_is_due_once_each_day_of_the_zones(
    minute: int, hour: int, zone: str, offset_s: int
) -> None:
    moment = NOON + timedelta(seconds=offset_s)
    found = list(islice(schedules.after(f"{minute} {hour} * * *", zone, moment), 8))
    days = [due.astimezone(ZoneInfo(zone)).date() for due in found]
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
    assert all(due > moment for due in found) and found == sorted(set(found))


@given(zone=st.sampled_from(ZONES), offset_s=st.integers(0, 730 * 86400), step=st.integers(1, 30))
def test_the_next_time_does_not_depend_on_when_one_asks(
    zone: str, offset_s: int, step: int
) -> None:
    moment = NOON + timedelta(seconds=offset_s)
    text = f"*/{step} 1-3 * * *"
    first, second = islice(schedules.after(text, zone, moment), 2)
    assert schedules.next_after(text, zone, first - timedelta(seconds=1)) == first
    assert schedules.next_after(text, zone, first) == second


@pytest.mark.parametrize(
    "text",
    [
        *("", "x", "* * * *", "* * * * * *", "60 * * * *", "*/0 * * * *", "0 0 30 2 *", "@reboot"),
        *("5-1 * * * *", "* * * * 8", "1,,2 * * * *", "0 0 31 4 *", "٣ * * * *", "* " * 200),
    ],
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="no schedule"):
        schedules.check(text)


def test_schedules_are_written_with_single_spaces() -> None:
    assert schedules.check("  */5  *\t* * mon-fri ") == "*/5 * * * mon-fri"
    assert schedules.check("@Daily") == "@daily"
    assert times("@daily", "UTC", "2026-03-10T12:00", 1) == ["03-11 00:00"]


@pytest.mark.parametrize(
    "name", ["", "Mars/Base", "../etc/passwd", "/etc/localtime", "right/UTC", "posix/UTC", "Europe"]
)
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="no time zone"):
        schedules.check_zone(name)


def test_time_zones_are_those_of_the_iana() -> None:
    for name in ("UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+5"):
        assert schedules.check_zone(name) == name
