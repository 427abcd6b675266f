"""Apps in the database."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps import branches, roots, routing
from paas.apps.apps import App, check_name, unknown_app
from paas.apps.postdeploy import State
from paas.errors import NotFound
from paas.store.sql.integrity import conflict
from paas.store.sql.row import found
from paas.store.sql.schema import apps


def insert(connection: Connection, app: App) -> App:
    """Raises UserError(conflict) when the name is taken."""
    with _unique(app.name):
        connection.execute(sa.insert(apps).values(vars(app)))
    return app


def by_id(connection: Connection, id: str) -> App | None:
    return _one(connection, apps.c.id == id)


def by_name(connection: Connection, name: str) -> App | None:
    return _one(connection, apps.c.name == name)


def named(connection: Connection, name_or_id: str) -> App:
    """The app of that name, or of that id. Raises NotFound with the nearest name."""
    app = by_name(connection, name_or_id) or by_id(connection, name_or_id)
    if app is None:
        raise unknown_app(name_or_id, connection.scalars(sa.select(apps.c.name)))
    return app


def all(connection: Connection) -> list[App]:
    """By name."""
    return [_app(row) for row in connection.execute(sa.select(apps).order_by(apps.c.name))]


def rename(connection: Connection, id: str, name: str) -> App:
    """Raises UserError for a bad name, a taken one (conflict) and an unknown app."""
    check_name(name)
    with _unique(name):
        return _update(connection, id, name=name)


def set_maintenance(connection: Connection, id: str, maintenance: bool) -> App:
    """Raises NotFound."""
    return _update(connection, id, maintenance=maintenance)


def set_deploy_branch(connection: Connection, id: str, branch: str) -> App:
    """Raises UserError for what can't name a branch, NotFound."""
    return _update(connection, id, deploy_branch=branches.check(branch))


def set_supersede(connection: Connection, id: str, supersede: bool) -> App:
    """Raises NotFound."""
    return _update(connection, id, supersede=supersede)


def set_root(connection: Connection, id: str, root: str) -> App:
    """Raises UserError for what names no folder, NotFound."""
    return _update(connection, id, root=roots.check(root))


def set_buildpacks(
    connection: Connection, id: str, names: Sequence[str], *, declared: bool = False
) -> App:
    """`declared` by an app.json. Raises NotFound."""
    return _update(connection, id, buildpacks=list(names), buildpacks_declared=declared)


def set_postdeploy(connection: Connection, id: str, state: State) -> App:
    """Raises NotFound."""
    return _update(connection, id, postdeploy=state)


def change_routing(connection: Connection, id: str, changes: Mapping[str, Any]) -> App:
    """Raises UserError for a setting that can't be (`paas.apps.routing`), NotFound."""
    merged = routing.merge(lock(connection, id).routing, changes)
    return _update(connection, id, routing=merged)


def delete(connection: Connection, id: str) -> None:
    """With all that is the app's: releases, builds, formation, domains, … Raises NotFound."""
    found(connection.execute(sa.delete(apps).where(apps.c.id == id)), "The app")


def lock(connection: Connection, id: str) -> App:
    """The app, kept from others until the transaction ends. Raises NotFound.

    SQLite's transactions exclude each other anyway.
    """
    row = connection.execute(sa.select(apps).where(apps.c.id == id).with_for_update()).first()
    if row is None:
        raise NotFound("The app does not exist.")
    return _app(row)


def _update(connection: Connection, id: str, **values: Any) -> App:
    found(connection.execute(sa.update(apps).where(apps.c.id == id).values(values)), "The app")
    return lock(connection, id)


def _one(connection: Connection, condition: sa.ColumnElement[bool]) -> App | None:
    row = connection.execute(sa.select(apps).where(condition)).first()
    return None if row is None else _app(row)


def _app(row: sa.Row[Any]) -> App:
    kept = {"postdeploy": State(row.postdeploy), "buildpacks": tuple(row.buildpacks)}
    return App(**{**row._mapping, **kept})


def _unique(name: str) -> AbstractContextManager[None]:
    return conflict(f"The name {name} is already taken.", "Choose another one.")
