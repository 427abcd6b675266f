"""Certificates that an app's owner brings: add, update, remove."""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path

from paas import logs
from paas.apps import provided_certificates as rules
from paas.apps.apps import App, random_name
from paas.apps.provided_certificates import Content, ProvidedCertificate, no_tls
from paas.platform.platform import Platform
from paas.store import provided_certificates
from paas.store.sql import row

SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Certificates:
    platform: Platform

    async def add(self, app: App, chain: str, key: str) -> ProvidedCertificate:
        """Raises UserError for one that can't be used."""
        content = await self._content(chain, key)
        run, name = self.platform.database.run, random_name()
        return self._noted(
            app, "Added", await run(provided_certificates.add, app.id, name, content)
        )

    async def update(self, app: App, name: str, chain: str, key: str) -> ProvidedCertificate:
        content = await self._content(chain, key)
        run = self.platform.database.run
        return self._noted(
            app, "Updated", await run(provided_certificates.update, app.id, name, content)
        )

    async def remove(self, app: App, name: str) -> ProvidedCertificate:
        run = self.platform.database.run
        return self._noted(app, "Removed", await run(provided_certificates.remove, app.id, name))

    async def _content(self, chain: str, key: str) -> Content:
        """Raises UserError where nobody would ever be shown it."""
        if not self.platform.settings.router_tls_port:
            raise no_tls(self.platform.settings)
        return await asyncio.to_thread(_read, chain, key)

    def _noted(self, app: App, done: str, certificate: ProvidedCertificate) -> ProvidedCertificate:
        self.platform.hostnames_changed.set()
        logs.note(self.platform.settings, app.id, f"{done} the certificate {certificate.name}")
        return certificate


def _read(chain: str, key: str) -> Content:
    roots = Path(ssl.get_default_verify_paths().cafile or SYSTEM_ROOTS)
    trusted = roots.read_bytes() if roots.exists() else b""
    return rules.read(chain, key, row.now(), trusted)
