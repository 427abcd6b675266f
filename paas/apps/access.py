"""Who may do what with an app: Heroku's permissions of collaborators. Pure.

view      what the scope `read` of a token shows: the app, its instances, domains, logs
deploy    push and fetch, builds, releases, config vars, buildpacks, runs
operate   scale, restart, domains, certificates, routing, maintenance, config vars, runs
manage    rename, destroy, transfer, collaborators

Whoever brings code to run sees config vars (paas.apps.scopes). The owner and the platform's
operators may everything. Who may not view an app is told what is told of an app that is not there.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from paas.errors import UserError


class Permission(StrEnum):
    VIEW = "view"
    DEPLOY = "deploy"
    OPERATE = "operate"
    MANAGE = "manage"


ALL = frozenset(Permission)
DEFAULT = frozenset({Permission.VIEW, Permission.DEPLOY, Permission.OPERATE})
"""What Heroku's collaborators of an app without a team may do."""


@dataclass(frozen=True)
class Collaborator:
    """`email` may have no account yet: then this counts from the day it has one."""

    id: str
    app_id: str
    email: str
    created_at: datetime
    updated_at: datetime
    permissions: frozenset[Permission] = field(default=DEFAULT)


def check(names: Any) -> frozenset[Permission]:
    """The permissions of a list, or of a text with commas; `view` is among them always.

    Entries may be Heroku's objects with a name. None means the default. Raises UserError.
    """
    if names is None:
        return DEFAULT
    words = names.split(",") if isinstance(names, str) else names
    if not isinstance(words, list):
        raise _refusal("Permissions are a list.")
    found = [word.get("name") if isinstance(word, dict) else word for word in words]
    known = set(Permission)
    if not found:
        raise _refusal("There was no permission.")
    held = {Permission.VIEW}
    for word in found:
        if not isinstance(word, str) or word.strip() not in known:
            raise _refusal(f"There is no permission {str(word)[:40]!r}.")
        held.add(Permission(word.strip()))
    return frozenset(held)


def _refusal(message: str) -> UserError:
    return UserError("invalid_params", message, f"The permissions are {', '.join(Permission)}.")


def ordered(held: Iterable[Permission]) -> list[Permission]:
    """As they are listed above."""
    return [permission for permission in Permission if permission in set(held)]


def demand(held: frozenset[Permission], needed: frozenset[Permission], app: str) -> None:
    """Raises UserError(forbidden) where none of the needed is held."""
    if held & needed:
        return
    raise UserError(
        "forbidden",
        f"This needs the permission {' or '.join(ordered(needed))} for {app};"
        f" you have {', '.join(ordered(held)) or 'none'}.",
        f"Its owner, or who has manage, gives it: paas access:update EMAIL -a {app}"
        f" --permissions {','.join(ordered(held | {ordered(needed)[0]}))}",
    )
