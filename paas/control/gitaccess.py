"""What gitserver asks of us: who this is, where a repository is, and what a push does."""

import base64
import hashlib
import time
from collections.abc import Awaitable, Callable

from sqlalchemy import Connection

import gitserver
from gitserver import Refusal
from gitserver.interface import Scope as AsgiScope
from paas.api.authentication import OWNER_SCOPE, secret_of
from paas.apps import access, scopes
from paas.apps import keys as key_rules
from paas.apps import passes as gitpass
from paas.apps.access import Permission
from paas.apps.account import OWNER_EMAIL
from paas.apps.apps import App, nearest_name
from paas.apps.scopes import Scope
from paas.deploys import push
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.store import accounts, audit, collaborators, keys, passes, tokens
from paas.store.tokens import Token

NAMED_MAX = 5
"""Refs that the audit trail names: a push may bring thousands."""


def application(platform: Platform) -> gitserver.GitServer:
    """The git server of the platform's apps."""

    async def authenticate(
        authorization: str | None, scope: AsgiScope, pushes: bool
    ) -> str | gitserver.Refusal | None:
        if scope.get(OWNER_SCOPE) is True:
            return OWNER_EMAIL
        secret = secret_of(authorization or "")
        if secret is None:
            return None
        if gitpass.has_form(secret):
            key = await platform.database.run(passes.key)
            return OWNER_EMAIL if gitpass.is_valid(key, secret, time.time()) else None
        token = await platform.database.run(tokens.authenticate, secret)
        if token is None:
            return None
        limits = await _beyond_limits(platform, token, scope["path"])
        return limits or _refusal(token, pushes=pushes) or token.user

    async def find(name: str, user: str) -> gitserver.Found | gitserver.NotFoundMessage:
        app, text = await platform.database.run(_opened, user, name)
        if app is None:
            return gitserver.NotFoundMessage(text)
        return gitserver.Found(platform.settings.repository(app.id))

    async def accept(incoming: gitserver.Push) -> dict[str, str | None]:
        # While it came, its sender may have lost the right to push.
        app, _ = await platform.database.run(_opened, incoming.user, incoming.path.stem)
        if app is None:
            return {update.name: "you may not push here any more" for update in incoming.updates}
        named = ", ".join(update.name for update in incoming.updates[:NAMED_MAX])
        line = await platform.database.run(
            audit.begin, user=incoming.user, action="git push", origin="git", app=app.id
        )
        answers: dict[str, str | None] = {"": "cut off"}
        try:
            answers = dict(await push.receive(platform, incoming))
        finally:
            status = 422 if any(answers.values()) else 200
            await platform.database.run(audit.end, line, status, _printable(named))
        return answers

    return gitserver.application(
        repositories=platform.settings.repositories,
        authenticate=authenticate,
        find=find,
        accept=accept,
        limits=gitserver.Limits(),
    )


def identify(platform: Platform) -> Callable[[bytes, bool], Awaitable[str | Refusal | None]]:
    """Whose a public key is, and whether it may do that: gitserver.ssh asks."""

    async def answer(data: bytes, pushes: bool) -> str | Refusal | None:
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        key = await platform.database.run(keys.of_fingerprint, f"SHA256:{digest}")
        if key is None:
            return None
        error = key_rules.refusal(key.scope, pushes=pushes)
        return Refusal(f"{error.message}\n{error.hint}") if error else key.user

    return answer


def _printable(text: str) -> str:
    """A ref's name may have any byte but a few (gitserver escapes what is not UTF-8)."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:300])


def _opened(
    connection: Connection, user: str, name: str, only: frozenset[str] | None = None
) -> tuple[App | None, str]:
    """The app whose repository this user may push to and fetch from, or what to say instead.

    The code of an app is for those who deploy it; who may not view the app is told what is told
    of one that is not there.
    """
    account = accounts.by_email(connection, user)
    visible = collaborators.visible(connection, account, only) if account else []
    app = next((each for each in visible if name in (each.name, each.id)), None)
    if account is None or app is None:
        return None, _unknown(name, [each.name for each in visible])
    try:
        held = collaborators.seen(connection, account, app.id)[1]
        access.demand(held, frozenset({Permission.DEPLOY}), app.name)
    except UserError as error:
        return None, f"{error.message}\n{error.hint}"
    return app, ""


async def _beyond_limits(platform: Platform, token: Token, path: str) -> gitserver.Refusal | None:
    """For a token of some apps only: others are not there."""
    if token.apps is None:
        return None
    name = path.removeprefix("/").partition(".git")[0]
    only = frozenset(token.apps)
    app, text = await platform.database.run(_opened, token.user, name, only)
    return None if app else gitserver.Refusal(text)


def _refusal(token: Token, *, pushes: bool) -> gitserver.Refusal | None:
    """A push makes a release, and what it brings sees the config vars."""
    needed = Scope.WRITE_PROTECTED if pushes else Scope.READ
    if scopes.allows(token.scope, needed):
        return None
    error = scopes.forbidden(token.scope, needed, "A push" if pushes else "A fetch")
    return gitserver.Refusal(f"{error.message}\n{error.hint}")


def _unknown(name: str, known: list[str]) -> str:
    nearest = nearest_name(name, known)
    lines = [f"there is no app {name!r} here."]
    if nearest:
        lines.append(f"Did you mean {nearest}? Then: paas git:remote -a {nearest}")
    lines.append(f"To make it: paas create {name}")
    return "\n".join(lines)
