"""Firewalls of others on this host (Docker, ufw) that drop what is forwarded.

A drop in any chain is final, so their own chains have to let the zones pass: rules there that carry
the name of our table, taken away with it. What zones may do is judged in our own tables.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from paas.system import command

log = logging.getLogger(__name__)
_OURS = "paas_"


def pass_through(bridge: str, table: str) -> None:
    """Put accepting rules at the beginning of every chain that drops by policy."""
    for chain in _forward_chains():
        if chain.get("policy") == "drop":
            _accept(bridge, table, chain)


def take_back(table: str) -> None:
    """The reverse of `pass_through`."""
    for chain in _forward_chains():
        for handle in _handles(table, chain):
            with suppress(command.CommandFailed):
                load(f"delete rule {_place(chain)} handle {handle}\n")


def load(text: str) -> None:
    """Have nft carry out `text` as one transaction."""
    command.run(["nft", "-f", "-"], input=text.encode())


def _accept(bridge: str, table: str, chain: dict[str, Any]) -> None:
    if list(_handles(table, chain)):
        return
    rules = (
        f'iifname "{bridge}" counter accept',
        f'oifname "{bridge}" ct state established,related counter accept',
    )
    place = _place(chain)
    try:
        load("".join(f'insert rule {place} {rule} comment "{table}"\n' for rule in rules))
    except command.CommandFailed as error:
        log.warning("zones can't reach the internet: %s drops what is forwarded: %s", place, error)


def _forward_chains() -> list[dict[str, Any]]:
    try:
        listing = json.loads(command.run(["nft", "-j", "list", "chains"]))
    except command.CommandFailed as error:
        log.warning("the chains of nftables can't be listed: %s", error)
        return []
    chains = [item["chain"] for item in listing["nftables"] if "chain" in item]
    return [chain for chain in chains if chain.get("hook") == "forward" and _is_foreign(chain)]


def _is_foreign(chain: dict[str, Any]) -> bool:
    return chain["family"] in ("ip", "ip6", "inet") and not chain["table"].startswith(_OURS)


def _handles(table: str, chain: dict[str, Any]) -> Iterator[str]:
    words = ("nft", "-a", "list", "chain", chain["family"], chain["table"], chain["name"])
    with suppress(command.CommandFailed):
        for line in command.run(words).decode(errors="replace").splitlines():
            if f'comment "{table}"' in line and "# handle " in line:
                yield line.rsplit(" ", 1)[1]


def _place(chain: dict[str, Any]) -> str:
    return f"{chain['family']} {chain['table']} {chain['name']}"
