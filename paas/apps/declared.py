"""What an app.json declares becomes the app's own: config vars and sizes, where it has none. Pure.

Config vars are taken from it once, before the app's first release with an image; what is set stays.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from buildpacks.app_json import Cron, Size, Variable
from buildpacks.findings import Notice
from paas.apps import config_vars, runs, schedules
from paas.apps import crons as cron_rules
from paas.apps.formation import FormationEntry
from paas.apps.packages import DEFAULT_PACKAGE, package
from paas.apps.processes import RELEASE_COMMAND, WEB, check_type
from paas.errors import UserError

SECRET_BYTES = 32
_DESCRIPTION_CHARACTERS = 80


@dataclass(frozen=True)
class Config:
    """`changes` are config vars to set; `made_up` are the names of those that are secrets."""

    changes: Mapping[str, str]
    made_up: tuple[str, ...]
    notices: tuple[Notice, ...]


def config(env: Mapping[str, Variable], current: Mapping[str, str], app_name: str) -> Config:
    """Of an app's first deploy. Raises UserError when one that is required has no value: with the
    command that gives it one."""
    left_out, wanted = dict[str, str](), dict[str, Variable]()
    for name, variable in env.items():
        try:
            config_vars.check(name, variable.value or "x")
            wanted[name] = variable
        except UserError as error:
            left_out[name] = error.message.rstrip(".")
    missing = [name for name in lacking(wanted, current)]
    if missing:
        raise _missing(missing, env, app_name)
    new = {name: each for name, each in wanted.items() if name not in current}
    made_up = tuple(name for name, each in new.items() if _is_made_up(each))
    given = {name: each.value for name, each in new.items() if each.value is not None}
    changes = {**given, **{name: secrets.token_hex(SECRET_BYTES) for name in made_up}}
    notices = tuple(
        Notice("app_json_env", f"app.json: env.{name} is left out: {why}")
        for name, why in left_out.items()
    )
    return Config(changes, made_up, notices)


def lacking(env: Mapping[str, Variable], current: Mapping[str, str]) -> list[str]:
    """The config vars that are required, have no value in app.json and are not set."""
    return [
        name
        for name, each in env.items()
        if each.is_required
        and each.value is None
        and not each.is_secret
        and name not in current
        and _can_be_set(name)
    ]


def later(env: Mapping[str, Variable], current: Mapping[str, str], app_name: str) -> list[Notice]:
    """What a later deploy says of config vars that app.json has and the app has not."""
    missing = lacking(env, current)
    new = [name for name in env if name not in current and name not in missing]
    new = [name for name in new if env[name].value is not None or env[name].is_secret]
    notices = []
    if missing:
        message = f"app.json requires config vars that are not set: {', '.join(missing)}"
        notices.append(Notice("app_json_env_missing", message, _command(missing, app_name)))
    if new:
        message = f"app.json has config vars that are not set: {', '.join(new)}"
        hint = f"They are taken from it at an app's first deploy only: {_command(new, app_name)}"
        notices.append(Notice("app_json_env_new", message, hint))
    return notices


def formation(sizes: Mapping[str, Size]) -> tuple[tuple[FormationEntry, ...], list[Notice]]:
    """What process types begin with that the app never had."""
    entries, notices = [], list[Notice]()
    for type_, size in sizes.items():
        where = f"app.json: formation.{type_}"
        try:
            check_type(type_)
        except UserError:
            notices.append(Notice("app_json_formation", f"{where} is no process type"))
            continue
        if type_ == RELEASE_COMMAND:
            notices.append(Notice("app_json_formation", f"{where} is run once, whatever it says"))
            continue
        name = DEFAULT_PACKAGE
        try:
            name = package(size.package).name if size.package else name
        except UserError as error:
            message = f"{where}.size: {error.message} {name} it is"
            notices.append(Notice("app_json_formation", message, error.hint))
        quantity = int(type_ == WEB) if size.quantity is None else size.quantity
        entries.append(FormationEntry(type_, quantity, name))
    return tuple(entries), notices


def crons(found: Sequence[Cron]) -> tuple[cron_rules.Given, ...]:
    """Raises UserError, which names the place in the file."""
    given: dict[str, cron_rules.Given] = {}
    for cron in found:
        try:
            name = cron.name or cron_rules.name_of(cron.command, given)
            if name in given:
                raise UserError("invalid_params", f"{name} is another one's name.")
            given[name] = cron_rules.Given(
                cron_rules.check_name(name),
                schedules.check(cron.schedule),
                schedules.check_zone(cron.timezone or schedules.DEFAULT_ZONE),
                runs.check_command(cron.command),
                DEFAULT_PACKAGE,
                overlap=cron.overlap,
            )
        except UserError as error:
            message = f"app.json: {cron.path}: {error.message}"
            raise UserError("invalid_app_json", message, error.hint) from error
    cron_rules.check_count(len(given))
    return tuple(given.values())


def _is_made_up(variable: Variable) -> bool:
    return variable.is_secret and variable.value is None


def _can_be_set(name: str) -> bool:
    try:
        config_vars.check(name, "x")
    except UserError:
        return False
    return True


def _missing(names: list[str], env: Mapping[str, Variable], app_name: str) -> UserError:
    described = [
        f"{name} ({env[name].description[:_DESCRIPTION_CHARACTERS]})"
        if env[name].description
        else name
        for name in names
    ]
    return UserError(
        "config_missing",
        f"app.json requires config vars that are not set: {', '.join(described)}",
        f"Give each its value and push again: {_command(names, app_name)}",
    )


def _command(names: list[str], app_name: str) -> str:
    return f"paas config:set {' '.join(f'{name}=…' for name in names)} -a {app_name}"
