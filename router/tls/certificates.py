"""Certificates as control sends them: checked whole, found by host name. Pure.

    read(object) → Certificates       raises CertificateError; no message has a byte of a key

The shape is in docs/contracts/router.md. How TLS is spoken with them, `tls` knows.
"""

import re
from dataclasses import dataclass
from typing import Any, Final

DEFAULT: Final = "*"
"""The name of the certificate for visitors who name no host, or one that has none."""

_NAME = re.compile(r"\*|(\*\.)?[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")


class CertificateError(Exception):
    """The set can't be used; the message says where it is wrong."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """`chain` and `key` are PEM: the certificate first, then what signed it. `names` are hosts,
    perhaps with `*` as the first label, or `*` alone for the default."""

    names: tuple[str, ...]
    chain: str
    key: str

    def __repr__(self) -> str:
        return f"Certificate({', '.join(self.names)})"


@dataclass(frozen=True, slots=True)
class Certificates:
    version: int
    all: tuple[Certificate, ...]


NONE = Certificates(0, ())


def read(raw: Any) -> Certificates:
    """The set in `raw`: {"version": N, "certificates": [{"names", "chain", "key"}]}."""
    if not isinstance(raw, dict) or not isinstance(raw.get("certificates"), list):
        raise CertificateError("certificates is missing or no list")
    version = raw.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise CertificateError("version is not a positive number")
    found = tuple(
        _certificate(f"certificates[{index}]", each)
        for index, each in enumerate(raw["certificates"])
    )
    names = [name for each in found for name in each.names]
    if len(set(names)) != len(names):
        twice = next(name for index, name in enumerate(names) if name in names[:index])
        raise CertificateError(f"two certificates have the name {twice!r}")
    return Certificates(version, found)


def _certificate(where: str, raw: Any) -> Certificate:
    match raw:
        case {"names": [_, *_] as names, "chain": str(chain), "key": str(key)}:
            for name in names:
                if not isinstance(name, str) or not _NAME.fullmatch(name):
                    raise CertificateError(f"{where}.names has {str(name)[:260]!r}: no host name")
            return Certificate(tuple(names), chain, key)
    raise CertificateError(f"{where} has not the form {{names, chain, key}}")


def wildcard(host: str) -> str:
    """The wildcard that covers a host: one label, RFC 9525 §6.3."""
    return "*." + host.partition(".")[2]
