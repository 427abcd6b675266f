"""app.json as a whole: read, and checked field by field."""

from typing import Any

from buildpacks.app_json import checks, without_effect
from buildpacks.app_json.declared import AppJson, Cron, Size, Variable
from buildpacks.app_json.fields import Field
from buildpacks.findings import Refused, refuse
from buildpacks.nodejs import manifest

FILE = "app.json"
FILE_BYTES_MAX = 256 * 1024
QUANTITY_MAX = 100
_OF_OTHERS = ("expo", "displayName")
"""Expo and React Native keep their own settings in a file of this name."""
_GENERATORS = ("secret",)
_CRON_EXAMPLES = {"schedule": 'a text like "*/5 * * * *"', "command": 'a text like "node job.js"'}


def parse(content: bytes) -> AppJson | None:
    """None where it is another tool's. Raises Refused, which names the path of what is wrong."""
    value = _load(content)
    if any(name in value for name in _OF_OTHERS):
        return None
    whole = Field("", value)
    found, said = checks.read(whole.get("healthchecks"))
    return AppJson(
        env={field.name: _variable(field) for field in whole.get("env").object()},
        formation=_formation(whole.get("formation")),
        postdeploy=whole.get("scripts").get("postdeploy").text().strip(),
        buildpacks=tuple(_buildpack(item) for item in whole.get("buildpacks").list()),
        checks=found,
        crons=tuple(_cron(item) for item in whole.get("cron").list()),
        notices=(*without_effect.notices(whole), *said),
    )


def _load(content: bytes) -> dict[str, Any]:
    try:
        return manifest.load_object(FILE, content, FILE_BYTES_MAX)
    except Refused as refused:
        failure = refused.failure
        hint = failure.hint
        if "holds no JSON object" in failure.message:
            hint = 'It must begin with { and end with }, e.g. {"env": {"NAME": {"value": "x"}}}'
        raise refuse("invalid_app_json", failure.message, hint) from refused


def _variable(field: Field) -> Variable:
    if not isinstance(field.value, dict):
        return Variable(field.scalar(), is_required=field.value is None)
    generator = field.get("generator").text()
    if generator and generator not in _GENERATORS:
        raise field.get("generator").wrong('"secret", the only generator there is')
    return Variable(
        value=field.get("value").scalar(),
        is_required=field.get("required").truth(otherwise=True),
        is_secret=bool(generator),
        description=field.get("description").text(),
    )


def _formation(field: Field) -> dict[str, Size]:
    """An object by process type; a list of objects that name theirs is its older form."""
    if isinstance(field.value, list):
        return {item.get("process").text(): _size(item) for item in field.list()}
    return {each.name: _size(each) for each in field.object()}


def _size(field: Field) -> Size:
    return Size(field.get("quantity").whole(QUANTITY_MAX), field.get("size").text())


def _cron(item: Field) -> Cron:
    """Dokku's `concurrency_policy` `replace` ends a run for the next one: nothing here does."""
    for name in ("command", "schedule"):
        if not item.get(name).text().strip():
            raise item.get(name).wrong(_CRON_EXAMPLES[name])
    policy = item.get("concurrency_policy")
    if policy.text() not in ("", "allow", "forbid"):
        raise policy.wrong('"forbid" (the default) or "allow"')
    return Cron(
        item.path,
        item.get("schedule").text().strip(),
        item.get("command").text().strip(),
        item.get("name").text().strip(),
        item.get("timezone").text().strip(),
        policy.text() == "allow",
    )


def _buildpack(item: Field) -> str:
    found = item.text() if isinstance(item.value, str) else item.get("url").text()
    if not found.strip():
        raise item.wrong('an object like {"url": "heroku/nodejs"}')
    return found.strip()
