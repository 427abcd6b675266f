"""Commands on certificates that an app's owner brings, and the root of the installation's own."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from paas.cli.call import Call, usage
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.commands.apps import confirm
from paas.cli.output import (
    header,
    hexagon,
    note,
    parsed_time,
    print_columns,
    print_json,
    print_line,
    print_pairs,
    progress,
    when,
)
from paas.client.api import path
from paas.errors import UserError

CRT = Argument("CRT", "file with the certificate and what signed it (PEM)")
KEY = Argument("KEY", "file with its private key (PEM, not encrypted)")
NAME = Option("name", "the certificate, as `paas certs` shows it (needed if several)", "NAME")
FILE_BYTES_MAX = 64 * 1024


@command(
    "Lists the certificates that you have brought for an app's domains.",
    options=[APP, REMOTE, JSON],
    examples=["paas certs", "paas certs -a hello --json"],
)
def certs(call: Call) -> None:
    found = _all(call)
    if call.json:
        print_json(found)
    elif not found:
        print_line(f"{hexagon(call.app)} has no certificates of its own.")
        print_line("Add one: paas certs:add CRT KEY")
    else:
        header(f"{hexagon(call.app)} Certificates")
        titles = ["Name", "Common Name(s)", "Expires", "Trusted", "Domains"]
        print_columns([_row(each) for each in found], titles)


def _row(each: dict[str, Any]) -> list[str]:
    certificate = each["ssl_cert"]
    names = ", ".join(certificate["cert_domains"])
    trusted = "yes" if certificate["ca_signed?"] else "no"
    return [
        each["name"],
        names,
        _date(certificate["expires_at"]),
        trusted,
        str(len(each["domains"])),
    ]


@command(
    "Adds a certificate of yours. It serves at once those of the app's domains that it is for and\n"
    "that have no other of yours; wildcards need one. Renew it with `paas certs:update`.",
    arguments=[CRT, KEY],
    options=[APP, REMOTE, JSON],
    examples=["paas certs:add fullchain.pem privkey.pem", "paas certs:add crt key -a hello"],
)
def add(call: Call) -> None:
    body = _body(call)
    with progress(f"Adding the certificate to {hexagon(call.app)}") as state:
        made = call.client.post(path("apps", call.app, "sni-endpoints"), body)
        state.result = made["name"]
    _show(call, made)


@command(
    "Puts a newer certificate in the place of one. Open connections keep the old one.",
    arguments=[CRT, KEY],
    options=[APP, REMOTE, NAME, JSON],
    examples=["paas certs:update fullchain.pem privkey.pem"],
)
def update(call: Call) -> None:
    body = _body(call)
    name = _chosen(call)["name"]
    with progress(f"Updating the certificate {name} of {hexagon(call.app)}"):
        changed = call.client.patch(path("apps", call.app, "sni-endpoints", name), body)
    _show(call, changed)


@command(
    "Removes a certificate of yours. Its domains get another one of yours that is for them, or\n"
    "one that comes by itself.",
    options=[APP, REMOTE, NAME, Option("confirm", "the app's name", "NAME", "c")],
    examples=["paas certs:remove -a hello --confirm hello"],
)
def remove(call: Call) -> None:
    name = _chosen(call)["name"]
    warning = f"This removes the certificate {name} from {hexagon(call.app)}."
    confirm(call.app, call.options.get("confirm"), warning)
    with progress(f"Removing the certificate {name} from {hexagon(call.app)}"):
        call.client.delete(path("apps", call.app, "sni-endpoints", name))


@command(
    "Shows a certificate of yours: its names, who signed it, how long it is good.",
    options=[APP, REMOTE, NAME, JSON],
    examples=["paas certs:info", "paas certs:info --name calm-river-1234"],
)
def info(call: Call) -> None:
    _show(call, _chosen(call))


@command(
    "Prints the root certificate of the installation's own authority, which signs for local names\n"
    "and for those that no other signs. Who trusts it trusts this installation's certificates.",
    examples=[
        "paas certs:root > root.pem",
        "curl --cacert <(paas certs:root) https://hello.localhost:8443/",
        "paas certs:root > /usr/local/share/ca-certificates/paas.crt && update-ca-certificates",
    ],
)
def root(call: Call) -> None:
    for line in call.client.lines("/smartplatform/root-certificate"):
        print_line(line)


def _all(call: Call) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call.client.get(path("apps", call.app, "sni-endpoints"))
    return found


def _chosen(call: Call) -> dict[str, Any]:
    """The one of that name, or the only one. Raises UserError."""
    found, name = _all(call), call.options.get("name")
    chosen = [each for each in found if name in (None, each["name"])]
    if len(chosen) == 1:
        return chosen[0]
    if not found:
        message, hint = "has no certificates of its own.", "Add one: paas certs:add CRT KEY"
    elif chosen:
        message = "has several certificates."
        hint = f"Say which: --name {' or --name '.join(each['name'] for each in chosen)}"
    else:
        message = f"has no certificate {name}."
        hint = f"There are: {', '.join(each['name'] for each in found)}"
    id = "usage" if chosen else "not_found"
    raise UserError(id, f"{hexagon(call.app)} {message}", hint)


def _body(call: Call) -> dict[str, str]:
    chain, key = (_read(call, argument) for argument in call.arguments)
    return {"certificate_chain": chain, "private_key": key}


def _read(call: Call, name: str) -> str:
    try:
        with Path(name).open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise usage(call.command, f"{name} can't be read: {error.strerror}.") from error
    if len(data) > FILE_BYTES_MAX:
        raise usage(call.command, f"{name} has over {FILE_BYTES_MAX} bytes: that is no PEM file.")
    return data.decode("ascii", "replace")


def _show(call: Call, found: dict[str, Any]) -> None:
    if call.json:
        print_json(found)
        return
    certificate = found["ssl_cert"]
    print_pairs(
        {
            "Name": found["name"],
            "Common Name(s)": ", ".join(certificate["cert_domains"]),
            "Expires At": _date(certificate["expires_at"]),
            "Issuer": certificate["issuer"],
            "Starts At": _date(certificate["starts_at"]),
            "Subject": certificate["subject"],
            "Added": when(found["created_at"]),
        }
    )
    _warn(call, found)


def _warn(call: Call, found: dict[str, Any]) -> None:
    certificate = found["ssl_cert"]
    if certificate["self_signed?"]:
        note("It is self-signed: no browser trusts it by itself.")
    elif not certificate["ca_signed?"]:
        note("No authority that the server knows leads to it. If one should, CRT lacks its signer.")
    if not found["domains"]:
        host = certificate["cert_domains"][0].replace("*", "www", 1)
        note(f"It serves none of the app's domains yet: paas domains:add {host} -a {call.app}")
    starts = parsed_time(certificate["starts_at"])
    if starts and starts > datetime.now(UTC):
        note(f"It is good from {_date(certificate['starts_at'])} on; before, browsers refuse it.")


def _date(stamp: str) -> str:
    time = parsed_time(stamp)
    return time.strftime("%Y-%m-%d %H:%M UTC") if time else ""
