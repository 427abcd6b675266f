"""Which scope a request needs. What is not named here needs `global`."""

import re

from paas.apps.scopes import Scope

_APP = "/apps/[^/]+"
_PROTECTED = re.compile(
    rf"{_APP}/(config-vars|releases|buildpack-installations)(/.*)?"
    rf"|/smartplatform{_APP}/(audit|pipeline-differences)"
)
_READ = re.compile(
    r"/(apps|addons|addon-attachments|dyno-sizes|enterprise-accounts|organizations"
    r"|pipeline-couplings|pipeline-promotions|pipelines|regions|spaces|stacks|teams|smartplatform/apps)(/.*)?"
    r"|/smartplatform/root-certificate"
    r"|/users/[^/]+/(addons|pipeline-couplings|apps)"
)
_IDENTITY = re.compile(r"/account(/.*)?|/users/[^/]+")
_DEPLOYS = re.compile(
    rf"{_APP}/(config-vars|releases|builds|buildpack-installations)(/.*)?|({_APP})?/sources"
    rf"|{_APP}/git-connection(/.*)?|/smartplatform{_APP}/objects/missing"
    rf"|/pipeline-promotions|{_APP}/dynos(/[^/]+)?|/smartplatform{_APP}/(dynos/[^/]+/ports/[^/]+|crons(/.*)?)"
)
"""What brings code to run, which sees config vars: a push, and a command as well."""
_WRITE = re.compile(r"(/teams)?/apps(/.*)?|/(pipelines|pipeline-couplings)(/.*)?")
_RESTARTS = re.compile(rf"{_APP}/dynos(/[^/]+)?")
_OWN = re.compile(r"/oauth/authorizations/~")
"""A token may show and end itself."""


def needed(method: str, path: str) -> Scope | None:
    """None where any token will do."""
    if _OWN.fullmatch(path) and method in ("GET", "DELETE"):
        return None
    if method in ("GET", "HEAD"):
        return _to_read(path)
    if re.fullmatch(rf"{_APP}/log-sessions|/filters/apps", path):
        return Scope.READ
    if _RESTARTS.fullmatch(path) and method == "DELETE":
        return Scope.WRITE
    if _DEPLOYS.fullmatch(path):
        return Scope.WRITE_PROTECTED
    return Scope.WRITE if _WRITE.fullmatch(path) else Scope.GLOBAL


def _to_read(path: str) -> Scope:
    if path == "/metrics":
        return Scope.METRICS
    if _IDENTITY.fullmatch(path):
        return Scope.IDENTITY
    if _PROTECTED.fullmatch(path):
        return Scope.READ_PROTECTED
    return Scope.READ if _READ.fullmatch(path) else Scope.GLOBAL
