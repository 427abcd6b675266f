"""Registries that want to know who asks: the app's own files take its token from a config var."""

import re
from collections.abc import Iterator, Mapping

from buildpacks.nodejs.known import named
from buildpacks.nodejs.rules import BUILD, INSTALL, Evidence, Rule, Shell
from buildpacks.tree import Tree

_BYTES_MAX = 64 * 1024
_VARIABLE = re.compile(
    r"(?<![\\$])\$(?:\{(?P<braced>[A-Za-z_]\w*)(?:\?|:?-[^}\n]*)?\}|(?P<plain>[A-Za-z_]\w*))"
)
"""With what some take where there is none: `${NPM_TOKEN?}`, `${NPM_TOKEN:-}`."""
_SAYS_WHO = re.compile(r"auth|token|password|user|://[^/\s]*\$", re.IGNORECASE)
_COMMENT = ("#", ";")
_REFUSED = (
    r"\bcode E40[13]\b|\bENEEDAUTH\b|ERR_PNPM_FETCH_40[13]\b|\bYN0041\b|\bYN0033\b"
    r"|YN0035\b[^\n]*Response Code[^\n]*40[13]|Request failed \\?\"40[13]\b|error: GET \S+ - 40[13]"
    r"|error [^\n]*\b(?:Unauthorized|authentication token)|client error \(40[13]\b"
)
_UNKNOWN = (
    r"\bcode E404\b|ERR_PNPM_FETCH_404\b|YN0035\b|Couldn't find package|Request failed \\?\"404"
    r"|error [^\n]*: Not found\b|error: GET \S+ - 404|client error \(404\b"
)
"""npm's own registry says so of private packages to everybody who may not have them."""


def _unset(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    file, names = _credentials(evidence)
    unset = [name for name in names if name not in evidence.config]
    if not unset:
        return None
    values = Shell(" ".join(f"{name}=<value>" for name in unset))
    return {"file": file, "name": ", ".join(unset), "values": values}


def _set(evidence: Evidence, _match: re.Match[str]) -> Mapping[str, str] | None:
    file, names = _credentials(evidence)
    return {"file": file, "name": names[0]} if names else None


def _credentials(evidence: Evidence) -> tuple[str, list[str]]:
    """The config vars by which a registry is to know the app, and the first file with such."""
    files = named(evidence.typed.get("manager", "")).configuration
    found = {file: list(_named(evidence.tree, file)) for file in files} if evidence.tree else {}
    first = next((file for file, names in found.items() if names), "")
    return first, list(dict.fromkeys(name for names in found.values() for name in names))


def _named(tree: Tree, file: str) -> Iterator[str]:
    text = (tree.read(file, _BYTES_MAX) or b"").decode("utf-8", "replace")
    for line in text.splitlines():
        if not line.lstrip().startswith(_COMMENT) and _SAYS_WHO.search(line):
            yield from (one["braced"] or one["plain"] for one in _VARIABLE.finditer(line))


def _absent(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    name = next(text for text in match.groupdict().values() if text)
    return None if name in evidence.config else {"name": name}


RULES = (
    Rule(
        "registry_token_not_set",
        INSTALL,
        f"{_REFUSED}|{_UNKNOWN}",
        "the registry shows a dependency to nobody without a token, which {file} takes from the "
        "config vars: {name} is not set",
        "paas config:set {values}",
        _unset,
    ),
    Rule(
        "registry_token_not_set",
        BUILD,
        r"(?:error [^\n]*|npm ERR! |ERROR\s+)Failed to replace env in config: \$\{(?P<name>\w+)"
        r"|Environment variable not found \((?P<berry>\w+)\)",
        "the configuration of the registry takes {name} from the config vars, where it is not set",
        "paas config:set {name}=<value>",
        _absent,
    ),
    Rule(
        "registry_token_refused",
        INSTALL,
        _REFUSED,
        "the registry refuses to hand out a dependency for what is in {name}, which {file} sends",
        "Put in a token that is good for this package: paas config:set {name}=<value>",
        _set,
    ),
)
