"""The buildpacks that app.json names: the app's own from its first deploy on, if it has none yet.

What a deploy that failed has taken from the file is no decision of anybody's: until one has
succeeded, the file is obeyed as it is then.
"""

from buildpacks import output
from buildpacks.app_json import AppJson
from buildpacks.classic import OURS, parse
from buildpacks.findings import Failure, Notice
from paas.apps import buildpacks as rules
from paas.builder import BuildFailed
from paas.deploys.attempt import Attempt
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.store import apps


async def declare(
    platform: Platform, attempt: Attempt, found: AppJson | None, *, is_first: bool
) -> tuple[str, ...]:
    """The app's buildpacks, now that its file is read. Raises BuildFailed for what names none."""
    app = attempt.app
    if not is_first or (app.buildpacks and not app.buildpacks_declared):
        return app.buildpacks
    plain_http = platform.settings.fetch_from_private_addresses
    try:
        wanted = rules.check(found.buildpacks if found else (), plain_http=plain_http)
    except UserError as error:
        hint = f"{error.hint}. Change buildpacks in app.json accordingly."
        failure = Failure("app_json_buildpacks", f"app.json: {error.message.rstrip('.')}", hint)
        raise BuildFailed(failure) from error
    wanted = rules.normal(wanted)
    if wanted != app.buildpacks:
        await platform.database.run(apps.set_buildpacks, app.id, wanted, declared=bool(wanted))
    if wanted:
        shown = ", ".join(parse(name, plain_http=plain_http).shown for name in wanted)
        await attempt.transcript.write(output.detail(f"Buildpacks of app.json: {shown}"))
    return wanted


def notices(found: AppJson, named: tuple[str, ...], app_name: str) -> list[Notice]:
    """Where the file names others than the app has."""
    listed = tuple(name.strip() for name in found.buildpacks)
    try:
        wanted = rules.normal(rules.check(listed, plain_http=True))
    except UserError:
        wanted = listed
    if not listed or wanted == rules.normal(named):
        return []
    message = "app.json names buildpacks that the app has not: they are taken from it at an app's "
    clear = [f"paas buildpacks:clear -a {app_name}"]
    adds = [f"paas buildpacks:add {name} -a {app_name}" for name in wanted or (OURS,)]
    hint = f"To have them: {' && '.join([*clear, *adds])}"
    return [Notice("app_json_buildpacks", f"{message}first deploy only", hint)]
