"""Crons: commands of an app that are run at set times, each in a machine of its own. Pure.

A due time is dealt with once: it is run, or a result says why it was not.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from paas.apps import schedules
from paas.errors import UserError

TYPE = "cron"
CRONS_MAX = 50
"""Of an app."""
RUNS_AT_ONCE_MAX = 10
"""Of one cron that may run several times at once."""
RESULTS_KEPT = 50
"""Of each cron."""
TIME_LIMIT_S = 3600
LATE_S = 60
"""So late a run still counts as on time: control may have been started again."""
MISSED_COUNTED_MAX = 1000
CLOCK_BACK_S = 3 * 3600
"""A clock that goes back by less is waited for, so that nothing is run twice; one that goes back
further was wrong before (cron(8) of Debian has the same three hours)."""
_NAME = re.compile(r"[a-z][a-z0-9-]{0,29}")
"""It begins with a letter: `cron.1` is an instance of a process type."""


class Missed(StrEnum):
    """What is done about times that passed while the platform was down."""

    SKIP = "skip"
    ONCE = "once"


class Outcome(StrEnum):
    STARTING = "starting"
    """Recorded; its machine may not be made yet."""
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    MISSED = "missed"


UNDER_WAY = (Outcome.STARTING, Outcome.RUNNING)


@dataclass(frozen=True)
class Cron:
    """`declared` are those that app.json has. `next_at` is the due time that comes next, None while
    it is paused; it was found at `planned_at`."""

    id: str
    app_id: str
    name: str
    schedule: str
    timezone: str
    command: str
    package: str
    time_limit_s: int
    overlap: bool
    missed: Missed
    declared: bool
    paused: bool
    created_at: datetime
    planned_at: datetime
    next_at: datetime | None

    @property
    def type(self) -> str:
        """The process type of its runs, as in `cron.nightly.1234`."""
        return f"{TYPE}.{self.name}"


@dataclass(frozen=True)
class Result:
    """What became of a due time, or of `count` of them from `due_at` on that were missed. `id` is
    the machine's where there was one, `process` its name in the log."""

    id: str
    cron_id: str
    due_at: datetime
    count: int
    process: str
    outcome: Outcome
    said: str
    started_at: datetime | None = None
    ended_at: datetime | None = None
    exit_status: int | None = None


@dataclass(frozen=True)
class Given:
    """What somebody asks for, checked."""

    name: str
    schedule: str
    timezone: str
    command: str
    package: str
    time_limit_s: int = TIME_LIMIT_S
    overlap: bool = False
    missed: Missed = Missed.SKIP


@dataclass(frozen=True)
class Decision:
    """What is to be done now: one run for `run_for`, a result for what was `missed` (first, last,
    count), and the next time. `clock_went_back`: by so much that the times were found anew."""

    next_at: datetime | None
    run_for: datetime | None = None
    missed: tuple[datetime, datetime, int] | None = None
    clock_went_back: bool = False


def decide(cron: Cron, moment: datetime) -> Decision | None:
    """None where nothing is to be done yet."""
    if cron.next_at is None:
        return None
    following = schedules.next_after(cron.schedule, cron.timezone, moment)
    if moment < cron.planned_at - timedelta(seconds=CLOCK_BACK_S):
        return Decision(following, clock_went_back=True)
    if moment < cron.next_at:
        return None
    place = (cron.schedule, cron.timezone)
    due = schedules.between(*place, cron.next_at, moment, MISSED_COUNTED_MAX)
    fresh = max(cron.next_at, moment - timedelta(seconds=LATE_S))
    on_time = schedules.between(*place, fresh, moment, MISSED_COUNTED_MAX)
    if on_time:
        run_for, missed = on_time[-1], [each for each in due if each < on_time[-1]]
    elif cron.missed is Missed.ONCE and due:
        run_for, missed = due[-1], due[:-1]
    else:
        run_for, missed = None, due
    summary = (missed[0], missed[-1], len(missed)) if missed else None
    return Decision(following, run_for, summary)


def is_too_late(cron: Cron, due_at: datetime, moment: datetime) -> bool:
    """Of a run that was recorded and never started."""
    return cron.missed is not Missed.ONCE and moment > due_at + timedelta(seconds=LATE_S)


def check_name(name: str) -> str:
    """Raises UserError."""
    if not _NAME.fullmatch(name):
        hint = "A small letter, then these, digits and dashes, 30 at most: nightly-report"
        raise UserError("invalid_params", f"{name[:40]!r} can't name a cron.", hint)
    return name


def check_missed(text: str) -> Missed:
    """Raises UserError."""
    try:
        return Missed(text)
    except ValueError as error:
        hint = "skip leaves missed times out, once makes up for all of them with one run."
        raise UserError("invalid_params", f"{text[:20]!r} is no policy.", hint) from error


def name_of(command: str, taken: Collection[str]) -> str:
    """A name made of the command's words: `node jobs/report.js` is `node-jobs-report-js`."""
    words = re.sub(r"[^a-z0-9]+", "-", command.lower()).lstrip("-0123456789")
    base = words[:30].strip("-") or TYPE
    name, number = base, 2
    while name in taken:
        name = f"{base[: 29 - len(str(number))].rstrip('-')}-{number}"
        number += 1
    return name


def check_count(count: int) -> None:
    """Of an app's crons. Raises UserError."""
    if count > CRONS_MAX:
        message = f"An app can have {CRONS_MAX} crons."
        raise UserError("conflict", message, "One command can do several things one by one.")
