"""Commands on domains."""

import re
from typing import Any

from paas.cli.call import APP, JSON, REMOTE, Argument, Call, command
from paas.cli.output import (
    header,
    hexagon,
    print_columns,
    print_json,
    print_line,
    progress,
)
from paas.client import path

HOSTNAME = Argument("HOSTNAME", "a domain such as www.example.com or *.example.com")


@command(
    "Lists the domains at which an app answers.",
    options=[APP, REMOTE, JSON],
    examples=["paas domains", "paas domains -a hello --json"],
)
def domains(call: Call) -> None:
    found = call.client.get(path("apps", call.app, "domains"))
    if call.json:
        print_json(found)
        return
    own = sorted(domain["hostname"] for domain in found if domain.get("kind") == "heroku")
    custom = [domain for domain in found if domain.get("kind") != "heroku"]
    if own:
        header(f"{hexagon(call.app)} Platform Domain")
        https = {domain["hostname"]: domain.get("https") for domain in found}
        for hostname in own:
            print_line(
                hostname + (f"  (http: {_http(https[hostname])})" if https[hostname] else "")
            )
        print_line()
    header(f"{hexagon(call.app)} Custom Domains")
    if custom:
        _print_custom(custom)
    else:
        print_line("None. Add one: paas domains:add HOSTNAME")
    _print_reasons(found)


def _print_custom(found: list[dict[str, Any]]) -> None:
    """Certificates and what http gets are shown where the router speaks TLS."""
    rows = sorted([domain["hostname"], domain.get("cname") or ""] for domain in found)
    titles = ["Domain Name", "DNS Target"]
    states = {domain["hostname"]: domain.get("acm_status") for domain in found}
    if any(states.values()):
        titles.append("Certificate")
        rows = [[*row, states[row[0]] or ""] for row in rows]
    https = {domain["hostname"]: domain.get("https") for domain in found}
    if any(https.values()):
        titles.append("HTTP")
        rows = [[*row, _http(https[row[0]])] for row in rows]
    print_columns(rows, titles)


def _http(https: str | None) -> str:
    return "redirected to https" if https == "redirect" else "served"


def _print_reasons(found: list[dict[str, Any]]) -> None:
    """Each reason once, with the names that have it."""
    names: dict[str, list[str]] = {}
    for domain in found:
        if domain.get("acm_status_reason"):
            names.setdefault(domain["acm_status_reason"], []).append(domain["hostname"])
    for reason, hostnames in names.items():
        print_line()
        print_line(f"Certificate of {', '.join(sorted(hostnames))}: {reason}")


@command(
    "Lets an app answer at a domain of yours, and prints the DNS record that the domain needs.",
    arguments=[HOSTNAME],
    options=[APP, REMOTE, JSON],
    examples=["paas domains:add www.example.com", "paas domains:add '*.example.com' -a hello"],
)
def add(call: Call) -> None:
    hostname = call.arguments[0]
    with progress(f"Adding {hostname} to {hexagon(call.app)}"):
        domain = call.client.post(path("apps", call.app, "domains"), {"hostname": hostname})
    if call.json:
        print_json(domain)
        return
    print_line("Make this DNS record where the domain is managed:")
    print_line(f"  {dns_record(domain['hostname'], domain.get('cname'))}")
    if domain.get("acm_status"):
        print_line("The certificate comes by itself then; `paas domains` shows its state.")


def dns_record(hostname: str, target: str | None) -> str:
    """A CNAME where there is a target with a public name, otherwise an address record.

    An apex domain (example.com) can't have a CNAME (RFC 1034 3.6.2), and `localhost` is nobody's
    target.
    """
    public = target and not re.search(r"(^|\.)localhost$", target)
    if public and hostname.count(".") >= 2:
        return f"{hostname}.  CNAME  {target}."
    return f"{hostname}.  A  <this server's public IPv4 address>   (and AAAA for IPv6)"


@command(
    "Removes a domain from an app.",
    arguments=[HOSTNAME],
    options=[APP, REMOTE],
    examples=["paas domains:remove www.example.com"],
)
def remove(call: Call) -> None:
    hostname = call.arguments[0]
    with progress(f"Removing {hostname} from {hexagon(call.app)}"):
        call.client.delete(path("apps", call.app, "domains", hostname))
