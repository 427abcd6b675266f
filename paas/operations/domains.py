"""Domains of an app: add, remove, and which certificate serves one."""

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from paas.apps import domains as rules
from paas.apps.apps import App
from paas.apps.domains import Domain
from paas.platform.platform import Platform
from paas.store import domains, provided_certificates


@dataclass(frozen=True)
class Domains:
    platform: Platform

    async def add(self, app: App, hostname: str, certificate: str | None = None) -> Domain:
        """Served with that certificate of the app, or with the best that covers it, if any."""
        name = rules.normalise(hostname, self.platform.settings.base_domains)
        domain = await self.platform.database.run(_add, app.id, name, certificate)
        self.platform.hostnames_changed.set()
        await self.platform.routes.publish_or_later()
        return domain

    async def serve_with(self, app: App, hostname: str, certificate: str | None) -> Domain:
        """With that certificate of the app; with None as if the app had brought none."""
        name = rules.typed(hostname)
        domain = await self.platform.database.run(_serve_with, app.id, name, certificate)
        self.platform.hostnames_changed.set()
        return domain

    async def remove(self, app: App, hostname: str) -> Domain:
        name = rules.typed(hostname)
        rules.keep_own(name, app.name, self.platform.settings.base_domains)
        domain = await self.platform.database.run(domains.remove, app.id, name)
        self.platform.hostnames_changed.set()
        await self.platform.routes.publish_or_later()
        return domain


def _add(connection: Connection, app_id: str, name: str, certificate: str | None) -> Domain:
    domain = domains.add(connection, app_id, name)
    return provided_certificates.assign(connection, domain, certificate)


def _serve_with(connection: Connection, app_id: str, name: str, certificate: str | None) -> Domain:
    domain = domains.named(connection, app_id, name)
    if certificate is not None:
        return provided_certificates.assign(connection, domain, certificate)
    provided_certificates.choose(connection, domain.id, None)
    return replace(domain, endpoint_id=None)
