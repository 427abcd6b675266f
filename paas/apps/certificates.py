"""Certificates of host names: what state each is in, when to try again, when to renew. Pure.

waiting-for-dns ──resolves──> issuing ──> issued ──2/3 of its life──> issuing …
                                 └──> failed ──after a growing pause──> issuing
"""

import random
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

RATE_LIMIT_PAUSE = timedelta(hours=1)
_DNS_PAUSE, _DNS_PAUSE_MAX = timedelta(seconds=30), timedelta(hours=1)
_FAILURE_PAUSE, _FAILURE_PAUSE_MAX = timedelta(minutes=10), timedelta(hours=24)
_JITTER = 0.05


class State(StrEnum):
    WAITING_FOR_DNS = "waiting-for-dns"
    ISSUING = "issuing"
    ISSUED = "issued"
    FAILED = "failed"


class Issuer(StrEnum):
    """`local` is the installation's own authority."""

    ACME = "acme"
    LOCAL = "local"


@dataclass(frozen=True)
class Certificate:
    """What is known of one host name's certificate. `chain` and `key` are PEM, empty before the
    first is issued; they stay while a new one is sought. `attempts` counts failures in a row.
    """

    hostname: str
    issuer: Issuer
    state: State
    reason: str
    attempts: int
    next_try_at: datetime
    updated_at: datetime
    chain: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    expires_at: datetime | None = None

    def usable(self, now: datetime) -> bool:
        return bool(self.chain) and self.expires_at is not None and self.expires_at > now


def explanation(certificate: Certificate) -> str:
    """Why it is as it is, for its owner; empty where there is nothing to say."""
    if certificate.reason:
        return f"{certificate.reason}; next try {certificate.next_try_at:%Y-%m-%d %H:%M} UTC"
    if certificate.issuer is Issuer.LOCAL and certificate.state is State.ISSUED:
        own = "signed by this installation's own authority, whose root `paas certs:root` prints"
        if certificate.hostname.startswith("*."):
            own += (
                "; for a wildcard no other comes by itself (its proof needs DNS): bring one with "
                "`paas certs:add CRT KEY`"
            )
        return own
    return ""


def renewal(not_before: datetime, not_after: datetime, chance: float | None = None) -> datetime:
    """At two thirds of its life, and a little later by chance, so that not all come at once."""
    life = not_after - not_before
    part = _JITTER * (random.random() if chance is None else chance)
    return not_before + life * (2 / 3 + part)


def dns_pause(attempts: int) -> timedelta:
    """A domain is often added before its record: ask soon, then more and more rarely."""
    return min(_DNS_PAUSE * (1 << min(attempts, 20)), _DNS_PAUSE_MAX)


def failure_pause(attempts: int, *, rate_limited: bool = False) -> timedelta:
    """Authorities allow few failures an hour and host name (Let's Encrypt: five)."""
    pause = min(_FAILURE_PAUSE * (1 << min(attempts, 20)), _FAILURE_PAUSE_MAX)
    return max(pause, RATE_LIMIT_PAUSE) if rate_limited else pause
