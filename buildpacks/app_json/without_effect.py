"""What an app.json may say that changes nothing here: named, so that nobody waits for it."""

from collections.abc import Iterator

from buildpacks.app_json.fields import Field
from buildpacks.findings import Notice

_DESCRIBES = (
    *("name", "description", "keywords", "website", "repository", "logo", "success_url", "$schema"),
    *("team", "generator", "region"),
)
"""What people and galleries read."""
_TAKEN = ("env", "formation", "scripts", "buildpacks", "healthchecks", "cron")
_SCRIPTS = ("postdeploy",)
_NAMED_MAX = 12


def notices(whole: Field) -> Iterator[Notice]:
    """Raises Refused for what has not the form that it should have."""
    yield from _addons(whole.get("addons"))
    yield from _of_other_environments(whole.get("environments"))
    yield from _cron(whole.get("cron"))
    stack = whole.get("stack").text()
    if stack:
        yield Notice(
            "app_json_without_effect",
            f"app.json: stack {stack!r} does nothing: every app has the platform's own",
        )
    yield from _scripts(whole.get("scripts"))
    known = {*_DESCRIBES, *_TAKEN, "addons", "environments", "stack"}
    unknown = [field.path for field in whole.object() if field.path not in known]
    if unknown:
        yield Notice(
            "app_json_without_effect",
            f"app.json: {_listed(unknown)} {_does(unknown)} nothing here",
        )


def _addons(field: Field) -> Iterator[Notice]:
    plans = [
        item.value if isinstance(item.value, str) else item.get("plan").text()
        for item in field.list()
    ]
    if plans:
        yield Notice(
            "app_json_addons",
            f"app.json: addons ({_listed(plans)}): there are no add-ons here yet",
            "Run the service elsewhere, and name its address before the app needs it, "
            "e.g. paas config:set DATABASE_URL=…",
        )


def _of_other_environments(field: Field) -> Iterator[Notice]:
    names = [each.name for each in field.object()]
    if names:
        yield Notice(
            "app_json_without_effect",
            f"app.json: environments ({_listed(names)}) do nothing: there are no review apps "
            "and no CI here yet",
        )


_CRON_TAKEN = ("schedule", "command", "name", "timezone", "concurrency_policy")


def _cron(field: Field) -> Iterator[Notice]:
    others = [
        each.path for item in field.list() for each in item.object() if each.name not in _CRON_TAKEN
    ]
    if others:
        yield Notice(
            "app_json_without_effect", f"app.json: {_listed(others)} {_does(others)} nothing here"
        )


def _scripts(field: Field) -> Iterator[Notice]:
    others: list[str] = []
    for each in field.object():
        if isinstance(each.value, dict):
            others += [inner.path for inner in each.object()]
        elif each.name not in _SCRIPTS:
            each.text()
            others.append(each.path)
    if others:
        yield Notice(
            "app_json_without_effect",
            f"app.json: {_listed(others)} {_does(others)} nothing here",
            "A command before each switch is the Procfile's `release`.",
        )


def _listed(names: list[str]) -> str:
    more = len(names) - _NAMED_MAX
    return ", ".join(names[:_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def _does(names: list[str]) -> str:
    return "does" if len(names) == 1 else "do"
