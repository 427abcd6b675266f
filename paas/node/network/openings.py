"""Closed addresses that zones reach all the same: the operator's ranges, the registry for builds.

Resolvers in private ranges are the firewall's own matter (port 53). A registry or proxy that the
host itself is configured to use, and that has a private address, is opened for builds, on its port.
"""

import os
import re
import socket
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from urllib.parse import urlsplit

from paas.errors import UserError
from paas.node.network.firewall import CLOSED_RANGES, Opening

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


def operator_openings(environment: Mapping[str, str] = os.environ) -> list[Opening]:
    """`PAAS_OPEN_RANGES`: comma-separated `10.1.0.0/16` or `10.1.2.3:5432`. Raises UserError."""
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


def is_closed(address: IPv4Address) -> bool:
    return any(address in closed for closed in CLOSED_RANGES)


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
                found.add(Opening(IPv4Network(address), port, "builds"))
    return found


def _resolve(host: str) -> set[IPv4Address]:
    try:
        answers = socket.getaddrinfo(host, None, socket.AF_INET, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {IPv4Address(answer[4][0]) for answer in answers}


def _parse(item: str) -> Opening:
    network, _, port = item.partition(":")
    try:
        return Opening(IPv4Network(network), int(port) if port else None)
    except ValueError as error:
        raise UserError(
            "invalid_params",
            f"PAAS_OPEN_RANGES has {item!r}: {error}",
            "Write ranges as 10.1.0.0/16 or 10.1.2.3:5432, separated by commas.",
            exit_code=2,
        ) from error
