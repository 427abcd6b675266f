"""SSH keys: with one, git pushes over SSH, and asks for no token."""

import sys
from pathlib import Path
from typing import Any

from paas.apps import scopes
from paas.cli.call import Call
from paas.cli.command import JSON, Argument, Option, command
from paas.cli.output import note, print_columns, print_json, progress, when
from paas.client.api import path
from paas.errors import UserError

_USUAL = ("id_ed25519", "id_ecdsa", "id_ed25519_sk", "id_ecdsa_sk", "id_rsa")
"""ssh(1): which keys it shows by itself."""
_FILE_BYTES_MAX = 64 * 1024


@command("Lists the SSH keys with which git pushes here.", options=[JSON], examples=["paas keys"])
def keys(call: Call) -> None:
    found = call.client.get("/account/keys")
    if call.json:
        print_json(found)
    elif not found:
        note("There are no SSH keys. Bring yours: paas keys:add")
    else:
        titles = ["Fingerprint", "Comment", "Scope", "Added", "Last used"]
        print_columns([_row(one) for one in found], titles)


def _row(one: dict[str, Any]) -> list[str]:
    used = when(one.get("last_used_at")) or "never"
    scope = ",".join(one.get("scope") or [])
    return [one["fingerprint"], one.get("comment") or "", scope, when(one["created_at"]), used]


@command(
    "Brings the public half of an SSH key. Its holder pushes and fetches over SSH.\n"
    "Without a file it is the first of ~/.ssh/id_ed25519.pub, id_ecdsa.pub and id_rsa.pub;\n"
    "`-` reads standard input.",
    arguments=[Argument("FILE", "the public key, which ends in .pub", least=0)],
    options=[
        Option("scope", "write-protected (pushes; the default) or read (fetches)", "SCOPE", "s"),
        JSON,
    ],
    examples=["paas keys:add", "paas keys:add ci.pub", "paas keys:add mirror.pub --scope read"],
)
def add(call: Call) -> None:
    line, place = _line(call.arguments[0] if call.arguments else None)
    body: dict[str, Any] = {"public_key": line}
    if "scope" in call.options:
        body["scope"] = list(scopes.check(call.options["scope"]))
    with progress(f"Adding {place}") as state:
        made = call.client.post("/account/keys", body)
        state.result = str(made["fingerprint"])
    if call.json:
        print_json(made)
    else:
        note("In an app's repository, `paas git:remote --ssh` lets git push over SSH.")


def _line(typed: str | None) -> tuple[str, str]:
    """The key's line, and where it was. Raises UserError."""
    if typed == "-":
        return sys.stdin.read(_FILE_BYTES_MAX), "the key from standard input"
    file = Path(typed) if typed else _usual()
    try:
        with file.open() as opened:
            return opened.read(_FILE_BYTES_MAX), str(file)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UserError("not_found", f"{file} can't be read: {reason}.") from error


def _usual() -> Path:
    folder = Path.home() / ".ssh"
    for name in _USUAL:
        if (folder / f"{name}.pub").is_file():
            return folder / f"{name}.pub"
    raise UserError("not_found", f"There is no key in {folder}.", "Make one: ssh-keygen")


@command(
    "Removes an SSH key: who shows it is turned away from then on.",
    arguments=[Argument("KEY", "its comment, its fingerprint, or the beginning of that")],
    options=[JSON],
    examples=["paas keys:remove ada@laptop", "paas keys:remove SHA256:2nP1"],
)
def remove(call: Call) -> None:
    chosen = _chosen(call.client.get("/account/keys"), call.arguments[0])
    with progress(f"Removing {chosen['comment'] or chosen['fingerprint']}"):
        call.client.delete(path("account", "keys", chosen["id"]))
    if call.json:
        print_json(chosen)


@command("Removes all SSH keys.", options=[JSON], examples=["paas keys:clear"])
def clear(call: Call) -> None:
    found = call.client.get("/account/keys")
    with progress(f"Removing {len(found)} SSH keys"):
        for one in found:
            call.client.delete(path("account", "keys", one["id"]))
    if call.json:
        print_json(found)


def _chosen(found: list[dict[str, Any]], typed: str) -> dict[str, Any]:
    """The one that is meant. Raises UserError for none, and for several."""
    exact = [one for one in found if typed in (one["id"], one["fingerprint"], one["comment"])]
    begun = [one for one in found if one["fingerprint"].startswith(typed)]
    matching = exact or begun
    if len(matching) == 1:
        return matching[0]
    if matching:
        names = "\n".join(f"{one['fingerprint']} {one['comment']}" for one in matching)
        message = f"{typed!r} means several keys."
        raise UserError("usage", message, f"Name one by its fingerprint:\n{names}")
    raise UserError("not_found", f"There is no key {typed!r}.", "`paas keys` lists them.")
