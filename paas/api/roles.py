"""Which permission for its app a request needs, and what there is beside apps for whom. Pure.

What is named nowhere here is there for operators only.
"""

import re

from paas.api import permissions
from paas.apps.access import Permission
from paas.apps.scopes import Scope

_OF_AN_APP = re.compile(r"(?:/smartplatform|/teams)?/apps/([^/]+)(/.*)?")
_RUNS = re.compile(r"/dynos(/[^/]+)?|/dynos/[^/]+/ports/[^/]+|/config-vars|/crons(/.*)?")
_DEPLOYS = re.compile(
    r"/(builds|releases|sources|buildpack-installations|git-connection|objects)(/.*)?"
)
_MANAGED = re.compile(r"/collaborators(/.*)?")
_MANAGED_READS = re.compile(r"/audit")
_LEAVES = re.compile(r"/collaborators/[^/]+")
_OPEN = re.compile(
    r"/apps|/sources|/smartplatform/root-certificate|/users/[^/]+(/.*)?"
    r"|/(account|oauth/(authorizations|clients|sessions|tokens)|stacks|regions|dyno-sizes)(/.*)?"
    r"|/(actions|addon-attachments|addon-region-capabilities|addon-services|addons|app-setups"
    r"|enterprise-accounts|filters|generations|organizations|password-resets|pipeline-couplings"
    r"|pipeline-promotions|pipeline-transfers|pipelines|plans|review-apps|spaces|teams"
    r"|telemetry-drains|test-runs)(/.*)?"
)
"""Also what is refused to everybody by its name (paas.api.endpoints.refused)."""
OPERATORS = re.compile(r"/metrics|/smartplatform/(accounts|audit|git-passes)(/.*)?")
"""What is refused to others by its name; anything else is not there for them."""
_LIMITED = re.compile(
    r"/account|/account/rate-limits|/apps|/stacks|/regions|/dyno-sizes|/oauth/authorizations/~"
)
_EITHER = frozenset({Permission.DEPLOY, Permission.OPERATE})


def app_of(path: str) -> str | None:
    """The name or id of the app that the path is about."""
    match = _OF_AN_APP.fullmatch(path)
    return match[1] if match else None


def needed(method: str, path: str) -> frozenset[Permission]:
    """One of these, for a path of an app. What a handler has to ask besides, it asks itself: a
    change of an app's name needs more than one of its maintenance mode."""
    match = _OF_AN_APP.fullmatch(path)
    assert match is not None
    rest = match[2] or ""
    scope = permissions.needed(method, path)
    if _MANAGED_READS.fullmatch(rest):
        return frozenset({Permission.MANAGE})
    if scope is Scope.READ:
        return frozenset({Permission.VIEW})
    if _LEAVES.fullmatch(rest) and method == "DELETE":
        return frozenset({Permission.VIEW})  # oneself; the handler demands more for others
    if _MANAGED.fullmatch(rest) or (not rest and method == "DELETE"):
        return frozenset({Permission.MANAGE})
    if not rest:
        return _EITHER | {Permission.MANAGE}
    if scope is Scope.READ_PROTECTED:
        return _EITHER
    if _DEPLOYS.fullmatch(rest):
        return frozenset({Permission.DEPLOY})
    if scope is Scope.WRITE_PROTECTED and _RUNS.fullmatch(rest):
        return _EITHER
    return frozenset({Permission.OPERATE})


def is_open(path: str) -> bool:
    """Whether every account may ask there; what it is told is its own."""
    return _OPEN.fullmatch(path) is not None


def is_for_limited(method: str, path: str) -> bool:
    """Whether a token for some apps may ask there, beside what is of its apps: it may not come to
    more than it was given, by making a token or a password."""
    if method == "DELETE":
        return path == "/oauth/authorizations/~"
    return method in ("GET", "HEAD") and _LIMITED.fullmatch(path) is not None
