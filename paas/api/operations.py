"""What the API asks of the platform. The handlers know these Protocols and nothing behind them.

Every change waits until it is done (or has failed with a UserError), runs at most once at a time an
app, and goes on when the caller is cancelled.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from paas.apps.app import App
from paas.apps.build import Build
from paas.apps.domain import Domain
from paas.apps.formation import Formation, FormationChange
from paas.apps.instance import InstanceStatus
from paas.apps.provided_certificate import ProvidedCertificate
from paas.apps.release import Release
from paas.settings import Settings
from paas.store import Database


class Operations(Protocol):
    """Changes of apps. `user` is the e-mail of the account that asks."""

    async def create_app(self, name: str | None, user: str) -> App:
        """Without a name it gets a random one. Raises UserError for a bad or taken name."""

    async def rename_app(self, app: App, name: str) -> App: ...

    async def destroy_app(self, app: App) -> None: ...

    async def set_maintenance(self, app: App, maintenance: bool) -> App: ...

    async def change_routing(self, app: App, values: Mapping[str, Any], user: str) -> App:
        """The app with the changed settings; None unsets. Raises UserError for one that can't be.

        In force when it returns, and no instance is restarted.
        """

    async def change_config(
        self, app: App, changes: Mapping[str, str | None], user: str
    ) -> Release:
        """The release that has the changed config; None unsets."""

    async def rollback(self, app: App, version: int, user: str) -> Release: ...

    async def scale(self, app: App, changes: Sequence[FormationChange], user: str) -> Formation:
        """The whole formation afterwards."""

    async def restart(self, app: App, *, type: str | None = None, name: str | None = None) -> None:
        """All instances, those of a type, or the one of that name. Raises NotFound."""

    async def stop(self, app: App, *, type: str | None = None, name: str | None = None) -> None:
        """Those of a type or the one of that name; they start again. Raises NotFound."""

    async def rebuild(
        self, app: App, commit: str | None, user: str, *, from_nothing: bool = False
    ) -> Build:
        """Starts a build of that commit (or of the one pushed last); does not wait for its end.

        `from_nothing`: nothing of earlier builds is used.
        """

    async def add_domain(self, app: App, hostname: str, certificate: str | None = None) -> Domain:
        """Served with that certificate of the app, or with the best that covers it, if any."""

    async def serve_domain(self, app: App, hostname: str, certificate: str | None) -> Domain:
        """Served with that certificate of the app; with None as if the app had brought none."""

    async def remove_domain(self, app: App, hostname: str) -> Domain: ...

    async def add_certificate(self, app: App, chain: str, key: str) -> ProvidedCertificate:
        """Raises UserError for one that can't be used."""

    async def update_certificate(
        self, app: App, name: str, chain: str, key: str
    ) -> ProvidedCertificate: ...

    async def remove_certificate(self, app: App, name: str) -> ProvidedCertificate: ...

    async def instances(self, app: App) -> list[InstanceStatus]: ...

    async def metrics(self) -> str:
        """What the router counts of every app, as Prometheus reads it. Raises PlatformError."""


class Logs(Protocol):
    """Lines without their ends. Async generators: closing one ends its work."""

    def read(
        self,
        app: App,
        *,
        lines: int,
        source: str | None = None,
        dyno: str | None = None,
        tail: bool = False,
    ) -> AsyncIterator[str]:
        """The newest `lines` lines, oldest first, and with `tail` those that follow for ever.

        `source` is "app" or "heroku"; `dyno` an instance (`web.1`) or a process type (`web`).
        """

    def build_output(self, build: Build) -> AsyncIterator[str]:
        """What the build printed, and what it prints until it ends."""


class Platform(Protocol):
    @property
    def settings(self) -> Settings: ...

    @property
    def database(self) -> Database: ...

    @property
    def operations(self) -> Operations: ...

    @property
    def logs(self) -> Logs: ...
