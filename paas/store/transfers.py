"""Transfers of apps in the database: at most one of an app is pending."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps import access
from paas.apps.apps import App
from paas.apps.transfers import State, Transfer
from paas.errors import NotFound, UserError
from paas.store import accounts
from paas.store import apps as stored
from paas.store.sql.row import new_id, now
from paas.store.sql.schema import apps, collaborators, transfers


def begin(connection: Connection, app: App, recipient: str) -> Transfer:
    """An earlier one that is pending is forgotten."""
    pending = transfers.c.state == State.PENDING
    connection.execute(sa.delete(transfers).where(transfers.c.app_id == app.id, pending))
    moment = now()
    made = Transfer(new_id(), app.id, app.owner, recipient, State.PENDING, moment, moment)
    connection.execute(sa.insert(transfers).values(vars(made)))
    return made


def named(connection: Connection, id: str) -> Transfer:
    """Raises NotFound."""
    found = _where(connection, transfers.c.id == id)
    if not found:
        raise NotFound("There is no such transfer.", "`paas apps:transfers` lists them.")
    return found[0]


def of_account(connection: Connection, email: str) -> list[Transfer]:
    """What it gives and what it is given and has not answered, the oldest first."""
    either = sa.or_(transfers.c.owner == email, transfers.c.recipient == email)
    return _where(connection, sa.and_(either, transfers.c.state == State.PENDING))


def accept(connection: Connection, transfer: Transfer) -> Transfer:
    """The app is the recipient's; its owner of before works on it. Raises UserError where it was
    answered meanwhile, or the recipient has no account."""
    app = stored.lock(connection, transfer.app_id)
    _check_pending(connection, transfer)
    if accounts.by_email(connection, transfer.recipient) is None:
        message = f"There is no account {transfer.recipient}."
        raise UserError("conflict", message, f"Make it: paas accounts:add {transfer.recipient}")
    of_both = collaborators.c.email.in_([transfer.recipient, app.owner])
    connection.execute(sa.delete(collaborators).where(collaborators.c.app_id == app.id, of_both))
    one = sa.update(apps).where(apps.c.id == app.id)
    connection.execute(one.values(owner=transfer.recipient))
    moment = now()
    former = {
        "id": new_id(),
        "app_id": app.id,
        "email": app.owner,
        "permissions": access.ordered(access.DEFAULT),
        "created_at": moment,
        "updated_at": moment,
    }
    connection.execute(sa.insert(collaborators).values(former))
    return _answer(connection, transfer, State.ACCEPTED)


def decline(connection: Connection, transfer: Transfer) -> Transfer:
    """Raises UserError where it was answered meanwhile."""
    _check_pending(connection, transfer)
    return _answer(connection, transfer, State.DECLINED)


def delete(connection: Connection, id: str) -> None:
    connection.execute(sa.delete(transfers).where(transfers.c.id == id))


def _check_pending(connection: Connection, transfer: Transfer) -> None:
    state = named(connection, transfer.id).state
    if state is not State.PENDING:
        raise UserError("conflict", f"This transfer is {state} already.")


def _answer(connection: Connection, transfer: Transfer, state: State) -> Transfer:
    one = sa.update(transfers).where(transfers.c.id == transfer.id)
    connection.execute(one.values(state=state, updated_at=now()))
    return named(connection, transfer.id)


def _where(connection: Connection, condition: Any) -> list[Transfer]:
    rows = connection.execute(
        sa.select(transfers).where(condition).order_by(transfers.c.created_at)
    )
    return [Transfer(**dict(row._mapping) | {"state": State(row.state)}) for row in rows]
