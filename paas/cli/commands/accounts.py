"""Accounts of the platform, for those who operate it: make, invite, change, remove."""

from typing import Any

from paas.cli.call import Call, usage
from paas.cli.command import JSON, Argument, Option, command
from paas.cli.commands.auth import new_password
from paas.cli.output import note, print_columns, print_json, print_line, progress, when
from paas.client.api import path

EMAIL = Argument("EMAIL", "the account's address")


@command(
    "Lists the accounts of the platform. For operators.", options=[JSON], examples=["paas accounts"]
)
def accounts(call: Call) -> None:
    found = call.client.get("/smartplatform/accounts")
    if call.json:
        print_json(found)
    else:
        titles = ["E-mail", "Name", "Role", "Password", "Made", "Last login"]
        print_columns([_row(one) for one in found], titles)


def _row(one: dict[str, Any]) -> list[str]:
    role = "operator" if one["operator"] else "user"
    password = "yes" if one["has_password"] else "no"
    last = when(one.get("last_login")) or "never"
    return [one["email"], one["name"], role, password, when(one["created_at"]), last]


@command(
    "Makes an account, and prints the code that is its invitation: good for one `paas login`\n"
    "within three days. With --password the account gets one at once, which is asked for or read\n"
    "from standard input. An account sees its own apps and those it is given access to; an\n"
    "operator sees and does everything.",
    arguments=[EMAIL],
    options=[
        Option("name", "what the person is called", "NAME"),
        Option("operator", "may operate the platform"),
        Option("password", "set a password in the place of an invitation"),
        JSON,
    ],
    examples=["paas accounts:add ada@example.com", "paas accounts:add bo@example.com --operator"],
)
def add(call: Call) -> None:
    body: dict[str, Any] = {"email": call.arguments[0], "operator": "operator" in call.flags}
    body |= {"name": call.options["name"]} if "name" in call.options else {}
    if "password" in call.flags:
        body["password"] = new_password("accounts:add")
    with progress(f"Making the account {call.arguments[0]}"):
        made = call.client.post("/smartplatform/accounts", body)
    _show(call, made)


@command(
    "Prints another code for an account, good for one `paas login` within three days: for one who\n"
    "has not come yet, or has forgotten the password. The password and earlier codes are void\n"
    "from then on.",
    arguments=[EMAIL],
    options=[JSON],
    examples=["paas accounts:invite ada@example.com"],
)
def invite(call: Call) -> None:
    place = path("smartplatform", "accounts", call.arguments[0], "actions", "invite")
    _show(call, call.client.post(place))


def _show(call: Call, made: dict[str, Any]) -> None:
    if call.json:
        print_json(made)
        return
    if made["invitation"]:
        print_line(made["invitation"]["code"])
        note(f"Tell it to {made['email']}, over a way that you trust: `paas login` takes it once,")
        note("within three days. `paas auth:password --first` sets a password then.")


@command(
    "Changes an account's name, or whether it operates the platform.",
    arguments=[EMAIL],
    options=[
        Option("name", "what the person is called", "NAME"),
        Option("operator", "may operate the platform"),
        Option("no-operator", "may operate it no more"),
        JSON,
    ],
    examples=["paas accounts:set ada@example.com --operator"],
)
def set_account(call: Call) -> None:
    body: dict[str, Any] = {"name": call.options["name"]} if "name" in call.options else {}
    chosen = call.flags & {"operator", "no-operator"}
    if len(chosen) > 1:
        raise usage("accounts:set", "--operator and --no-operator can't be both.")
    if chosen:
        body["operator"] = "operator" in chosen
    if not body:
        raise usage("accounts:set", "There is nothing to change.")
    with progress(f"Changing the account {call.arguments[0]}"):
        changed = call.client.patch(path("smartplatform", "accounts", call.arguments[0]), body)
    if call.json:
        print_json(changed)


@command(
    "Ends all tokens, codes and SSH keys of an account and forgets its password: for one whose\n"
    "computer was stolen. `paas accounts:invite` lets it in again.",
    arguments=[EMAIL],
    options=[JSON],
    examples=["paas accounts:lock ada@example.com"],
)
def lock(call: Call) -> None:
    place = path("smartplatform", "accounts", call.arguments[0], "actions", "lock")
    with progress(f"Locking {call.arguments[0]} out"):
        locked = call.client.post(place)
    if call.json:
        print_json(locked)


@command(
    "Removes an account with its tokens, codes, SSH keys and access to others' apps. One that\n"
    "owns apps stays until they are gone.",
    arguments=[EMAIL],
    options=[JSON],
    examples=["paas accounts:remove ada@example.com"],
)
def remove(call: Call) -> None:
    with progress(f"Removing the account {call.arguments[0]}"):
        gone = call.client.delete(path("smartplatform", "accounts", call.arguments[0]))
    if call.json:
        print_json(gone)
