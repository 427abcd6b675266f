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
    wrong = _wrong(ascii_name)
    if wrong:
        raise _refusal(hostname, wrong)
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


def keep_own(hostname: str, app: str, base_domains: Iterable[str]) -> None:
    """Raises UserError for the name that the platform gives the app, which no one can take away."""
    if hostname.lower() in {f"{app}.{base}" for base in base_domains}:
        raise UserError(
            "invalid_params",
            f"{hostname} is the app's address from the platform; it can't be removed.",
            "It goes with the app: `paas destroy`. To answer with a page: `paas maintenance:on`.",
        )


def covers(domain: str, hostname: str) -> bool:
    """Whether requests for the host name go to the domain: equal, or one label under a wildcard."""
    if domain.startswith("*."):
        return hostname.partition(".")[2] == domain[2:]
    return hostname == domain


def _wrong(name: str) -> str:
    """Why this is no host name of a domain; empty when it is one."""
    if any(mark in name for mark in "/:"):
        return "a host name stands without scheme, port and path"
    labels = name.split(".")
    if labels[-1].isdigit():
        return "it is an address, no host name"
    bad = [label for label in labels if not _LABEL.fullmatch(label)]
    if bad:
        return (
            f"{bad[0][:70]!r} is no part of a host name: 1 to 63 letters, digits and dashes, "
            "with no dash first or last"
        )
    return "" if len(labels) > 1 else "it needs at least two parts with a dot between"


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
