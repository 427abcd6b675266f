"""Certificates in the database, by host name. Intent is written before an authority is asked."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.certificates import Certificate, Issuer, State
from paas.store.sql import row
from paas.store.sql.schema import certificates


def keep(connection: Connection, wanted: Mapping[str, Issuer]) -> None:
    """Have a row for each of these host names and for no other.

    A change of issuer starts anew, and goes on serving what there is.
    """
    now = row.now()
    present = {each.hostname: each for each in all(connection)}
    for hostname in present.keys() - wanted.keys():
        connection.execute(sa.delete(certificates).where(certificates.c.hostname == hostname))
    for hostname, issuer in wanted.items():
        known = present.get(hostname)
        if known is None:
            _insert(connection, hostname, issuer, now)
        elif known.issuer != issuer:
            _change(
                connection, hostname, issuer=issuer, state=State.WAITING_FOR_DNS,
                reason="", attempts=0, next_try_at=now,
            )  # fmt: skip


def resume(connection: Connection) -> None:
    """At start: what was being issued when the process ended is due now."""
    interrupted = certificates.c.state == State.ISSUING
    connection.execute(sa.update(certificates).where(interrupted).values(next_try_at=row.now()))


def issuing(connection: Connection, hostname: str) -> None:
    _change(connection, hostname, state=State.ISSUING, reason="")


def issued(
    connection: Connection,
    hostname: str,
    *,
    chain: str,
    key: str,
    expires_at: datetime,
    renew_at: datetime,
    reason: str = "",
) -> None:
    _change(
        connection, hostname, state=State.ISSUED, reason=reason, attempts=0, chain=chain,
        key=key, expires_at=expires_at, next_try_at=renew_at,
    )  # fmt: skip


def postponed(
    connection: Connection, hostname: str, state: State, reason: str, next_try_at: datetime
) -> None:
    """It could not be had yet."""
    attempts = certificates.c.attempts + 1
    _change(
        connection, hostname, state=state, reason=reason, attempts=attempts,
        next_try_at=next_try_at,
    )  # fmt: skip


def named(connection: Connection, hostnames: Sequence[str]) -> dict[str, Certificate]:
    """Those of these host names that there are."""
    query = sa.select(certificates).where(certificates.c.hostname.in_(hostnames))
    found = (_certificate(each) for each in connection.execute(query))
    return {each.hostname: each for each in found}


def all(connection: Connection) -> list[Certificate]:
    """By host name."""
    rows = connection.execute(sa.select(certificates).order_by(certificates.c.hostname))
    return [_certificate(found) for found in rows]


def _insert(connection: Connection, hostname: str, issuer: Issuer, now: datetime) -> None:
    values = {
        "hostname": hostname,
        "issuer": issuer,
        "state": State.WAITING_FOR_DNS,
        "reason": "",
        "attempts": 0,
        "next_try_at": now,
        "updated_at": now,
        "chain": "",
        "key": "",
        "expires_at": None,
    }
    connection.execute(sa.insert(certificates).values(values))


def _change(connection: Connection, hostname: str, **values: object) -> None:
    """A host name that is gone meanwhile is nothing to complain of."""
    one = certificates.c.hostname == hostname
    connection.execute(sa.update(certificates).where(one).values(**values, updated_at=row.now()))


def _certificate(found: sa.Row[tuple[object, ...]]) -> Certificate:
    values = dict(found._mapping)
    return Certificate(
        **values | {"state": State(values["state"]), "issuer": Issuer(values["issuer"])}
    )
