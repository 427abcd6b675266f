"""What a build wanted from the network, and did not get."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.rules import BUILD, INSTALL, SCRIPTS, START, Evidence, Rule


def _host(_evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    found = next((text for text in match.groupdict().values() if text), "")
    return {"name": found} if found else None


def _installed(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    found = _host(evidence, match)
    package = _INSTALLED.search(evidence.tail)
    return {**found, "package": package["name"]} if found and package else None


_INSTALLED = re.compile(
    r"npm (?:error|ERR!) path /app/(?:\S+/)?node_modules/(?P<name>(?:@[\w.~-]+/)?[\w.~-]+)\n"
)
"""Whose script it was, as npm says."""

RULES = (
    Rule(
        "econnreset",
        INSTALL,
        r"npm (?:error|ERR!) (?:code )?(?:ECONNRESET|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|"
        r"ERR_SOCKET_TIMEOUT)\b",
        "the npm registry could not be reached",
        "Try again: paas builds:create. If it stays so, the operator finds why in: paas doctor",
    ),
    Rule(
        "network_at_install",
        INSTALL,
        r"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<host>[\w.-]+)"
        r"|connect (?:ECONNREFUSED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH) (?P<address>[\w.:\[\]-]+)"
        r"|Could not resolve host: (?P<curl>[\w.-]+)",
        "the install script of {package} wanted something from {name}, which it could not reach",
        "Take a release of it that fetches nothing: {add} {package}@latest && {commit}",
        _installed,
        is_general=True,
    ),
    Rule(
        "certificate_untrusted",
        (*BUILD, *START),
        r"(?:SELF_SIGNED_CERT_IN_CHAIN|DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY_LEAF_SIGNATURE"
        r"|UNABLE_TO_GET_ISSUER_CERT(?:_LOCALLY)?|CERT_HAS_EXPIRED)"
        r"|self[- ]signed certificate(?: in certificate chain)?"
        r"|unable to get local issuer certificate",
        "a server shows a certificate that is not trusted here",
        "Put the certificate of who signed it into the app and name it: "
        "paas config:set NODE_EXTRA_CA_CERTS=/app/<file>.pem",
    ),
    Rule(
        "network_at_build",
        SCRIPTS,
        r"getaddrinfo (?:ENOTFOUND|EAI_AGAIN) (?P<name>[\w.-]+)"
        r"|connect (?:ECONNREFUSED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH) (?P<address>[\w.:\[\]-]+)"
        r"|Could not resolve host: (?P<curl>[\w.-]+)|(?P<fonts>fonts\.googleapis\.com)",
        "the build script wanted something from {name}, which it could not reach",
        "Take it into the repository, or make the build script do without.",
        _host,
    ),
)
