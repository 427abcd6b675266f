"""Connecting an app with a repository elsewhere, and hearing from there."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

from gitserver import GitServer
from paas import logs
from paas.apps import branches, git_hooks
from paas.apps import git_connections as rules
from paas.apps.apps import App
from paas.apps.git_connections import GitConnection
from paas.deploys import connected, git_host
from paas.errors import NotFound, UserError
from paas.platform.platform import Platform
from paas.store import git_connections
from paas.store.sql.row import new_id, now


@dataclass(frozen=True)
class GitConnections:
    platform: Platform
    git_server: GitServer

    async def connect(
        self,
        app: App,
        url: str,
        user: str,
        *,
        kind: str | None = None,
        branch: str | None = None,
        token: str | None = None,
    ) -> GitConnection:
        """With a new secret, in the place of an older connection. Raises UserError for what can't
        be reached, or has no such branch."""
        settings = self.platform.settings
        url = rules.check_url(url, plain_http=settings.fetch_from_private_addresses)
        made = GitConnection(
            app_id=app.id,
            hook=new_id(),
            url=url,
            kind=rules.kind_of(url, kind),
            branch=branches.check(branch or rules.DEFAULT_BRANCH),
            user=user,
            created_at=now(),
            secret=rules.new_secret(),
            token=rules.check_token(token),
        )
        await self._check(made)
        await self.platform.database.run(git_connections.put, made)
        await self._open()
        logs.note(settings, app.id, f"Connected with {made.branch} of {made.url} by user {user}")
        return made

    async def disconnect(self, app: App, user: str) -> GitConnection:
        """Raises NotFound."""
        gone = await self.platform.database.run(git_connections.delete, app.id)
        await self._open()
        logs.note(self.platform.settings, app.id, f"Disconnected from {gone.url} by user {user}")
        return gone

    async def deploy(self, app: App) -> GitConnection:
        """The branch as it is there now; does not wait for its end. Raises NotFound."""
        found = await self.platform.database.run(git_connections.ring, app.id, again=True)
        connected.start(self.platform, self.git_server, app.id)
        return found

    async def receive(self, hook: str, headers: Mapping[str, str], body: bytes) -> tuple[bool, str]:
        """What a host tells: whether it leads to a deploy, and a word on it. `headers` have
        lower-case names. Raises NotFound, and UserError for what is not signed as it should."""
        found = await self.platform.database.run(git_connections.by_hook, hook)
        if found is None:
            raise NotFound("There is no such hook (any more).", "See: paas git:connection")
        if not git_hooks.is_signed(found.kind, headers, body, found.secret, time.time()):
            raise UserError(
                "unauthorized",
                "The request is not signed with the secret of this hook.",
                f"Enter the secret that paas git:connect printed, as {found.kind} has it.",
            )
        event = git_hooks.event(found.kind, headers, body)
        if event.pushed != found.ref:
            what = event.pushed or event.name or "this"
            return False, f"{what} deploys nothing; {found.branch} does"
        await self.platform.database.run(git_connections.ring, found.app_id)
        connected.start(self.platform, self.git_server, found.app_id)
        return True, f"{found.branch} is looked at, and deployed unless it was"

    async def _open(self) -> None:
        """The address of hooks is there, or it is not any more."""
        self.platform.hostnames_changed.set()
        await self.platform.routes.publish_or_later()

    async def _check(self, made: GitConnection) -> None:
        try:
            tip = await asyncio.to_thread(git_host.tip, self.platform.settings, made)
        except git_host.Unreachable as error:
            raise UserError(
                "repository_unreachable",
                f"The repository can't be read: {error}.",
                "Is the address right? A private one needs a token that may read it: --token",
            ) from error
        if tip.commit is None:
            raise UserError(
                "invalid_params",
                f"{made.url} has no branch {made.branch}.",
                "Name the one that is to be deployed: --branch NAME",
            )
