"""Crons in the database, and what became of their due times.

The result of a run is written with the run's row, in one transaction, and is finished in that in
which the row goes (`paas.runs.one_off`).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps import crons as rules
from paas.apps import schedules
from paas.apps.crons import UNDER_WAY, Cron, Given, Missed, Outcome, Result
from paas.errors import NotFound, UserError
from paas.store.sql.row import new_id
from paas.store.sql.schema import cron_results, crons


def for_app(connection: Connection, app_id: str) -> list[Cron]:
    """By name."""
    return _select(connection, crons.c.app_id == app_id)


def by_id(connection: Connection, id: str) -> Cron | None:
    return next(iter(_select(connection, crons.c.id == id)), None)


def named(connection: Connection, app_id: str, name: str) -> Cron:
    """By name or id. Raises NotFound."""
    wanted = sa.or_(crons.c.name == name, crons.c.id == name)
    found = _select(connection, sa.and_(crons.c.app_id == app_id, wanted))
    if not found:
        raise NotFound(f"There is no cron {name[:40]!r}.", "`paas cron` lists them.")
    return found[0]


def waiting(connection: Connection) -> list[Cron]:
    """Of all apps, those that are not paused."""
    return _select(connection, crons.c.next_at.is_not(None))


def add(connection: Connection, app_id: str, given: Given, moment: datetime) -> Cron:
    """One that is added by hand. Raises UserError."""
    mine = for_app(connection, app_id)
    rules.check_count(len(mine) + 1)
    if given.name in {each.name for each in mine}:
        raise UserError(
            "conflict",
            f"The app has a cron {given.name} already.",
            f"Choose another with --name, or: paas cron:remove {given.name}",
        )
    return _insert(connection, app_id, given, moment, declared=False)


def declare(connection: Connection, app_id: str, given: Sequence[Given], moment: datetime) -> None:
    """What app.json has takes the place of what it had; pauses and times of what is the same stay.

    One of the same name that was added by hand becomes the file's.
    """
    mine = {each.name: each for each in for_app(connection, app_id)}
    wanted = {each.name: each for each in given}
    for name, cron in mine.items():
        if cron.declared and name not in wanted:
            delete(connection, cron.id)
    for name, each in wanted.items():
        if name not in mine:
            _insert(connection, app_id, each, moment, declared=True)
            continue
        old = mine[name]
        new = replace(old, **vars(each), declared=True)
        if (new.schedule, new.timezone) != (old.schedule, old.timezone):
            new = _planned(new, moment)
        _update(connection, new)


def set_paused(connection: Connection, cron: Cron, paused: bool, moment: datetime) -> Cron:
    """Times that pass meanwhile are not missed: nobody waits for them."""
    if cron.paused == paused:
        return cron
    return _update(connection, _planned(replace(cron, paused=paused), moment))


def plan(connection: Connection, cron: Cron, next_at: datetime | None, moment: datetime) -> None:
    _update(connection, replace(cron, next_at=next_at, planned_at=moment))


def delete(connection: Connection, id: str) -> None:
    connection.execute(sa.delete(crons).where(crons.c.id == id))


def record(connection: Connection, result: Result) -> Result:
    """The oldest of more than are kept goes."""
    connection.execute(sa.insert(cron_results).values(vars(result)))
    over = sa.and_(
        cron_results.c.cron_id == result.cron_id, cron_results.c.outcome.not_in(UNDER_WAY)
    )
    kept = (
        sa.select(cron_results.c.id)
        .where(over)
        .order_by(cron_results.c.due_at.desc())
        .limit(rules.RESULTS_KEPT)
    )
    statement = sa.delete(cron_results).where(over, cron_results.c.id.not_in(kept))
    connection.execute(statement)
    return result


def results(connection: Connection, cron_id: str, most: int = rules.RESULTS_KEPT) -> list[Result]:
    """The newest first."""
    statement = sa.select(cron_results).where(cron_results.c.cron_id == cron_id)
    order = (cron_results.c.due_at.desc(), cron_results.c.count)
    return [_result(row) for row in connection.execute(statement.order_by(*order).limit(most))]


def under_way(connection: Connection, cron_id: str | None = None) -> list[Result]:
    """Runs that have not ended, the oldest first; of all crons where none is named."""
    statement = sa.select(cron_results).where(cron_results.c.outcome.in_(UNDER_WAY))
    if cron_id is not None:
        statement = statement.where(cron_results.c.cron_id == cron_id)
    return [_result(row) for row in connection.execute(statement.order_by(cron_results.c.due_at))]


def set_running(connection: Connection, id: str) -> None:
    mine = sa.and_(cron_results.c.id == id, cron_results.c.outcome == Outcome.STARTING)
    connection.execute(sa.update(cron_results).where(mine).values(outcome=Outcome.RUNNING))


def finish(
    connection: Connection, id: str, outcome: Outcome, said: str, status: int | None, at: datetime
) -> None:
    """Of a run that is no cron's, or whose cron is gone, there is none: that is fine."""
    values = {"outcome": outcome, "said": said, "exit_status": status, "ended_at": at}
    mine = sa.and_(cron_results.c.id == id, cron_results.c.outcome.in_(UNDER_WAY))
    connection.execute(sa.update(cron_results).where(mine).values(values))


def _insert(
    connection: Connection, app_id: str, given: Given, moment: datetime, *, declared: bool
) -> Cron:
    cron = Cron(
        id=new_id(),
        app_id=app_id,
        **vars(given),
        declared=declared,
        paused=False,
        created_at=moment,
        planned_at=moment,
        next_at=None,
    )
    cron = _planned(cron, moment)
    connection.execute(sa.insert(crons).values(vars(cron)))
    return cron


def _planned(cron: Cron, moment: datetime) -> Cron:
    found = None if cron.paused else schedules.next_after(cron.schedule, cron.timezone, moment)
    return replace(cron, next_at=found, planned_at=moment)


def _update(connection: Connection, cron: Cron) -> Cron:
    connection.execute(sa.update(crons).where(crons.c.id == cron.id).values(vars(cron)))
    return cron


def _select(connection: Connection, condition: sa.ColumnElement[bool]) -> list[Cron]:
    rows = connection.execute(sa.select(crons).where(condition).order_by(crons.c.name))
    return [Cron(**{**row._mapping, "missed": Missed(row.missed)}) for row in rows]


def _result(row: sa.Row[Any]) -> Result:
    return Result(**{**row._mapping, "outcome": Outcome(row.outcome)})
