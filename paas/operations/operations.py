"""What the API offers to do with apps: each method is one change, done or failed when it returns.

Changes of one app wait for one another; one that has begun goes on when its caller has gone.
"""

import asyncio
import ssl
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection

from gitserver import trees
from paas import logs
from paas.apps import app as app_rules
from paas.apps import build_limits
from paas.apps import domain as domain_rules
from paas.apps import formation as formation_rules
from paas.apps import provided_certificate as certificate_rules
from paas.apps.app import App
from paas.apps.build import Build
from paas.apps.domain import Domain
from paas.apps.formation import Formation, FormationChange
from paas.apps.instance import Instance, InstanceState, InstanceStatus
from paas.apps.provided_certificate import Content, ProvidedCertificate, no_tls
from paas.apps.release import Release
from paas.builder import discard as discard_images
from paas.deploys import changes
from paas.deploys.push import DEPLOYED_BRANCHES
from paas.deploys.rebuild import begin_rebuild
from paas.errors import NotFound, PlatformError, UserError
from paas.node import words
from paas.operations.logs import LogStreams
from paas.platform.platform import Platform
from paas.platform.tasks import all_of
from paas.platform.timeline import Timeline
from paas.provisioner.retire import remove
from paas.provisioner.scale import converge
from paas.provisioner.switch import replace
from paas.settings import Settings
from paas.store import apps, domains, formation, instances, provided_certificates, releases
from paas.store.sql import row
from paas.store.sql.database import Database

T = TypeVar("T")
ROUTER_ASKED_S = 3.0
SYSTEM_ROOTS = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Served:
    """What the API is given (`paas.api.operations.Platform`)."""

    settings: Settings
    database: Database
    operations: "Operations"
    logs: LogStreams


def served(platform: Platform) -> Served:
    return Served(platform.settings, platform.database, Operations(platform), LogStreams(platform))


class Operations:
    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._run = platform.database.run

    async def create_app(self, name: str | None, user: str) -> App:
        """The repository comes first: an app without one could not be pushed to."""
        chosen = app_rules.check_name(name) if name else app_rules.random_name()
        app = App(id=row.new_id(), name=chosen, owner=user, created_at=datetime.now(UTC))
        repository = self._platform.settings.repository(app.id)
        await asyncio.to_thread(trees.init, repository)
        try:
            await self._run(apps.insert, app)
        except UserError:
            await asyncio.to_thread(trees.delete, repository)
            raise
        self._platform.routes.changed()
        self._platform.hostnames.set()
        self._note(app, f"Initial release by user {user}")
        return app

    async def rename_app(self, app: App, name: str) -> App:
        renamed = await self._run(apps.rename, app.id, name)
        self._platform.hostnames.set()
        await self._platform.routes.tried()
        return renamed

    async def destroy_app(self, app: App) -> None:
        """Pushes and builds of the app are cancelled, and told why."""
        self._platform.deploying.stop(app.id)
        await self._alone(app, self._destroy(app))

    async def set_maintenance(self, app: App, maintenance: bool) -> App:
        changed = await self._run(apps.set_maintenance, app.id, maintenance)
        await self._platform.routes.tried()
        return changed

    async def change_routing(self, app: App, values: Mapping[str, Any], user: str) -> App:
        changed = await self._run(apps.change_routing, app.id, values)
        await self._platform.routes.tried()
        self._note(app, f"Set routing {', '.join(values)} by user {user}")
        return changed

    async def change_config(self, app: App, values: Mapping[str, str | None], user: str) -> Release:
        build_limits.check(values, build_limits.of_platform(self._platform.settings))
        return await self._alone(app, changes.change_config(self._platform, app, values, user))

    async def rollback(self, app: App, version: int, user: str) -> Release:
        return await self._alone(app, changes.rollback(self._platform, app, version, user))

    async def scale(self, app: App, wishes: Sequence[FormationChange], user: str) -> Formation:
        return await self._alone(app, self._scale(app, wishes, user))

    async def restart(self, app: App, *, type: str | None = None, name: str | None = None) -> None:
        await self._alone(app, self._restart(app, type, name))

    async def stop(self, app: App, *, type: str | None = None, name: str | None = None) -> None:
        """The formation says what runs, so what is stopped comes back: Heroku's meaning."""
        await self.restart(app, type=type, name=name)

    async def rebuild(
        self, app: App, commit: str | None, user: str, *, from_nothing: bool = False
    ) -> Build:
        path = self._platform.settings.repository(app.id)
        for name in (commit,) if commit else DEPLOYED_BRANCHES:
            found = await asyncio.to_thread(trees.resolve, path, name or "")
            if found is not None:
                return await begin_rebuild(
                    self._platform, app, found, user, from_nothing=from_nothing
                )
        raise UserError(
            "invalid_params",
            f"{commit} is no commit of the app" if commit else "nothing was pushed yet",
            "Push first: git push paas main",
        )

    async def add_domain(self, app: App, hostname: str, certificate: str | None = None) -> Domain:
        name = domain_rules.normalise(hostname, self._platform.settings.base_domains)
        domain = await self._run(_added, app.id, name, certificate)
        self._platform.hostnames.set()
        await self._platform.routes.tried()
        return domain

    async def remove_domain(self, app: App, hostname: str) -> Domain:
        name = domain_rules.typed(hostname)
        domain_rules.keep_own(name, app.name, self._platform.settings.base_domains)
        domain = await self._run(domains.remove, app.id, name)
        self._platform.hostnames.set()
        await self._platform.routes.tried()
        return domain

    async def serve_domain(self, app: App, hostname: str, certificate: str | None) -> Domain:
        name = domain_rules.typed(hostname)
        domain = await self._run(_served_with, app.id, name, certificate)
        self._platform.hostnames.set()
        return domain

    async def add_certificate(self, app: App, chain: str, key: str) -> ProvidedCertificate:
        content = await self._certificate(chain, key)
        name = app_rules.random_name()
        made = await self._run(provided_certificates.add, app.id, name, content)
        self._platform.hostnames.set()
        self._note(app, f"Added the certificate {made.name}")
        return made

    async def update_certificate(
        self, app: App, name: str, chain: str, key: str
    ) -> ProvidedCertificate:
        content = await self._certificate(chain, key)
        changed = await self._run(provided_certificates.update, app.id, name, content)
        self._platform.hostnames.set()
        self._note(app, f"Updated the certificate {changed.name}")
        return changed

    async def remove_certificate(self, app: App, name: str) -> ProvidedCertificate:
        removed = await self._run(provided_certificates.remove, app.id, name)
        self._platform.hostnames.set()
        self._note(app, f"Removed the certificate {removed.name}")
        return removed

    async def _certificate(self, chain: str, key: str) -> Content:
        """Raises UserError where nobody would ever be shown it."""
        if not self._platform.settings.router_tls_port:
            raise no_tls(self._platform.settings)
        return await asyncio.to_thread(_read_certificate, chain, key)

    async def instances(self, app: App) -> list[InstanceStatus]:
        found, release, entries = await self._run(_present, app.id)
        sizes = {entry.type: entry.package for entry in entries}
        machines = self._platform.machines.known
        statuses = [
            _status(item, release, sizes.get(item.type, ""), machines.get(item.machine_uuid))
            for item in found
            if release is not None and item.release_version == release.version
        ]
        failing = await self._failing(app)
        return [replace_fields(s, fails_checks=s.instance.name in failing) for s in statuses]

    async def _failing(self, app: App) -> Sequence[str]:
        """Instances whose health checks fail. Without checks, or a router, none is known."""
        if not app.routing.get("health_path"):
            return ()
        try:
            async with asyncio.timeout(ROUTER_ASKED_S):
                status = await self._platform.router.status()
        except (PlatformError, TimeoutError):
            return ()
        found: list[str] = status["apps"].get(app.id, {}).get("unhealthy", [])
        return found

    async def metrics(self) -> str:
        return await self._platform.router.metrics()

    async def _destroy(self, app: App) -> None:
        try:
            gone = await self._run(instances.for_app, app.id)
            await self._run(apps.delete, app.id)
        except BaseException:
            self._platform.deploying.resume(app.id)
            raise
        self._platform.hostnames.set()
        self._platform.outputs.remove_app(app.id)
        await self._platform.routes.tried()
        self._platform.background.start(self._clear(app, gone), f"clear {app.name}")

    async def _clear(self, app: App, gone: Sequence[Instance]) -> None:
        """What is left by a crash in the middle is found at the next start."""
        await asyncio.to_thread(trees.delete, self._platform.settings.repository(app.id))
        await all_of([remove(self._platform, instance.machine_uuid) for instance in gone])
        await discard_images(self._platform.node, app.id)

    async def _scale(self, app: App, wishes: Sequence[FormationChange], user: str) -> Formation:
        before = await self._run(formation.get, app.id)
        after = formation_rules.apply(before, wishes)
        await self._run(formation.set, app.id, after)
        text = " ".join(f"{entry.type}@{entry.quantity}:{entry.package}" for entry in after)
        self._note(app, f"Scaled to {text} by user {user}")
        try:
            await converge(self._platform, app, Timeline())
        except BaseException:
            # What could not start must not be tried for ever: the old formation counts again.
            await asyncio.shield(self._run(formation.set, app.id, before))
            raise
        return after

    async def _restart(self, app: App, type: str | None, name: str | None) -> None:
        found, release, _ = await self._run(_present, app.id)
        chosen = [item for item in found if type in (None, item.type) and name in (None, item.name)]
        if not chosen or release is None:
            what = name or type or "instance"
            raise NotFound(f"{app.name} has no {what} that runs.", "`paas ps` lists what runs.")
        await replace(self._platform, app, release, chosen, Timeline())

    async def _alone(self, app: App, work: Coroutine[Any, Any, T]) -> T:
        """Hold the app's lock, and finish what was begun even if the caller goes."""

        async def hold() -> T:
            try:
                async with self._platform.locks[app.id]:
                    return await work
            finally:
                work.close()

        task = asyncio.create_task(hold(), name=f"a change of {app.name}")
        self._platform.background.hold(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self._platform.background.adopt(task)
            raise

    def _note(self, app: App, text: str) -> None:
        """A line in the app's log, which no change depends on."""
        logs.note(self._platform.settings, app.id, text)


def _read_certificate(chain: str, key: str) -> Content:
    roots = Path(ssl.get_default_verify_paths().cafile or SYSTEM_ROOTS)
    trusted = roots.read_bytes() if roots.exists() else b""
    return certificate_rules.read(chain, key, row.now(), trusted)


def _added(connection: Connection, app_id: str, name: str, certificate: str | None) -> Domain:
    domain = domains.add(connection, app_id, name)
    return provided_certificates.assign(connection, domain, certificate)


def _served_with(connection: Connection, app_id: str, name: str, certificate: str | None) -> Domain:
    domain = domains.named(connection, app_id, name)
    if certificate is not None:
        return provided_certificates.assign(connection, domain, certificate)
    provided_certificates.choose(connection, domain.id, None)
    return replace_fields(domain, endpoint_id=None)


def _present(
    connection: Connection, app_id: str
) -> tuple[list[Instance], Release | None, Formation]:
    return (
        instances.for_app(connection, app_id),
        releases.current(connection, app_id),
        formation.get(connection, app_id),
    )


def _status(
    instance: Instance, release: Release, size: str, machine: Mapping[str, Any] | None
) -> InstanceStatus:
    state, since = _state(instance, machine)
    command = release.processes.get(instance.type, "")
    return InstanceStatus(instance, state, since, command, size, machine)


def _state(instance: Instance, machine: Mapping[str, Any] | None) -> tuple[InstanceState, datetime]:
    """`since` is when the machine booted, ended or was asked for."""
    if machine is None:
        return InstanceState.STARTING, instance.created_at
    if machine["state"] == "running":
        web = words.PORT in machine.get("internal_metadata", {})
        up = machine.get("listening") or not web
        since = _moment(machine.get("boot_timestamp"), instance.created_at)
        return (InstanceState.UP if up else InstanceState.STARTING), since
    if machine["state"] in ("stopped", "failed"):
        return InstanceState.CRASHED, _moment(machine.get("exit_timestamp"), instance.created_at)
    return InstanceState.STARTING, instance.created_at


def _moment(text: str | None, otherwise: datetime) -> datetime:
    return datetime.fromisoformat(text) if text else otherwise
