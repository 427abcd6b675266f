"""Commands on routing settings: what the router does with an app's requests."""

from typing import Any

from paas.apps import routing as rules
from paas.cli.call import Call, usage
from paas.cli.command import APP, JSON, REMOTE, Argument, command
from paas.cli.output import (
    coloured,
    header,
    hexagon,
    note,
    plain,
    print_columns,
    print_json,
    print_line,
    progress,
)
from paas.client.api import path

PAGES = "config vars ERROR_PAGE_URL and MAINTENANCE_PAGE_URL"


@command(
    "Shows an app's routing settings, their defaults and what they mean.\n"
    f"The pages for errors and maintenance are named by the {PAGES}.",
    options=[APP, REMOTE, JSON],
    examples=["paas routing", "paas routing -a hello --json | jq .sticky"],
)
def routing(call: Call) -> None:
    found = call.client.get(path("apps", call.app, "routing"))
    if call.json:
        print_json(found)
        return
    header(f"{hexagon(call.app)} Routing")
    known = [setting for setting in rules.SETTINGS if setting.key in found]
    print_columns(
        [_row(setting, found[setting.key]) for setting in known],
        ["Setting", "Value", "Default", "Meaning"],
    )
    print_line()
    print_line("Change one: paas routing:set NAME=VALUE")
    _warn(found)


def _row(setting: rules.Setting, value: Any) -> list[str]:
    default = rules.shown(setting, setting.default)
    shown = rules.shown(setting, value)
    return [setting.name, shown, "" if shown == default else default, setting.meaning]


@command(
    "Changes routing settings. They are in force when the command returns; nothing is restarted.\n"
    "`paas routing` lists them. Times are seconds, or 500ms, 5m; sizes bytes, or 10MB, 10MiB;\n"
    "off takes a limit away.",
    arguments=[Argument("NAME=VALUE", "a setting and its value", least=1, most=0)],
    options=[APP, REMOTE, JSON],
    examples=[
        "paas routing:set sticky=on",
        "paas routing:set first-byte-timeout=60 concurrency=20",
        "paas routing:set requests-per-second=10 burst=50 body-max=10MB",
        "paas routing:set https=redirect health-path=/healthz -a hello",
    ],
)
def set_settings(call: Call) -> None:
    pairs = [_pair(argument) for argument in call.arguments]
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise usage("routing:set", f"{name} is given twice.")
    _change(call, "Setting", dict(pairs))


@command(
    "Gives routing settings their defaults again.",
    arguments=[Argument("NAME", "a setting, as `paas routing` shows it", least=1, most=0)],
    options=[APP, REMOTE, JSON],
    examples=["paas routing:unset sticky", "paas routing:unset concurrency queue-max -a hello"],
)
def unset(call: Call) -> None:
    _change(call, "Unsetting", {name: None for name in call.arguments})


def _change(call: Call, verb: str, changes: dict[str, str | None]) -> None:
    with progress(f"{verb} {', '.join(changes)} on {hexagon(call.app)}"):
        found = call.client.patch(path("apps", call.app, "routing"), changes)
    if call.json:
        print_json(found)
        return
    for name in changes:
        setting = rules.named(name)
        value = plain(rules.shown(setting, found[setting.key]))
        print(f"{coloured(setting.name + ':', '1')} {value}")
    _warn(found)


def _pair(argument: str) -> tuple[str, str]:
    name, equals, value = argument.partition("=")
    if not equals or not name:
        raise usage("routing:set", f"{argument!r} is no setting: write NAME=VALUE.")
    return name, value


def _warn(found: dict[str, Any]) -> None:
    if found["https"] == "redirect" and not found["tls"]:
        note("The router speaks no TLS here, so nothing is redirected: see PAAS_ROUTER_TLS_PORT.")
    if found["burst"] and not found["requests_per_second"]:
        note("burst counts only with requests-per-second.")
