"""Maintenance mode: the router answers with a page of its own, and the app goes on running."""

from paas.cli.call import Call
from paas.cli.command import APP, JSON, REMOTE, command
from paas.cli.output import hexagon, print_json, print_line, progress
from paas.client.api import path


@command(
    "Says whether maintenance mode is on.",
    options=[APP, REMOTE, JSON],
    examples=["paas maintenance -a hello"],
)
def maintenance(call: Call) -> None:
    app = call.client.get(path("apps", call.app))
    if call.json:
        print_json({"maintenance": bool(app["maintenance"])})
    else:
        print_line("on" if app["maintenance"] else "off")


@command(
    "Answers every request with a maintenance page (status 503). The app goes on running.",
    options=[APP, REMOTE],
    examples=["paas maintenance:on -a hello"],
)
def on(call: Call) -> None:
    with progress(f"Enabling maintenance mode for {hexagon(call.app)}"):
        call.client.patch(path("apps", call.app), {"maintenance": True})


@command(
    "Lets the app answer again.",
    options=[APP, REMOTE],
    examples=["paas maintenance:off -a hello"],
)
def off(call: Call) -> None:
    with progress(f"Disabling maintenance mode for {hexagon(call.app)}"):
        call.client.patch(path("apps", call.app), {"maintenance": False})
