"""Pipelines and who is in them, in the database."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps import pipelines as rules
from paas.apps.account import Account
from paas.apps.pipelines import Coupling, Pipeline, Stage
from paas.errors import NotFound
from paas.store import collaborators
from paas.store.sql.integrity import conflict
from paas.store.sql.row import found, new_id, now
from paas.store.sql.schema import pipeline_couplings as couplings
from paas.store.sql.schema import pipelines


def insert(connection: Connection, name: str, owner: str) -> Pipeline:
    """Raises UserError for a bad name, and for a taken one (conflict)."""
    moment = now()
    pipeline = Pipeline(new_id(), rules.check_name(name), owner, moment, moment)
    with _unique(name):
        connection.execute(sa.insert(pipelines).values(vars(pipeline)))
    return pipeline


def all(connection: Connection) -> list[Pipeline]:
    """By name."""
    rows = connection.execute(sa.select(pipelines).order_by(pipelines.c.name))
    return [Pipeline(**row._mapping) for row in rows]


def visible(connection: Connection, account: Account) -> list[Pipeline]:
    """By name: one's own, and those that have an app which one sees; all for an operator."""
    found = all(connection)
    if account.operator:
        return found
    apps = {app.id for app in collaborators.visible(connection, account)}
    shared = {each.pipeline_id for each in couplings_of(connection) if each.app_id in apps}
    return [each for each in found if each.owner == account.email or each.id in shared]


def seen(connection: Connection, account: Account, name_or_id: str) -> Pipeline:
    """By id, or by the name that it has for its owner; one's own first. Raises NotFound where the
    account sees none."""
    found = [p for p in visible(connection, account) if name_or_id in (p.id, p.name)]
    found.sort(key=lambda each: (each.id != name_or_id, each.owner != account.email))
    if not found:
        raise rules.unknown(name_or_id)
    return found[0]


def by_id(connection: Connection, id: str) -> Pipeline:
    """Raises NotFound."""
    row = connection.execute(sa.select(pipelines).where(pipelines.c.id == id)).first()
    if row is None:
        raise rules.unknown(id)
    return Pipeline(**row._mapping)


def rename(connection: Connection, id: str, name: str) -> Pipeline:
    """Raises UserError for a bad name and a taken one, NotFound."""
    values = {"name": rules.check_name(name), "updated_at": now()}
    with _unique(name):
        statement = sa.update(pipelines).where(pipelines.c.id == id).values(values)
        found(connection.execute(statement), "The pipeline")
    return by_id(connection, id)


def delete(connection: Connection, id: str) -> None:
    """Its apps stay, in no pipeline. Raises NotFound."""
    found(connection.execute(sa.delete(pipelines).where(pipelines.c.id == id)), "The pipeline")


def couple(connection: Connection, pipeline_id: str, app_id: str, stage: Stage) -> Coupling:
    """Raises UserError where the app is in a pipeline already."""
    moment = now()
    coupling = Coupling(new_id(), pipeline_id, app_id, stage, moment, moment)
    with conflict(
        "The app is in a pipeline already.", "To take it out of there: paas pipelines:remove"
    ):
        connection.execute(sa.insert(couplings).values(vars(coupling)))
    return coupling


def coupling(connection: Connection, id: str) -> Coupling:
    """Raises NotFound."""
    found = _select(connection, couplings.c.id == id)
    if not found:
        raise no_coupling()
    return found[0]


def of_app(connection: Connection, app_id: str) -> Coupling | None:
    return next(iter(_select(connection, couplings.c.app_id == app_id)), None)


def couplings_of(connection: Connection, pipeline_id: str | None = None) -> list[Coupling]:
    """Of a pipeline, or all, in the order of their making."""
    return _select(connection, *([couplings.c.pipeline_id == pipeline_id] if pipeline_id else []))


def set_stage(connection: Connection, id: str, stage: Stage) -> Coupling:
    """Raises NotFound."""
    values = {"stage": stage, "updated_at": now()}
    connection.execute(sa.update(couplings).where(couplings.c.id == id).values(values))
    return coupling(connection, id)


def uncouple(connection: Connection, id: str) -> Coupling:
    """Raises NotFound."""
    gone = coupling(connection, id)
    connection.execute(sa.delete(couplings).where(couplings.c.id == id))
    return gone


def no_coupling() -> NotFound:
    return NotFound("The pipeline coupling does not exist.")


def _select(connection: Connection, *conditions: Any) -> list[Coupling]:
    statement = sa.select(couplings).where(*conditions)
    rows = connection.execute(statement.order_by(couplings.c.created_at, couplings.c.id))
    return [Coupling(**{**row._mapping, "stage": Stage(row.stage)}) for row in rows]


def _unique(name: str) -> Any:
    return conflict(f"There is a pipeline {name} of yours already.", "Choose another name.")
