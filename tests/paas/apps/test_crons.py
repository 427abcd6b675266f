"""What is done when: due, missed, a clock that jumps. And names."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.apps import crons
from paas.apps.crons import Cron, Decision, Missed
from paas.errors import UserError

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def cron(**values: Any) -> Cron:
    known: dict[str, Any] = {
        "id": "c", "app_id": "a", "name": "job", "schedule": "*/10 * * * *", "timezone": "UTC",
        "command": "x", "package": "standard-512m", "time_limit_s": 60, "overlap": False,
        "missed": Missed.SKIP, "declared": False, "paused": False, "created_at": NOON - HOUR,
        "planned_at": NOON - HOUR, "next_at": NOON,
    }  # fmt: skip
    return Cron(**{**known, **values})


def test_nothing_is_done_before_its_time_or_while_it_is_paused() -> None:
    assert crons.decide(cron(), NOON - timedelta(seconds=1)) is None
    assert crons.decide(cron(next_at=None), NOON) is None


@pytest.mark.parametrize("late_s", [0, 1, 59, 60])
@pytest.mark.parametrize("missed", Missed)
def test_a_run_that_is_a_little_late_is_on_time(missed: Missed, late_s: int) -> None:
    moment = NOON + timedelta(seconds=late_s)
    assert crons.decide(cron(missed=missed), moment) == Decision(NOON + 10 * MINUTE, NOON)


def test_what_was_missed_is_left_out_or_made_up_for_once() -> None:
    moment = NOON + 25 * MINUTE
    found = crons.decide(cron(), moment)
    last = NOON + 20 * MINUTE
    assert found == Decision(NOON + 30 * MINUTE, None, (NOON, last, 3))
    found = crons.decide(cron(missed=Missed.ONCE), moment)
    assert found == Decision(NOON + 30 * MINUTE, last, (NOON, NOON + 10 * MINUTE, 2))


def test_a_long_time_is_counted_up_to_a_bound() -> None:
    found = crons.decide(cron(schedule="* * * * *"), NOON + timedelta(days=400, seconds=30))
    assert found and found.missed and found.missed[2] == crons.MISSED_COUNTED_MAX
    assert found.run_for == NOON + timedelta(days=400)


def test_a_clock_that_goes_back_repeats_nothing_unless_it_was_wrong() -> None:
    ran = cron(planned_at=NOON, next_at=NOON + 10 * MINUTE)
    assert crons.decide(ran, NOON - 2 * HOUR) is None
    found = crons.decide(ran, NOON - 24 * HOUR)
    assert found == Decision(NOON - 24 * HOUR + 10 * MINUTE, clock_went_back=True)


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=40), st.sampled_from(Missed))
def test_each_time_is_dealt_with_once_whenever_one_looks(steps: list[int], missed: Missed) -> None:
    one, moment = cron(missed=missed), NOON
    dealt: list[int] = []
    ran: list[datetime] = []
    for step in steps:
        moment += timedelta(seconds=step)
        decision = crons.decide(one, moment)
        if decision is None:
            continue
        dealt.append((decision.missed[2] if decision.missed else 0) + bool(decision.run_for))
        ran += [decision.run_for] if decision.run_for else []
        one = cron(missed=missed, planned_at=moment, next_at=decision.next_at)
    assert sum(dealt) == int((moment - NOON) / (10 * MINUTE)) + 1 if dealt else moment < NOON
    assert ran == sorted(set(ran))


def test_names_are_made_of_the_command() -> None:
    assert crons.name_of("node jobs/report.js --all", []) == "node-jobs-report-js-all"
    assert crons.name_of("node job.js", ["node-job-js"]) == "node-job-js-2"
    assert crons.name_of("./x", []) == "x" and crons.name_of("123 !", []) == "cron"
    long = crons.name_of("y" * 99, [])
    again = crons.name_of("y" * 99, [long])
    for name in (long, again, crons.name_of("node job.js", [])):
        assert crons.check_name(name) == name


@pytest.mark.parametrize("name", ["", "A", "1", "a.b", "a_b", "a" * 31, "-a", "a\n"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="can't name a cron"):
        crons.check_name(name)
