"""Releases that need no build: a changed configuration, and a rollback."""

from collections.abc import Mapping
from dataclasses import dataclass

from paas.apps import build_limits
from paas.apps.apps import App
from paas.apps.releases import Release
from paas.deploys import changes
from paas.operations.alone import alone
from paas.platform.platform import Platform


@dataclass(frozen=True)
class Releases:
    platform: Platform

    async def change_config(self, app: App, values: Mapping[str, str | None], user: str) -> Release:
        """The release that has the changed configuration; None unsets."""
        build_limits.check(values, build_limits.of_platform(self.platform.settings))
        work = changes.change_config(self.platform, app, values, user)
        return await alone(self.platform, app, work)

    async def rollback(self, app: App, version: int, user: str) -> Release:
        work = changes.rollback(self.platform, app, version, user)
        return await alone(self.platform, app, work)
