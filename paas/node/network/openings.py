"""Closed addresses that zones reach all the same: the operator's ranges, the registry for builds.

Resolvers in private ranges are the firewall's own matter (port 53). A registry or proxy that the
host itself is configured to use, and that has a private address, is opened for builds, on its port.
"""

import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import urlsplit

from paas.errors import UserError
from paas.node import words
from paas.node.network.firewall import Opening
from paas.node.network.ranges import Address, is_closed, single

_NPMRC_KEY = re.compile(r"^\s*((?:@[^:=\s]+:)?registry|(?:https?-)?proxy)\s*=\s*(\S+)\s*$", re.M)
_VARIABLES = (
    "npm_config_registry",
    "NPM_CONFIG_REGISTRY",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
)
_PORTS = {"http": 80, "https": 443}
_RANGE = re.compile(r"\[([^\]]*)\](?::(\d+))?|([^:]*):(\d+)|(.*)")
"""`[network]`, `[network]:port`, `network:port` (IPv4), or a network."""


def operator_openings(environment: Mapping[str, str] = os.environ) -> list[Opening]:
    """`PAAS_OPEN_RANGES`: comma-separated `10.1.0.0/16`, `10.1.2.3:5432`, `fd12::/16` or
    `[fd12::3]:5432`. Raises UserError."""
    text = environment.get("PAAS_OPEN_RANGES", "")
    return [_parse(item.strip()) for item in text.split(",") if item.strip()]


def registry_openings(
    files: Sequence[Path], environment: Mapping[str, str] = os.environ
) -> list[Opening]:
    """What builds need of the closed ranges to reach the host's registry and proxy."""
    urls = {environment[name] for name in _VARIABLES if environment.get(name)}
    for file in files:
        if file.is_file():
            urls |= {match[2] for match in _NPMRC_KEY.finditer(file.read_text(errors="replace"))}
    return sorted(_openings(urls), key=str)


def npmrc_files(own: Path) -> list[Path]:
    """The installation's copy, and where npm itself looks on this host."""
    return [own, Path.home() / ".npmrc", Path("/etc/npmrc"), Path("/usr/etc/npmrc")]


def _openings(urls: Iterable[str]) -> set[Opening]:
    found = set()
    for url in urls:
        try:
            parts = urlsplit(url if "//" in url else f"http://{url}")
            port = parts.port or _PORTS.get(parts.scheme, 80)
        except ValueError:
            continue
        for address in _resolve(parts.hostname or ""):
            if is_closed(address) and not address.is_loopback:
                found.add(Opening(single(address), port, words.BUILDS))
    return found


def _resolve(host: str) -> set[Address]:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers}


def _parse(item: str) -> Opening:
    match = _RANGE.fullmatch(item)
    groups = match.groups() if match else (None, None, None, None, item)
    bracketed, bracketed_port, plain, plain_port, bare = groups
    port = bracketed_port or plain_port
    try:
        network = ip_network(bracketed or plain or bare or "")
        return Opening(network, int(port) if port else None)
    except ValueError as error:
        raise UserError(
            "invalid_params",
            f"PAAS_OPEN_RANGES has {item!r}: {error}",
            "Write ranges as 10.1.0.0/16, 10.1.2.3:5432, fd12::/16 or [fd12::3]:5432, separated by "
            "commas.",
            exit_code=2,
        ) from error
