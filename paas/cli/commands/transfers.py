"""Handing apps to other accounts."""

from typing import Any

from paas.cli.call import Call
from paas.cli.command import APP, JSON, REMOTE, Argument, command
from paas.cli.output import note, print_columns, print_json, progress, when
from paas.client.api import path

TRANSFER = Argument("APP", "the app that is handed over, or the transfer's id")


@command(
    "Hands an app to another account, which has to accept it; its owner of before goes on working\n"
    "on it. Who operates the platform hands it over at once.",
    arguments=[Argument("EMAIL", "the account's address")],
    options=[APP, REMOTE, JSON],
    examples=["paas apps:transfer ada@example.com -a hello"],
)
def transfer(call: Call) -> None:
    email = call.arguments[0]
    with progress(f"Handing ⬢ {call.app} to {email}") as state:
        body = {"app": call.app, "recipient": email}
        made = call.client.post("/account/app-transfers", body)
        state.result = str(made["state"])
    if call.json:
        print_json(made)
    elif made["state"] == "pending":
        note(f"They accept it by: paas apps:transfers:accept {call.app}")


@command(
    "Lists apps that you hand over, or are handed, and that nobody has answered for.",
    options=[JSON],
    examples=["paas apps:transfers"],
)
def transfers(call: Call) -> None:
    found = call.client.get("/account/app-transfers")
    if call.json:
        print_json(found)
    elif not found:
        note("There are no transfers.")
    else:
        rows = [_row(one) for one in found]
        print_columns(rows, ["App", "From", "To", "Since"])


def _row(one: dict[str, Any]) -> list[str]:
    people = [one[key]["email"] for key in ("owner", "recipient")]
    return [one["app"]["name"], *people, when(one["created_at"])]


@command(
    "Takes an app that somebody hands to you.",
    arguments=[TRANSFER],
    options=[JSON],
    examples=["paas apps:transfers:accept hello"],
)
def accept(call: Call) -> None:
    _answer(call, "accepted", "Taking")


@command(
    "Declines an app that somebody hands to you.",
    arguments=[TRANSFER],
    options=[JSON],
    examples=["paas apps:transfers:decline hello"],
)
def decline(call: Call) -> None:
    _answer(call, "declined", "Declining")


def _answer(call: Call, state: str, doing: str) -> None:
    with progress(f"{doing} ⬢ {call.arguments[0]}"):
        place = path("account", "app-transfers", call.arguments[0])
        changed = call.client.patch(place, {"state": state})
    if call.json:
        print_json(changed)


@command(
    "Takes back an app that you hand to somebody who has not answered.",
    arguments=[TRANSFER],
    options=[JSON],
    examples=["paas apps:transfers:cancel hello"],
)
def cancel(call: Call) -> None:
    with progress(f"Keeping ⬢ {call.arguments[0]}"):
        gone = call.client.delete(path("account", "app-transfers", call.arguments[0]))
    if call.json:
        print_json(gone)
