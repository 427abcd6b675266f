"""Commands on domains."""

import re
from typing import Any

from paas.cli.call import Call
from paas.cli.command import APP, JSON, REMOTE, Argument, command
from paas.cli.output import (
    header,
    hexagon,
    print_columns,
    print_json,
    print_line,
    progress,
)
from paas.client.api import path

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
    states = {domain["hostname"]: _state(domain) for domain in found}
    if any(states.values()):
        titles.append("Certificate")
        rows = [[*row, states[row[0]] or ""] for row in rows]
    https = {domain["hostname"]: domain.get("https") for domain in found}
    if any(https.values()):
        titles.append("HTTP")
        rows = [[*row, _http(https[row[0]])] for row in rows]
    print_columns(rows, titles)


def _state(domain: dict[str, Any]) -> str | None:
    own = (domain.get("sni_endpoint") or {}).get("name")
    state = domain.get("acm_status")
    return f"yours: {own}" if own and state is None else state


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
    for record in dns_records(
        domain["hostname"], domain.get("cname"), domain.get("addresses") or []
    ):
        print_line(f"  {record}")
    for line in _about_certificate(domain, call.app):
        print_line(line)


def dns_records(hostname: str, target: str | None, addresses: list[str]) -> list[str]:
    """A CNAME where there is a target with a public name, otherwise address records.

    An apex domain (example.com) can't have a CNAME (RFC 1034 3.6.2), and `localhost` is nobody's
    target. An address of a private network is the server's, but not what the world has to ask.
    """
    public = target and not re.search(r"(^|\.)localhost$", target)
    if public and hostname.count(".") >= 2:
        return [f"{hostname}.  CNAME  {target}."]
    return [_record(hostname, address) for address in addresses] or [
        f"{hostname}.  A  ADDRESS   (the address at which visitors reach the server)"
    ]


def _record(hostname: str, address: str) -> str:
    import ipaddress

    parsed = ipaddress.ip_address(address)
    kind = "A" if parsed.version == 4 else "AAAA"
    private = "" if parsed.is_global else "   (a private address: outside, the public one counts)"
    return f"{hostname}.  {kind}  {address}{private}"


def _about_certificate(domain: dict[str, Any], app: str) -> list[str]:
    """What https visitors will be shown, as far as it is known now."""
    bring = f"`paas certs:add CRT KEY -a {app}` brings one that everybody trusts."
    match domain.get("certificate_from"):
        case "own":
            return [f"It is served with your certificate {domain['sni_endpoint']['name']}."]
        case "acme":
            return ["The certificate comes by itself then; `paas domains` shows its state."]
        case "local" if domain["hostname"].startswith("*."):
            return [
                "No certificate that browsers trust comes by itself for a wildcard.",
                bring,
            ]
        case "local":
            return [
                "Its certificate is signed by this installation alone (`paas certs:root`).",
                bring,
            ]
    return []


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
