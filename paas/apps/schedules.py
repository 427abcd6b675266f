"""When something is due: cron's five fields, in a time zone. Pure.

The times are those of Debian's cron(8), by cronsim: a fixed time that the clocks skip in spring
comes right after the gap, one that they repeat in autumn comes once, the first time; what has `*`
in its minutes or hours goes by the time that has passed.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from paas.errors import UserError

DEFAULT_ZONE = "UTC"
EXPRESSION_CHARACTERS_MAX = 200
NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""crontab(5)'s words; `@reboot` is none of a platform's."""
_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}")
_NO_ZONES = ("posix", "right", "localtime", "posixrules", "Factory")
"""Files beside the zones: other countings of seconds, and the host's own zone."""


def check(text: str) -> str:
    """With single spaces. Raises UserError."""
    found = " ".join(text.split())
    if found.lower() in NAMED:
        return found.lower()
    if len(found) > EXPRESSION_CHARACTERS_MAX or len(found.split(" ")) != 5:
        raise _wrong(found, "cron has five fields: minute, hour, day of month, month, day of week.")
    try:
        next(CronSim(found, datetime(2024, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        what = str(error).removeprefix("Bad ")
        raise _wrong(found, f"its {what} can't be.") from error
    except StopIteration as error:
        raise _wrong(found, "no day is like that.") from error
    return found


def check_zone(name: str) -> str:
    """A name of the IANA time zone database. Raises UserError."""
    if _ZONE.fullmatch(name) and name.partition("/")[0] not in _NO_ZONES:
        try:
            return ZoneInfo(name).key
        except (OSError, ValueError, KeyError):
            pass
    raise UserError(
        "invalid_params",
        f"{name[:60]!r} is no time zone.",
        "Name one as the IANA has it: UTC, Europe/Berlin, America/New_York.",
    )


def after(schedule: str, zone: str, moment: datetime) -> Iterator[datetime]:
    """The due times later than `moment`, in UTC and in order; there may be an end."""
    expression = NAMED.get(schedule, schedule)
    last = moment.astimezone(UTC)
    for found in CronSim(expression, moment.astimezone(ZoneInfo(zone))):
        due = found.astimezone(UTC)
        # Of an hour that the clocks repeat, cronsim names the first pass also during the second.
        if due > last:
            last = due
            yield due


def next_after(schedule: str, zone: str, moment: datetime) -> datetime | None:
    return next(after(schedule, zone, moment), None)


def between(schedule: str, zone: str, first: datetime, last: datetime, most: int) -> list[datetime]:
    """Those from `first` to `last`, both included; the oldest `most`."""
    found = []
    for due in islice(after(schedule, zone, first - timedelta(seconds=1)), most):
        if due > last:
            break
        found.append(due)
    return found


def _wrong(text: str, why: str) -> UserError:
    hint = 'Write e.g. "*/5 * * * *", "30 4 * * mon-fri" or @daily.'
    return UserError("invalid_params", f"{text[:80]!r} is no schedule: {why}", hint)
