"""Certificates that apps' owners brought, in the database, and which domain each serves."""

from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from paas.apps.domains import Domain
from paas.apps.provided_certificates import Content, ProvidedCertificate, best
from paas.errors import NotFound, UserError
from paas.store.sql.row import new_id, now
from paas.store.sql.schema import domains, provided_certificates


def add(connection: Connection, app_id: str, name: str, content: Content) -> ProvidedCertificate:
    """It serves at once what it covers of the app's domains that have no other one."""
    moment = now()
    made = ProvidedCertificate(new_id(), app_id, name, content, moment, moment)
    values = {"id": made.id, "app_id": app_id, "name": name, "created_at": moment}
    statement = sa.insert(provided_certificates)
    connection.execute(statement.values(values | {"updated_at": moment} | _columns(content)))
    _share(connection, app_id)
    return made


def update(
    connection: Connection, app_id: str, name_or_id: str, content: Content
) -> ProvidedCertificate:
    """Domains that it does not cover any more get another one, or none. Raises NotFound."""
    known = named(connection, app_id, name_or_id)
    statement = sa.update(provided_certificates).where(provided_certificates.c.id == known.id)
    connection.execute(statement.values({"updated_at": now()} | _columns(content)))
    _share(connection, app_id)
    return named(connection, app_id, known.id)


def remove(connection: Connection, app_id: str, name_or_id: str) -> ProvidedCertificate:
    """Its domains get another one that covers them, or none. Raises NotFound."""
    known = named(connection, app_id, name_or_id)
    one = provided_certificates.c.id == known.id
    connection.execute(sa.delete(provided_certificates).where(one))
    _share(connection, app_id)
    return known


def choose(connection: Connection, domain_id: str, certificate_id: str | None) -> None:
    """Have the domain served with that one; with None the platform sees to it itself."""
    one = sa.update(domains).where(domains.c.id == domain_id)
    connection.execute(one.values(endpoint_id=certificate_id))


def assign(connection: Connection, domain: Domain, name_or_id: str | None) -> Domain:
    """Serve the domain with that one; without a name with the best that the app has, or none.

    Raises NotFound, and UserError for one that does not cover the domain.
    """
    if name_or_id:
        chosen: ProvidedCertificate | None = named(connection, domain.app_id, name_or_id)
    else:
        chosen = best(for_app(connection, domain.app_id), domain.hostname)
    if chosen and not chosen.serves(domain.hostname):
        names = ", ".join(chosen.content.names)
        raise UserError(
            "invalid_params",
            f"The certificate {chosen.name} is for {names}, not for {domain.hostname}.",
            "`paas certs` lists the app's certificates with their names.",
        )
    choose(connection, domain.id, chosen.id if chosen else None)
    return replace(domain, endpoint_id=chosen.id if chosen else None)


def named(connection: Connection, app_id: str, name_or_id: str) -> ProvidedCertificate:
    """Raises NotFound."""
    for each in for_app(connection, app_id):
        if name_or_id in (each.name, each.id):
            return each
    raise NotFound(f"The app has no certificate {name_or_id!r}.", "`paas certs` lists them.")


def for_app(connection: Connection, app_id: str) -> list[ProvidedCertificate]:
    """By name."""
    mine = provided_certificates.c.app_id == app_id
    return _select(connection, sa.select(provided_certificates).where(mine))


def serving(connection: Connection) -> dict[str, Content]:
    """By host name: what the domains are served with that have one which has not ended."""
    good = {
        each.id: each.content
        for each in _select(connection, sa.select(provided_certificates))
        if each.content.expires_at > now()
    }
    rows = connection.execute(sa.select(domains.c.hostname, domains.c.endpoint_id))
    return {row.hostname: good[row.endpoint_id] for row in rows if row.endpoint_id in good}


def _share(connection: Connection, app_id: str) -> None:
    """Take from domains what does not cover them, and give those without one the best."""
    there = {each.id: each for each in for_app(connection, app_id)}
    mine = sa.select(domains.c.id, domains.c.hostname, domains.c.endpoint_id)
    for row in connection.execute(mine.where(domains.c.app_id == app_id)).all():
        known = there.get(row.endpoint_id)
        if known is None or not known.serves(row.hostname):
            chosen = best(there.values(), row.hostname)
            choose(connection, row.id, chosen.id if chosen else None)


def _columns(content: Content) -> dict[str, Any]:
    return vars(content) | {"names": list(content.names)}


def _select(
    connection: Connection, statement: sa.Select[tuple[object, ...]]
) -> list[ProvidedCertificate]:
    rows = connection.execute(statement.order_by(provided_certificates.c.name))
    return [_certificate(row._mapping) for row in rows]


def _certificate(row: Any) -> ProvidedCertificate:
    fields = Content.__dataclass_fields__
    values = {name: row[name] for name in fields} | {"names": tuple(row["names"])}
    content = Content(**values)
    moments = (row["created_at"], row["updated_at"])
    return ProvidedCertificate(row["id"], row["app_id"], row["name"], content, *moments)
