"""What an app may ask of the router: the settings, their defaults and limits. Pure.

Only what differs from the default is kept and sent, as `{"sticky": True, "concurrency": 20}`; the
keys are those of the router's table (docs/contracts/router.md), and `https` beside them.
"""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeGuard

from paas.errors import UserError

SECONDS_MAX = 86_400
COUNT_MAX = 1_000_000
RATE_MIN = 0.001
BYTES_MAX = 2**53

PAGE_VARS = {
    "ERROR_PAGE_URL": "error_page_url",
    "MAINTENANCE_PAGE_URL": "maintenance_page_url",
}
"""Heroku's config vars, and what they are called in the table."""

Value = str | int | float | bool
Settings = Mapping[str, Value]

_PAGE_URL = re.compile(r"https?://[!#-;=?-\[\]_a-z~]{1,2000}")
_PATH = re.compile(r"/[!-\"$-~]{0,1023}")
_SECONDS = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h)?")
_BYTES = re.compile(r"([0-9]{1,16})(B|KB|MB|GB|KiB|MiB|GiB)?", re.IGNORECASE)
_COUNT = re.compile(r"[0-9]{1,9}")
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_SWITCH = {"on": True, "true": True, "off": False, "false": False}
_SECONDS_OF = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
_BYTES_OF = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9} | {
    "kib": 2**10, "mib": 2**20, "gib": 2**30
}  # fmt: skip


class Kind(StrEnum):
    """The value says how one is written."""

    SECONDS = "seconds from 0.1 to 86400, such as 60, 1.5 or 5m"
    COUNT = "a number from 0 to 1000000"
    RATE = "a number from 0.001 to 1000000, such as 10 or 0.5"
    BYTES = "a number of bytes such as 500000, 10MB or 10MiB"
    SWITCH = "on or off"
    PATH = "a path such as /healthz"
    HTTPS = "optional or redirect"


@dataclass(frozen=True)
class Setting:
    """`name` is what people type, `key` what it is called in the API and the table.

    `empty` says what 0 or no text means, where that is not the number itself.
    """

    name: str
    key: str
    kind: Kind
    default: Value
    meaning: str
    empty: str = ""


SETTINGS = (
    Setting(
        "https",
        "https",
        Kind.HTTPS,
        "optional",
        "what http requests get: the app, or a redirection to https",
    ),
    Setting(
        "sticky",
        "sticky",
        Kind.SWITCH,
        False,
        "a cookie leads a visitor to the instance that answered before",
    ),
    Setting(
        "concurrency",
        "concurrency",
        Kind.COUNT,
        0,
        "requests at once an instance; more wait",
        "no limit",
    ),
    Setting(
        "queue-max",
        "queue_max",
        Kind.COUNT,
        1000,
        "requests that wait for an instance; more get 503 (H11)",
    ),
    Setting(
        "queue-timeout",
        "queue_timeout_s",
        Kind.SECONDS,
        30,
        "how long a request waits for an instance",
    ),
    Setting(
        "first-byte-timeout",
        "first_byte_timeout_s",
        Kind.SECONDS,
        30,
        "how long an answer may take to begin (H12)",
    ),
    Setting(
        "rolling-timeout",
        "rolling_timeout_s",
        Kind.SECONDS,
        55,
        "silence allowed after that (H15, H28)",
    ),
    Setting(
        "requests-per-second",
        "requests_per_second",
        Kind.RATE,
        0,
        "of one client address; more get 429",
        "no limit",
    ),
    Setting(
        "burst", "burst", Kind.COUNT, 0, "requests at once above that rate", "those of one second"
    ),
    Setting(
        "body-max",
        "body_bytes_max",
        Kind.BYTES,
        0,
        "the largest body of a request; more gets 413",
        "no limit",
    ),
    Setting(
        "health-path",
        "health_path",
        Kind.PATH,
        "",
        "asked of each instance: 2xx and 3xx are healthy",
        "not asked",
    ),
    Setting(
        "trace", "trace", Kind.SWITCH, False, "make a W3C traceparent where a request has none"
    ),
)
BY_KEY = {setting.key: setting for setting in SETTINGS}
BY_NAME = {setting.name: setting for setting in SETTINGS}


def named(name: str) -> Setting:
    """`first-byte-timeout`, or its key. Raises UserError with the nearest name."""
    setting = BY_NAME.get(name) or BY_KEY.get(name)
    if setting is None:
        nearest = difflib.get_close_matches(name, BY_NAME, n=1)
        hint = f"Did you mean {nearest[0]}? " if nearest else ""
        raise UserError(
            "invalid_params",
            f"There is no routing setting {name[:80]!r}.",
            f"{hint}There are: {', '.join(BY_NAME)}.",
        )
    return setting


def merge(current: Settings, changes: Mapping[str, Any]) -> dict[str, Value]:
    """The settings after the changes, without those that are the default; None unsets.

    A value is JSON's or text as people type it. Raises UserError for an unknown name or a value
    that can't be.
    """
    merged = dict(current)
    for name, given in changes.items():
        setting = named(name)
        value = setting.default if given is None else _checked(setting, given)
        merged[setting.key] = value
    return {key: value for key, value in merged.items() if value != BY_KEY[key].default}


def effective(current: Settings) -> dict[str, Value]:
    """Every setting by key, with its default where the app has none of its own."""
    return {setting.key: current.get(setting.key, setting.default) for setting in SETTINGS}


def shown(setting: Setting, value: Value) -> str:
    """As people type it: `on`, `30s`, `no limit`."""
    if setting.empty and not value:
        return setting.empty
    if isinstance(value, bool):
        return "on" if value else "off"
    if setting.kind is Kind.SECONDS:
        return f"{value:g}s" if isinstance(value, float | int) else str(value)
    return str(value)


def routed(current: Settings, config: Mapping[str, str], health_path: str = "") -> dict[str, Any]:
    """What the app's entry in the route table says beside the usual: `https`, `routing`.
    `health_path` is the release's own, which a setting goes over.

    The router refuses a table in which one thing is wrong, and then no app's routes change. So what
    it would not take is left out: a setting that was stored when another version took it, and of
    the pages, which config vars of the current release name, one without an address.
    """
    current = {"health_path": health_path, **current}
    current = {key: value for key, value in current.items() if _is_known(key, value)}
    rest = {key: value for key, value in current.items() if key != "https"}
    for var, key in PAGE_VARS.items():
        if is_page_url(config.get(var, "")):
            rest[key] = config[var]
    https = {"https": current["https"]} if "https" in current else {}
    return https | ({"routing": rest} if rest else {})


def is_page_url(text: str) -> bool:
    """An http or https address of printable ASCII, without what could end an HTML attribute."""
    return _PAGE_URL.fullmatch(text) is not None


def _is_known(key: str, value: object) -> bool:
    """A path that is empty stands for none: the router knows no such path."""
    return key in BY_KEY and value != "" and _fits(value, BY_KEY[key].kind)


def _checked(setting: Setting, given: Any) -> Value:
    value: object = _typed(setting.kind, given) if isinstance(given, str) else given
    if _fits(value, setting.kind):
        return value
    shortened = repr(given[:100]) if isinstance(given, str) else json.dumps(given)[:100]
    raise UserError(
        "invalid_params",
        f"{setting.name} can't be {shortened}.",
        f"Say {setting.kind}{f', or off ({setting.empty})' if setting.empty else ''}.",
    )


def _typed(kind: Kind, text: str) -> Value | None:
    """The value of what was typed; None when it is none."""
    if kind is Kind.SWITCH:
        return _SWITCH.get(text.lower())
    if kind is Kind.HTTPS:
        return text
    if kind is Kind.PATH:
        return "" if text == "off" else text
    if text == "off" and kind is not Kind.SECONDS:
        return 0
    return _number(kind, text)


def _number(kind: Kind, text: str) -> int | float | None:
    if kind is Kind.SECONDS and (match := _SECONDS.fullmatch(text)):
        return _short(float(match[1]) * _SECONDS_OF[match[2] or "s"])
    if kind is Kind.BYTES and (match := _BYTES.fullmatch(text)):
        return int(match[1]) * _BYTES_OF[(match[2] or "").lower()]
    if kind is Kind.RATE and _RATE.fullmatch(text):
        return _short(float(text))
    if kind is Kind.COUNT and _COUNT.fullmatch(text):
        return int(text)
    return None


def _short(number: float) -> int | float:
    return int(number) if number.is_integer() else round(number, 6)


def _fits(value: object, kind: Kind) -> TypeGuard[Value]:
    """Whether the router accepts it (`router/table/options.py`)."""
    if kind is Kind.SWITCH:
        return isinstance(value, bool)
    if kind is Kind.HTTPS:
        return value in ("optional", "redirect")
    if kind is Kind.PATH:
        return isinstance(value, str) and (not value or _PATH.fullmatch(value) is not None)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if kind is Kind.SECONDS:
        return 0.1 <= value <= SECONDS_MAX
    if kind is Kind.RATE:
        return value == 0 or RATE_MIN <= value <= COUNT_MAX
    most = BYTES_MAX if kind is Kind.BYTES else COUNT_MAX
    return isinstance(value, int) and 0 <= value <= most
