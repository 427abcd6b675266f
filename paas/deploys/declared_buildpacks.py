"""The buildpacks that app.json names: the app's own from its first deploy on, if it has none yet.

So does a file `.buildpacks`, an address a line, which users of Dokku have. What a deploy that
failed has taken from there is no decision of anybody's: until one has succeeded, the file is obeyed
as it is then.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from buildpacks import output
from buildpacks.classic import OURS, parse
from buildpacks.findings import Failure, Notice
from paas.apps import buildpacks as rules
from paas.builder import BuildFailed
from paas.deploys.attempt import Attempt
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.store import apps

LISTED_FILE = ".buildpacks"


@dataclass(frozen=True)
class Listed:
    """What a file names."""

    file: str
    names: Sequence[str]


def lines(content: bytes) -> tuple[str, ...]:
    """Of `.buildpacks`."""
    text = content.decode("utf-8", "replace")
    found = (line.strip() for line in text.splitlines())
    return tuple(line for line in found if line and not line.startswith("#"))


async def declare(
    platform: Platform, attempt: Attempt, listed: Listed, *, is_first: bool
) -> tuple[str, ...]:
    """The app's buildpacks, now that its file is read. Raises BuildFailed for what names none."""
    app = attempt.app
    if not is_first or (app.buildpacks and not app.buildpacks_declared):
        return app.buildpacks
    plain_http = platform.settings.fetch_from_private_addresses
    try:
        wanted = rules.check(listed.names, plain_http=plain_http)
    except UserError as error:
        hint = f"{error.hint}. Change {listed.file} accordingly."
        message = f"{listed.file}: {error.message.rstrip('.')}"
        raise BuildFailed(Failure("declared_buildpacks", message, hint)) from error
    wanted = rules.normal(wanted)
    if wanted != app.buildpacks:
        await platform.database.run(apps.set_buildpacks, app.id, wanted, declared=bool(wanted))
    if wanted:
        shown = ", ".join(parse(name, plain_http=plain_http).shown for name in wanted)
        await attempt.transcript.write(output.detail(f"Buildpacks of {listed.file}: {shown}"))
    return wanted


def notices(listed: Listed, named: tuple[str, ...], app_name: str) -> list[Notice]:
    """Where the file names others than the app has."""
    try:
        wanted = rules.normal(rules.check(listed.names, plain_http=True))
    except UserError:
        wanted = tuple(listed.names)
    if not listed.names or wanted == rules.normal(named):
        return []
    message = f"{listed.file} names buildpacks that the app has not: they are taken from it at an "
    clear = [f"paas buildpacks:clear -a {app_name}"]
    adds = [f"paas buildpacks:add {name} -a {app_name}" for name in wanted or (OURS,)]
    hint = f"To have them: {' && '.join([*clear, *adds])}"
    return [Notice("declared_buildpacks", f"{message}app's first deploy only", hint)]
