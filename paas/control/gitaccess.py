"""What gitserver asks of us: who this is, where a repository is, and what a push does."""

import base64
import hashlib
import time
from collections.abc import Awaitable, Callable

import gitserver
from gitserver import Refusal
from gitserver.interface import Scope as AsgiScope
from paas.api.authentication import OWNER_SCOPE, secret_of
from paas.apps import keys as key_rules
from paas.apps import passes as gitpass
from paas.apps import scopes
from paas.apps.account import OWNER_EMAIL
from paas.apps.apps import nearest_name
from paas.apps.scopes import Scope
from paas.deploys import push
from paas.platform.platform import Platform
from paas.store import apps, keys, passes, tokens
from paas.store.tokens import Token


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
        return _refusal(token, pushes=pushes) or token.user

    async def find(name: str, user: str) -> gitserver.Found | gitserver.NotFoundMessage:
        app = await platform.database.run(apps.by_name, name)
        if app is not None:
            return gitserver.Found(platform.settings.repository(app.id))
        known = [item.name for item in await platform.database.run(apps.all)]
        return gitserver.NotFoundMessage(_unknown(name, known))

    async def accept(incoming: gitserver.Push) -> dict[str, str | None]:
        return dict(await push.receive(platform, incoming))

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
