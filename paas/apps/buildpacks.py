"""The buildpacks of an app: none, which leaves it to the platform's own, or a list in its order."""

from collections.abc import Mapping, Sequence

from buildpacks.classic import OURS, Buildpack, parse
from buildpacks.findings import Refused
from paas.errors import UserError

VARIABLE = "BUILDPACK_URL"
"""What users of Heroku and Dokku may have; the app's own list goes before it."""
MOST = 20


def check(names: Sequence[str], *, plain_http: bool = False) -> tuple[str, ...]:
    """As they are kept. Raises UserError for one that names no buildpack, or stands there twice."""
    found = [_parsed(name, plain_http).name for name in names]
    if len(found) > MOST:
        raise UserError("invalid_params", f"An app may have {MOST} buildpacks.")
    for name in found:
        if found.count(name) > 1:
            raise UserError(
                "invalid_params", f"The buildpack {_parsed(name, plain_http).shown} is set twice."
            )
    return tuple(found)


def of(
    names: Sequence[str], config: Mapping[str, str], *, plain_http: bool = False
) -> tuple[Buildpack, ...]:
    """Those that count at a build. Raises UserError for a config var that names none."""
    if names or not config.get(VARIABLE):
        return tuple(_parsed(name, plain_http) for name in names)
    try:
        return (_parsed(config[VARIABLE], plain_http),)
    except UserError as error:
        hint = f"{error.hint}; or paas config:unset {VARIABLE}"
        message = f"The config var {VARIABLE}: {error.message}"
        raise UserError(error.id, message, hint) from error


def normal(names: Sequence[str]) -> tuple[str, ...]:
    """The platform's own alone is what an app has that names none."""
    return () if tuple(names) == (OURS,) else tuple(names)


def _parsed(name: str, plain_http: bool) -> Buildpack:
    try:
        return parse(name, plain_http=plain_http)
    except Refused as refused:
        failure = refused.failure
        raise UserError("invalid_params", f"{failure.message}.", failure.hint) from refused
