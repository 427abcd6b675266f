"""What an app may ask of its routing beyond the usual: part of its entry in the table. Pure.

    read(where, object) → Routing
    read_weights(where, object) → {release: weight}
    read_rules(where, list) → (Rule, …)

All raise TableError. The shapes are in docs/contracts/router.md.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from router.table import schema
from router.table.schema import TableError

SECONDS_MAX = 86_400
COUNT_MAX = 1_000_000
RATE_MIN = 0.001
BYTES_MAX = 2**53
RELEASE_MAX = 2**31 - 1
RULES_MAX = 100

_URL = re.compile(r"https?://[!#-;=?-\[\]_a-z~]{1,2000}")
"""Printable ASCII without what could end an attribute."""
_PATH = re.compile(r"/[!-\"$-~]{0,1023}")
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}")
_VALUE = re.compile(r"[\t -~]{0,1000}")
_RELEASE = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class Routing:
    """None means what the router does by default; 0 no limit."""

    first_byte_timeout_s: float | None = None
    rolling_timeout_s: float | None = None
    queue_max: int | None = None
    queue_timeout_s: float | None = None
    concurrency: int = 0
    requests_per_second: float = 0.0
    burst: int = 0
    body_bytes_max: int = 0
    sticky: bool = False
    trace: bool = False
    health_path: str = ""
    error_page_url: str = ""
    maintenance_page_url: str = ""


DEFAULT = Routing()


@dataclass(frozen=True, slots=True)
class Rule:
    """Requests to give to `release`. Either the header has the value, or the request is of that
    percentage of all: by the value of the header when one is named, else by the visitor's address.
    """

    release: int
    header: str = ""
    value: str | None = None
    percentage: float | None = None


_NUMBERS: Mapping[str, tuple[float, float, bool]] = {
    "first_byte_timeout_s": (0.1, SECONDS_MAX, False),
    "rolling_timeout_s": (0.1, SECONDS_MAX, False),
    "queue_max": (0, COUNT_MAX, True),
    "queue_timeout_s": (0.1, SECONDS_MAX, False),
    "concurrency": (0, COUNT_MAX, True),
    "requests_per_second": (0, COUNT_MAX, False),
    "burst": (0, COUNT_MAX, True),
    "body_bytes_max": (0, BYTES_MAX, True),
}
_SWITCHES = ("sticky", "trace")
_PATTERNS = {"health_path": _PATH, "error_page_url": _URL, "maintenance_page_url": _URL}
_KEYS = frozenset((*_NUMBERS, *_SWITCHES, *_PATTERNS))
_RULE_KEYS = frozenset(("release", "header", "value", "percentage"))


def read(where: str, routing: Any) -> Routing:
    schema.only(where, routing, _KEYS)
    values: dict[str, Any] = {}
    for key in routing:
        if key in _NUMBERS:
            values[key] = schema.number(where, routing, key, *_NUMBERS[key])
        elif key in _SWITCHES:
            values[key] = schema.field(where, routing, key, bool)
        else:
            values[key] = schema.matching(where, routing, key, _PATTERNS[key])
    if 0 < values.get("requests_per_second", 0) < RATE_MIN:
        raise TableError(f"{where}.requests_per_second is neither 0 nor at least {RATE_MIN}")
    return Routing(**values)


def read_weights(where: str, weights: Any) -> dict[int, int]:
    """Shares of the requests, by release; they need not add up to anything."""
    if not isinstance(weights, dict):
        raise TableError(f"{where} is not an object")
    for release in weights:
        if not _RELEASE.fullmatch(release):
            raise TableError(f"{where} has {release!r:.100}, which is no number of a release")
    read = {
        int(release): int(schema.number(where, weights, release, 0, COUNT_MAX, whole=True))
        for release in weights
    }
    if read and not any(read.values()):
        raise TableError(f"{where} gives no release a weight above 0")
    return read


def read_rules(where: str, rules: Any) -> tuple[Rule, ...]:
    if not isinstance(rules, list) or len(rules) > RULES_MAX:
        raise TableError(f"{where} is not a list of at most {RULES_MAX}")
    return tuple(_rule(f"{where}[{index}]", rule) for index, rule in enumerate(rules))


def read_release(where: str, holder: Any) -> int:
    return int(schema.number(where, holder, "release", 1, RELEASE_MAX, whole=True))


def _rule(where: str, rule: Any) -> Rule:
    schema.only(where, rule, _RULE_KEYS)
    release = read_release(where, rule)
    header = schema.matching(where, rule, "header", _HEADER) if "header" in rule else ""
    if "percentage" in rule and "value" not in rule:
        return Rule(release, header, None, schema.number(where, rule, "percentage", 0, 100))
    if header and "value" in rule and "percentage" not in rule:
        return Rule(release, header, schema.matching(where, rule, "value", _VALUE))
    raise TableError(f"{where} has neither a header with its value nor a percentage")
