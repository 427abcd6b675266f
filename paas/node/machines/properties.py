"""Checks of a payload's single properties. Pure.

Each takes anything that JSON has, and gives a value of its own type or raises Invalid (with the
name of the part that is wrong, if it has parts).

Coercions are vmadm's: numbers may be strings, booleans `1` or `"true"`, lists comma-separated
strings. vmadm itself loads this module: what few checks need is imported where it is used.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from paas.node import words

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_VARIABLE = re.compile(r"[^=\0]+=[^\0]*", re.DOTALL)
_USER = re.compile(r"(app|root|\d{1,5})(:(app|root|\d{1,5}))?")
_PATH = re.compile(r"/[^\0]+")
_MAC = re.compile(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}")
_PATH_LENGTH_MAX = 1024
_LIST_LENGTH_MAX = 256
_ADDRESSES_MAX = 20
_METADATA_BYTES_MAX = 1024 * 1024
_PORT_MAX = 65535


class Invalid(Exception):
    """The value is wrong; the message, if any, names the part."""


def text(length_max: int) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > length_max or not value.isprintable():
            raise Invalid
        return value

    return check


def flag(value: Any) -> bool:
    if isinstance(value, (bool, int, str)):
        if value in (True, "true", "1"):
            return True
        if value in (False, "false", "0"):
            return False
    raise Invalid


def uuid(value: Any) -> str:
    if not isinstance(value, str) or not _UUID.fullmatch(value):
        raise Invalid
    return value


def choice(*values: str) -> Callable[[Any], str]:
    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in values:
            raise Invalid
        return value

    return check


def integer(least: int, most: int) -> Callable[[Any], int]:
    def check(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise Invalid
        return value

    return check


def hostname(value: Any) -> str:
    if not isinstance(value, str) or not _HOSTNAME.fullmatch(value) or ".." in value:
        raise Invalid
    return value


def addresses(value: Any) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or len(items) > 16:
        raise Invalid
    from ipaddress import AddressValueError, IPv4Address

    try:
        return [str(IPv4Address(item)) for item in items if isinstance(item, str) or _refused()]
    except AddressValueError:
        raise Invalid from None


def words_of(value: Any) -> list[str]:
    """A list of vmadm's: its elements have no commas, and the whole may be a comma string."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, list) or len(items) > _LIST_LENGTH_MAX:
        raise Invalid
    found = [str(item) if type(item) is int else item for item in items if item != ""]
    if any(not isinstance(item, str) or "," in item or not item.isprintable() for item in found):
        raise Invalid
    return found


def objects(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Invalid
    return value


def limit(value: Any) -> int | str:
    """A number, or none."""
    return "none" if value == "none" else integer(0, 1 << 62)(value)


def anything(value: Any) -> Any:
    """Where the items of a list are checked one by one."""
    return value


def path(value: Any) -> str:
    """Absolute, and as short as it can be written: no `..`, no doubled or last slash."""
    if not isinstance(value, str) or not _PATH.fullmatch(value) or len(value) > _PATH_LENGTH_MAX:
        raise Invalid
    if any(part in ("", ".", "..") for part in value[1:].split("/")) or not value.isprintable():
        raise Invalid
    return value


def mac(value: Any) -> str:
    """Of one machine: neither a group's nor all zeroes."""
    if not isinstance(value, str) or not _MAC.fullmatch(value):
        raise Invalid
    octets = [int(part, 16) for part in value.split(":")]
    if octets[0] & 1 or not any(octets):
        raise Invalid
    return ":".join(f"{octet:02x}" for octet in octets)


def address(value: Any) -> str:
    """An IPv4 address, or `dhcp`: the node's choice."""
    if value == "dhcp":
        return "dhcp"
    from ipaddress import AddressValueError, IPv4Address

    try:
        return str(IPv4Address(value)) if isinstance(value, str) else _refused()
    except AddressValueError:
        raise Invalid from None


def interfaces(value: Any) -> list[str]:
    """Addresses with prefix lengths, `dhcp` (IPv4) or `addrconf` (IPv6): the node's choice."""
    found = words_of(value)
    if not found or len(found) > _ADDRESSES_MAX:
        raise Invalid
    try:
        return [item if item in ("dhcp", "addrconf") else _interface(item) for item in found]
    except ValueError:
        raise Invalid from None


def _interface(item: str) -> str:
    from ipaddress import ip_interface

    return str(ip_interface(item)) if "/" in item else str(_refused())


def flat_object(value: Any) -> dict[str, str | int | float | bool]:
    if not isinstance(value, dict):
        raise Invalid
    for key, item in value.items():
        if not isinstance(key, str) or not key or not isinstance(item, (str, int, float, bool)):
            raise Invalid
    if len(json.dumps(value)) > _METADATA_BYTES_MAX:
        raise Invalid
    return dict(value)


def internal_metadata(value: Any) -> dict[str, str | int | float | bool]:
    """A flat object; its `docker:*` and `smartplatform:*` keys: docs/contracts/node.md."""
    found = flat_object(value)
    for key, check in _INTERNAL.items():
        if key in found:
            try:
                found[key] = check(found[key])
            except Invalid:
                raise Invalid(key) from None
    return found


def command(value: Any) -> str:
    words = _json_list(value)
    if not words or not words[0] or any("\0" in word for word in words):
        raise Invalid
    return str(value)


def environment(value: Any) -> str:
    if not all(_VARIABLE.fullmatch(item) for item in _json_list(value)):
        raise Invalid
    return str(value)


def folder(value: Any) -> str:
    if not isinstance(value, str) or not value.startswith("/") or "\0" in value:
        raise Invalid
    return value


def user(value: Any) -> str:
    if not isinstance(value, str) or not _USER.fullmatch(value):
        raise Invalid
    if any(part.isdigit() and int(part) > 65535 for part in value.split(":")):
        raise Invalid
    return value


def _json_list(value: Any) -> list[str]:
    try:
        items = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        raise Invalid from None
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise Invalid
    return items


def health_url(value: Any) -> str:
    """`http://<host>/<path>`, of what fits into the head of a request."""
    if not isinstance(value, str) or not re.fullmatch(
        r"http://[!-.0-~]{1,255}/[!-~]{0,2047}", value
    ):
        raise Invalid
    return value


def _refused() -> Any:
    raise Invalid


_INTERNAL: dict[str, Callable[[Any], Any]] = {
    words.COMMAND: command,
    words.ENVIRONMENT: environment,
    words.FOLDER: folder,
    words.USER: user,
    words.RESTART_POLICY: choice("always", "no"),
    words.STACK: uuid,
    **dict.fromkeys(words.RUNTIMES.values(), uuid),
    words.PORT: integer(1, _PORT_MAX),
    words.HEALTH: health_url,
    words.CLASS: choice(words.MACHINES, words.RUNS, words.BUILDS),
    words.PLACE: text(255),
}
