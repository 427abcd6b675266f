"""The audit trail: who changed what, from where."""

import json
from collections.abc import Iterator
from typing import Any

from paas.cli.call import Call
from paas.cli.command import JSON, REMOTE, Option, command
from paas.cli.output import note, plain, print_columns, print_json, print_value, when
from paas.client.api import path

_PAGE = 1000


@command(
    "Shows who changed what, from where, the newest last: all of it for those who operate the\n"
    "platform, with -a one app's for those who manage it. What is kept is 400 days old at most.\n"
    "With --export all of it is printed as JSON lines, the newest first.",
    options=[
        Option("app", "of this app only", "APP", "a"),
        REMOTE,
        Option("num", "how many (default: 50)", "NUMBER", "n"),
        Option("export", "all of it, as JSON lines"),
        JSON,
    ],
    examples=["paas audit", "paas audit -a hello -n 10", "paas audit --export > audit.jsonl"],
)
def audit(call: Call) -> None:
    if "export" in call.flags:
        for one in _all(call):
            print_value(json.dumps(one))
        return
    count = call.number("num", 50, most=_PAGE)
    found = call.client.get(f"{_place(call)}?count={count}")[::-1]
    if call.json:
        print_json(found)
    elif not found:
        note("Nothing was changed yet.")
    else:
        print_columns([_row(one) for one in found], ["When", "Who", "From", "What", "Status"])


def _place(call: Call) -> str:
    """Only -a and -r name an app: without them it is the platform's."""
    if "app" in call.options or "remote" in call.options:
        return path("smartplatform", "apps", call.app, "audit")
    return "/smartplatform/audit"


def _all(call: Call) -> Iterator[dict[str, Any]]:
    before = ""
    while found := call.client.get(f"{_place(call)}?count={_PAGE}{before}"):
        yield from found
        before = f"&before={found[-1]['id']}"


def _row(one: dict[str, Any]) -> list[str]:
    detail = f" ({plain(one['detail'])})" if one["detail"] else ""
    app = f" {one['app']['name']}" if one["app"] and one["action"] == "git push" else ""
    status = "cut off" if one["status"] is None else str(one["status"])
    return [when(one["at"]), one["user"], one["origin"], f"{one['action']}{app}{detail}", status]
