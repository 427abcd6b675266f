"""Promotions and their targets in the database: written before anything is started."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.promotions import Promotion, Target, TargetStatus
from paas.errors import NotFound
from paas.store.sql.row import new_id, now
from paas.store.sql.schema import promotion_targets as targets
from paas.store.sql.schema import promotions, releases


def insert(
    connection: Connection,
    *,
    pipeline_id: str,
    app_id: str,
    release_id: str,
    user: str,
    to: Sequence[str],
) -> Promotion:
    """With a pending target for each app of `to`."""
    promotion = Promotion(new_id(), pipeline_id, app_id, release_id, user, now())
    connection.execute(sa.insert(promotions).values(vars(promotion)))
    made = [Target(new_id(), promotion.id, each) for each in to]
    connection.execute(sa.insert(targets), [vars(target) for target in made])
    return promotion


def by_id(connection: Connection, id: str) -> Promotion:
    """Raises NotFound."""
    row = connection.execute(sa.select(promotions).where(promotions.c.id == id)).first()
    if row is None:
        raise NotFound("The promotion does not exist.")
    return Promotion(**row._mapping)


def targets_of(connection: Connection, promotion_id: str) -> list[Target]:
    return _select(connection, targets.c.promotion_id == promotion_id)


def unfinished(connection: Connection) -> list[Target]:
    """Of all promotions: what a crash has left open."""
    return _select(connection, targets.c.status == TargetStatus.PENDING)


def begin(connection: Connection, target_id: str, release_id: str) -> None:
    """Its release is there, and pending."""
    connection.execute(
        sa.update(targets).where(targets.c.id == target_id).values(release_id=release_id)
    )


def end(connection: Connection, target_id: str, error: str | None = None) -> None:
    """It has succeeded, or failed with an error; one that has ended stays as it is."""
    status = TargetStatus.FAILED if error else TargetStatus.SUCCEEDED
    pending = (targets.c.id == target_id) & (targets.c.status == TargetStatus.PENDING)
    connection.execute(sa.update(targets).where(pending).values(status=status, error=error))


def images(connection: Connection) -> set[str]:
    """Those that are still to be promoted: no release of their targets has them yet."""
    statement = (
        sa.select(releases.c.image_uuid)
        .join(promotions, promotions.c.release_id == releases.c.id)
        .join(targets, targets.c.promotion_id == promotions.c.id)
        .where(targets.c.status == TargetStatus.PENDING)
    )
    return {uuid for uuid in connection.scalars(statement) if uuid}


def _select(connection: Connection, condition: sa.ColumnElement[bool]) -> list[Target]:
    rows = connection.execute(sa.select(targets).where(condition).order_by(targets.c.id))
    return [Target(**{**row._mapping, "status": TargetStatus(row.status)}) for row in rows]
