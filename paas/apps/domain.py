"""Domains: the host names of an app beside `<app>.<base domain>`."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import idna

from paas.errors import UserError

HOSTNAME_CHARACTERS_MAX = 253
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)


@dataclass(frozen=True)
class Domain:
    """`hostname` is lower-case ASCII (IDNA), perhaps with `*` as its first label.

    `endpoint_id` is the certificate that its owner brought, if it is served with one.
    """

    id: str
    app_id: str
    hostname: str
    created_at: datetime
    endpoint_id: str | None = None


def normalise(hostname: str, base_domains: Iterable[str] = ()) -> str:
    """`Bücher.Example.` → `xn--bcher-kva.example`. Raises UserError for what is no host name.

    Hosts under a base domain are the platform's to give (`<app>.<base>`), so they are refused.
    """
    text = hostname.strip().removesuffix(".")
    wildcard = text.startswith("*.")
    ascii_name = _to_ascii(text.removeprefix("*."), hostname)
    labels = ascii_name.split(".")
    if len(labels) < 2 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        raise _refusal(hostname, "it needs at least two labels and is no address")
    if len(ascii_name) + 2 * wildcard > HOSTNAME_CHARACTERS_MAX:
        raise _refusal(hostname, f"it has more than {HOSTNAME_CHARACTERS_MAX} characters")
    for base in (*base_domains, "sslip.io"):
        if ascii_name == base or ascii_name.endswith(f".{base}"):
            raise _refusal(hostname, f"names under {base} belong to the platform")
    return f"*.{ascii_name}" if wildcard else ascii_name


def typed(hostname: str) -> str:
    """What was added, in any form in which it may be typed; what is no host name stays (an id)."""
    try:
        return normalise(hostname)
    except UserError:
        return hostname


def covers(domain: str, hostname: str) -> bool:
    """Whether requests for the host name go to the domain: equal, or one label under a wildcard."""
    if domain.startswith("*."):
        return hostname.partition(".")[2] == domain[2:]
    return hostname == domain


def _to_ascii(name: str, hostname: str) -> str:
    if name.isascii():
        return name.lower()
    try:
        return idna.encode(name, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise _refusal(hostname, str(error)) from error


def _refusal(hostname: str, reason: str) -> UserError:
    return UserError(
        "invalid_params",
        f"{hostname[:260]!r} can't be a domain: {reason}",
        "Say a host name such as www.example.com or *.example.com.",
    )
