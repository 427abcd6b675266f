"""Which host names need a certificate, and whose signature each can get. Pure."""

from collections.abc import Iterable

from paas.apps.certificates import Issuer
from paas.settings import Settings

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
DEFAULT = "*"
"""Stands for visitors who name no host, or one that has no certificate."""
_PRIVATE = ("localhost", "local", "internal", "lan", "home.arpa", "test", "example", "invalid")
"""RFC 6761, RFC 6762, RFC 8375: no public authority signs for them."""


def acme_directory(settings: Settings) -> str:
    """The ACME server's directory; empty when there is none to ask.

    Let's Encrypt only when an address was given, because that says that its terms are agreed to.
    """
    return settings.acme_directory or (LETS_ENCRYPT if settings.acme_email else "")


def wanted(
    settings: Settings, app_names: Iterable[str], domains: Iterable[str]
) -> dict[str, Issuer]:
    """By host name: `<app>.<base domain>` of each app, the domains that were added, the default."""
    names = [f"{name}.{base}" for name in app_names for base in settings.base_domains]
    return {hostname: issuer(settings, hostname) for hostname in (*names, *domains)} | {
        DEFAULT: Issuer.LOCAL
    }


def issuer(settings: Settings, hostname: str) -> Issuer:
    """Wildcards can't be proved over HTTP (RFC 8555 §8.3); private names nobody signs.

    With an ACME server of the operator's own, private names are as good as others.
    """
    if not acme_directory(settings) or hostname.startswith("*."):
        return Issuer.LOCAL
    if hostname.rpartition(".")[2] == "localhost":
        return Issuer.LOCAL
    private = any(hostname.endswith(f".{suffix}") for suffix in _PRIVATE)
    return Issuer.LOCAL if private and not settings.acme_directory else Issuer.ACME
