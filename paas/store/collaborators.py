"""Who works on whose apps, in the database; and which apps an account sees."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps import access
from paas.apps.access import Collaborator, Permission
from paas.apps.account import Account
from paas.apps.apps import App, unknown_app
from paas.errors import NotFound, UserError
from paas.store import apps as stored
from paas.store.sql.integrity import conflict
from paas.store.sql.row import new_id, now
from paas.store.sql.schema import collaborators

Held = frozenset[Permission]


def seen(
    connection: Connection, account: Account, name: str, only: frozenset[str] | None = None
) -> tuple[App, Held]:
    """The app of that name or id, and what the account may do with it.

    `only` are the ids that a token is limited to. Raises NotFound where there is none that the
    account may view, in the same words and by the same look-ups as where there is none at all.
    """
    app = stored.by_name(connection, name) or stored.by_id(connection, name)
    held = _held(connection, account, app) if app else frozenset()
    if app is None or not held or (only is not None and app.id not in only):
        names = [other.name for other in visible(connection, account, only)]
        raise unknown_app(name, names)
    return app, held


def visible(
    connection: Connection, account: Account, only: frozenset[str] | None = None
) -> list[App]:
    """By name: all for an operator, for others their own and those they work on."""
    found = stored.all(connection)
    if not account.operator:
        mine = sa.select(collaborators.c.app_id).where(collaborators.c.email == account.email)
        shared = set(connection.scalars(mine))
        found = [app for app in found if app.owner == account.email or app.id in shared]
    return [app for app in found if only is None or app.id in only]


def add(connection: Connection, app: App, email: str, permissions: Held) -> Collaborator:
    """Raises UserError(conflict) for the owner and for one who is there already."""
    if email == app.owner:
        raise UserError("conflict", f"{email} owns {app.name}.")
    moment = now()
    made = Collaborator(new_id(), app.id, email, moment, moment, permissions)
    values = vars(made) | {"permissions": access.ordered(permissions)}
    hint = f"To change what they may do: paas access:update {email} -a {app.name} --permissions …"
    with conflict(f"{email} works on {app.name} already.", hint):
        connection.execute(sa.insert(collaborators).values(values))
    return made


def named(connection: Connection, app: App, email_or_id: str) -> Collaborator:
    """Raises NotFound."""
    either = sa.or_(collaborators.c.email == email_or_id.lower(), collaborators.c.id == email_or_id)
    found = _where(connection, sa.and_(collaborators.c.app_id == app.id, either))
    if not found:
        raise NotFound(
            f"{email_or_id[:80]} has no access to {app.name}.",
            f"`paas access -a {app.name}` lists who has.",
        )
    return found[0]


def of_app(connection: Connection, app_id: str) -> list[Collaborator]:
    """By address."""
    return _where(connection, collaborators.c.app_id == app_id)


def change(connection: Connection, id: str, permissions: Held) -> None:
    one = sa.update(collaborators).where(collaborators.c.id == id)
    values = {"permissions": access.ordered(permissions), "updated_at": now()}
    connection.execute(one.values(values))


def remove(connection: Connection, id: str) -> None:
    connection.execute(sa.delete(collaborators).where(collaborators.c.id == id))


def _held(connection: Connection, account: Account, app: App) -> Held:
    if account.operator or app.owner == account.email:
        return access.ALL
    one = sa.and_(collaborators.c.app_id == app.id, collaborators.c.email == account.email)
    kept = connection.scalar(sa.select(collaborators.c.permissions).where(one))
    return frozenset(Permission(word) for word in kept or ())


def _where(connection: Connection, condition: Any) -> list[Collaborator]:
    rows = connection.execute(
        sa.select(collaborators).where(condition).order_by(collaborators.c.email)
    )
    return [
        Collaborator(
            **dict(row._mapping) | {"permissions": frozenset(map(Permission, row.permissions))}
        )
        for row in rows
    ]
