"""What gitserver asks of us: who this is, where a repository is, and what a push does."""

import gitserver
from gitserver.interface import Scope
from paas import push
from paas.api.authentication import OWNER_SCOPE, secret_of
from paas.apps.account import OWNER_EMAIL
from paas.apps.app import nearest_name
from paas.platform import Platform
from paas.store import apps, tokens


def application(platform: Platform) -> gitserver.GitServer:
    """The git server of the platform's apps."""

    async def authenticate(authorization: str | None, scope: Scope) -> str | None:
        if scope.get(OWNER_SCOPE) is True:
            return OWNER_EMAIL
        secret = secret_of(authorization or "")
        if secret is None:
            return None
        token = await platform.database.run(tokens.authenticate, secret)
        return token.user if token else None

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


def _unknown(name: str, known: list[str]) -> str:
    nearest = nearest_name(name, known)
    lines = [f"there is no app {name!r} here."]
    if nearest:
        lines.append(f"Did you mean {nearest}? Then: paas git:remote -a {nearest}")
    lines.append(f"To make it: paas create {name}")
    return "\n".join(lines)
