"""Where an app's log is sent."""

from typing import Any
from urllib.parse import quote

from paas.cli.call import Call
from paas.cli.command import APP, JSON, REMOTE, Argument, command
from paas.cli.output import hexagon, note, print_columns, print_json, progress
from paas.client.api import path


@command(
    "Lists where an app's log is sent to, and how that goes since the platform was started.",
    options=[APP, REMOTE, JSON],
    examples=["paas drains", "paas drains -a hello --json"],
)
def drains(call: Call) -> None:
    found = call.client.get(_path(call))
    if call.json:
        print_json(found)
    elif not found:
        note(f"{hexagon(call.app)} has no drains. Add one: paas drains:add URL")
    else:
        titles = ["URL", "Token", "Delivered", "Dropped", "Waiting", "State"]
        print_columns([_row(one) for one in found], titles)


def _row(one: dict[str, Any]) -> list[Any]:
    state = f"tries again: {one['failure']}" if one["failure"] else "ok"
    return [one["url"], one["token"], one["delivered"], one["dropped"], one["waiting"], state]


@command(
    "Sends an app's log elsewhere from now on: by syslog over TLS or TCP (RFC 5424, the number of\n"
    "bytes before each message), or by HTTPS as Heroku does (application/logplex-1). What the\n"
    "receiver is too slow for is dropped, counted, and told it.",
    arguments=[Argument("URL", "syslog+tls://host:port, syslog://host:port or https://…")],
    options=[APP, REMOTE, JSON],
    examples=[
        "paas drains:add syslog+tls://logs.example.com:6514",
        "paas drains:add https://user:password@logs.example.com/drain -a hello",
    ],
)
def add(call: Call) -> None:
    with progress(f"Adding a drain to {hexagon(call.app)}") as state:
        made = call.client.post(_path(call), {"url": call.arguments[0]})
        state.result = str(made["token"])
    if call.json:
        print_json(made)


@command(
    "Sends an app's log there no more.",
    arguments=[Argument("DRAIN", "its URL or token, as `paas drains` has it")],
    options=[APP, REMOTE, JSON],
    examples=["paas drains:remove syslog+tls://logs.example.com:6514"],
)
def remove(call: Call) -> None:
    with progress(f"Removing a drain from {hexagon(call.app)}"):
        gone = call.client.delete(f"{_path(call)}/{quote(call.arguments[0], safe='')}")
    if call.json:
        print_json(gone)


def _path(call: Call) -> str:
    return path("apps", call.app, "log-drains")
