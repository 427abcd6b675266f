"""Ports: taken, forbidden, no number, or another than the one in PORT."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.failures import facts
from buildpacks.nodejs.rules import START, Evidence, Rule

_LISTENS = re.compile(
    r"(?:listen|start|runn?|ready|serv|local|avail)\w*\b[^\n]{0,80}?"
    r"(?:\bport\s*[:=]?\s*|https?://[\w.\[\]-]+:|[\w.\]]:|\bon :?(?=\d{4}))"
    r"(?P<port>\d{2,5})\b(?![-/.]\d)",
    re.IGNORECASE,
)


def _listen_line(evidence: Evidence) -> str:
    """Where the app listens on a number of its own."""
    path, number, text = facts.line_with(
        evidence, r"\blisten\s*\(\s*\d{2,5}\b|\bport\s*[:=]\s*\d{2,5}\b|PORT\s*=\s*\d{2,5}\b"
    )
    return f" ({path}, line {number}: {text})" if path else ""


def _said(evidence: Evidence) -> list[int]:
    return [int(match["port"]) for match in _LISTENS.finditer(evidence.tail)]


def _other_port(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    said = _said(evidence)
    other = next((number for number in reversed(said) if number != evidence.port), None)
    if evidence.exit_code is not None or other is None or evidence.port in said:
        return None
    return {"name": str(other), "where": _listen_line(evidence)}


def _loopback(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    if evidence.exit_code is not None or evidence.port not in _said(evidence):
        return None
    if not re.search(r"127\.0\.0\.1|localhost|\[::1\]", evidence.tail):
        return None
    path, number, text = facts.line_with(evidence, r"127\.0\.0\.1|['\"]localhost['\"]")
    where = f" ({path}, line {number}: {text})" if path else ""
    return {"name": str(evidence.port), "where": where}


def _silent(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    return {"where": _listen_line(evidence)} if evidence.exit_code is None else None


def _line(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    return {"where": _listen_line(evidence)}


RULES = (
    Rule(
        "port_in_use",
        START,
        r"\bEADDRINUSE\b",
        "the app wants a port that it has already opened itself",
        "Listen once, on process.env.PORT.",
    ),
    Rule(
        "port_forbidden",
        START,
        r"listen EACCES(?:: permission denied)? \S*?:?(?P<name>\d+)|listen EACCES",
        "the app wants a port that it must not open{where}",
        "Listen on process.env.PORT instead of a fixed number.",
        _line,
    ),
    Rule(
        "port_is_no_number",
        START,
        r"ERR_SOCKET_BAD_PORT|options\.port should be >= 0 and < 65536",
        "the app listens on something that is no port{where}",
        "Listen on Number(process.env.PORT): it is a number in the environment, and nothing else.",
        lambda evidence, _match: {
            "where": "".join(f" ({p}, line {n}: {t})" for p, n, t in [_listening(evidence)] if p)
        },
    ),
    Rule(
        "address_not_here",
        START,
        r"EADDRNOTAVAIL: address not available (?P<name>\S+?)(?::\d+)?\s",
        "the app wants to listen on {name}, which is no address of its machine",
        "Listen on process.env.PORT without an address, or on 0.0.0.0.",
    ),
    Rule(
        "wrong_port",
        START,
        "",
        "the app seems to listen on port {name}, not on the one in PORT{where}",
        "app.listen(process.env.PORT || {name})",
        _other_port,
    ),
    Rule(
        "bound_to_loopback",
        START,
        "",
        "the app listens on port {name}, but only on its own loopback address{where}",
        "Leave the address out, app.listen(process.env.PORT), or listen on 0.0.0.0.",
        _loopback,
    ),
    Rule(
        "port_never_opened",
        START,
        "",
        "the app runs, but never opened the port in PORT{where}",
        "app.listen(process.env.PORT) — or, if it serves no HTTP, "
        "call it worker instead of web in the Procfile.",
        _silent,
        is_general=True,
    ),
)


def _listening(evidence: Evidence) -> tuple[str, int, str]:
    return facts.line_with(evidence, r"\blisten\s*\(|\bport\s*:\s*\S*PORT")
