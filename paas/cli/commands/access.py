"""Who may work on an app: its owner and collaborators."""

from typing import Any

from paas.cli.call import Call
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.output import print_columns, print_json, progress
from paas.client.api import path

EMAIL = Argument("EMAIL", "the address of an account")
WORDS = (
    "Permissions, with commas between: view (the app, its instances, domains, logs), deploy\n"
    "(pushes, releases, config vars, runs), operate (scale, restart, domains, maintenance, config\n"
    "vars, runs), manage (rename, destroy, give access). Each includes view."
)


@command(
    "Lists who may work on an app.", options=[APP, REMOTE, JSON], examples=["paas access -a hello"]
)
def access(call: Call) -> None:
    found = call.client.get(path("apps", call.app, "collaborators"))
    if call.json:
        print_json(found)
    else:
        print_columns([_row(one) for one in found], ["E-mail", "Role", "Permissions"])


def _row(one: dict[str, Any]) -> list[str]:
    held = ", ".join(each["name"] for each in one["permissions"])
    return [one["user"]["email"], one["role"], held]


@command(
    "Lets somebody work on an app. An address that has no account yet may do so from the day it\n"
    f"has one.\n\n{WORDS}",
    arguments=[EMAIL],
    options=[
        Option("permissions", "default: view,deploy,operate", "PERMISSION,…", "p"),
        APP,
        REMOTE,
        JSON,
    ],
    examples=[
        "paas access:add ada@example.com -a hello",
        "paas access:add bo@example.com -a hello --permissions view",
    ],
)
def add(call: Call) -> None:
    email, body = call.arguments[0], {"user": call.arguments[0], **_permissions(call)}
    with progress(f"Giving {email} access to ⬢ {call.app}"):
        made = call.client.post(path("apps", call.app, "collaborators"), body)
    if call.json:
        print_json(made)


@command(
    f"Changes what a collaborator may do.\n\n{WORDS}",
    arguments=[EMAIL],
    options=[
        Option("permissions", "all that the collaborator is to have", "PERMISSION,…", "p"),
        APP,
        REMOTE,
        JSON,
    ],
    examples=["paas access:update ada@example.com -a hello --permissions deploy,manage"],
)
def update(call: Call) -> None:
    email = call.arguments[0]
    with progress(f"Changing the access of {email} to ⬢ {call.app}"):
        place = path("apps", call.app, "collaborators", email)
        changed = call.client.patch(place, _permissions(call))
    if call.json:
        print_json(changed)


@command(
    "Lets somebody work on an app no more. What runs and was pushed stays as it is.",
    arguments=[EMAIL],
    options=[APP, REMOTE, JSON],
    examples=["paas access:remove ada@example.com -a hello"],
)
def remove(call: Call) -> None:
    email = call.arguments[0]
    with progress(f"Taking the access of {email} to ⬢ {call.app} away"):
        gone = call.client.delete(path("apps", call.app, "collaborators", email))
    if call.json:
        print_json(gone)


def _permissions(call: Call) -> dict[str, list[str]]:
    typed = call.options.get("permissions")
    return {} if typed is None else {"permissions": typed.split(",")}
