"""NODE_OPTIONS, and config vars that are not there."""

import re
from collections.abc import Mapping

from buildpacks.nodejs.failures import facts
from buildpacks.nodejs.rules import ANY, Evidence, Rule, Shell

_NAMES_MAX = 12
_NAME = r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+"
_IS_NOT = r"(?i:missing|required|not\ (?:set|defined|found|provided)|undefined|empty)"
_MUST_BE = r"(?i:must\ be\ (?:set|defined|provided))"
_VARIABLE = r"(?i:env(?:ironment)?(?:\ var(?:iable)?s?)?)"
_QUOTE = r"['\"`]?"
_ABSENT = rf"""(?x)
    Environment\ variable\ not\ found:\ (?P<prisma>{_NAME})
  | Cannot\ resolve\ environment\ variable:\ (?P<config>{_NAME})
  | (?i:missing|required)\ (?i:required\ )?{_VARIABLE}[ \w]{{0,12}}:?\s+{_QUOTE}(?P<missing>{_NAME})
  | Missing\ environment\ variable\ "(?P<adonis>[A-Z][A-Z0-9_]*)"
  | {_VARIABLE}\ {_QUOTE}(?P<named>{_NAME}){_QUOTE}\ (?:(?:is|was)\ )?(?:{_IS_NOT}|{_MUST_BE})
  | (?:^|[\s"'`❌-])(?P<plain>{_NAME}){_QUOTE}:?\ (?:(?i:environment\ variable)\ )?
    (?:(?:is|was)\ {_IS_NOT}|{_MUST_BE})
  | Missing\ environment\ variables:\s+(?P<envalid>{_NAME})
  | Invalid\ environment\ variables:?[\s\S]{{0,200}}?['"\s](?P<schema>{_NAME})
"""
_UNDEFINED = {
    "MONGODB_URI": r"parameter to `openUri\(\)` must be a string, got \"undefined\"",
    "DATABASE_URL": r"DATABASE_URL[^\n]{0,40}undefined|Invalid connection string: undefined",
    "JWT_SECRET": r"secretOrPrivateKey must have a value|JwtStrategy requires a secret or key"
    r"|secretOrKeyProvider or secretOrKey",
    "SESSION_SECRET": r"secret option required for sessions",
    "STRIPE_SECRET_KEY": r"Neither apiKey nor config\.authenticator provided",
    "SUPABASE_URL": r"supabaseUrl is required",
    "AUTH_SECRET": r"MissingSecret: Please define a `secret`|\[auth\]\[error\] MissingSecret",
}
"""What libraries say of a variable that is not there; what such a variable is usually called."""


def _absent(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """All that the output names, not the first alone: each would cost a push."""
    found = [match, *re.finditer(_ABSENT, evidence.tail)]
    named = ("".join(text or "" for text in one.groupdict().values()) for one in found)
    names = [name for name in dict.fromkeys(named) if name and name not in evidence.config]
    if not names:
        return None
    values = " ".join(f"{name}=<value>" for name in names[:_NAMES_MAX])
    several, are = ("s", "are") if len(names) > 1 else ("", "is")
    listed = ", ".join(names[:_NAMES_MAX])
    return {"s": several, "name": listed, "is": are, "values": Shell(values)}


def _unnamed(usual: str) -> Rule:
    def absent(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
        path, number, name = _read_from(evidence, usual)
        return {"name": name, "where": f" ({path}, line {number})" if path else ""}

    return Rule(
        "config_var_missing",
        ANY,
        _UNDEFINED[usual],
        "the config var {name} is not set{where}",
        "paas config:set {name}=<value>",
        absent,
    )


def _read(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    path, number, _ = facts.line_with(evidence, rf"process\.env\.{match['name']}\b")
    where = f" ({path}, line {number})" if path else ""
    return None if match["name"] in evidence.config else {"name": match["name"], "where": where}


def _read_from(evidence: Evidence, usual: str) -> tuple[str, int, str]:
    """Where the app reads it: a name that is not set and ends alike; else the usual one."""
    ending = usual.rpartition("_")[2]
    path, number, text = facts.line_with(
        evidence, rf"process\.env\.[A-Z0-9_]*(?:{ending}|{usual.partition('_')[0]})[A-Z0-9_]*"
    )
    found = re.search(r"process\.env\.([A-Z0-9_]+)", text)
    return path, number, found[1] if found else usual


RULES = (
    Rule(
        "node_options_refused",
        ANY,
        r"(?P<name>\S+) is not allowed in NODE_OPTIONS|(?P<argument>\S+) requires an argument",
        "Node.js does not take {name} from NODE_OPTIONS",
        "Correct the config var NODE_OPTIONS with paas config:set, or take it away: "
        "paas config:unset NODE_OPTIONS",
    ),
    Rule(
        "node_options_module_missing",
        ANY,
        r"Cannot find (?:module|package) '(?P<name>[^'\n]{1,200})'"
        r"(?: imported from \S*/\s|\s+Require stack:\s+- internal/preload)",
        "NODE_OPTIONS loads {name}, which is not there",
        "Add the package to dependencies, correct the path, or take the config var away: "
        "paas config:unset NODE_OPTIONS",
    ),
    Rule(
        "config_var_missing",
        ANY,
        _ABSENT,
        "the config var{s} {name} {is} not set",
        "paas config:set {values}",
        _absent,
    ),
    *map(_unnamed, _UNDEFINED),
    Rule(
        "config_var_missing",
        ANY,
        r"Error: Invalid environment variables",
        "config vars are missing, or not in the form that the app's schema wants",
        "See which are set: paas config\n"
        "and set those that it names: paas config:set <NAME>=<value>",
        is_general=True,
    ),
    Rule(
        "config_var_missing",
        ANY,
        r"process\.env\.(?P<name>[A-Z][A-Z0-9_]*)[^\n]*\n[\s^~]*"
        r"TypeError: Cannot read properties of undefined",
        "the config var {name} is not set, and the app reads from it{where}",
        "paas config:set {name}=<value>",
        _read,
    ),
)
