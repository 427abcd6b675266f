"""IMGAPI manifests, version 2: what an image says of itself (sdc-imgapi; rules as npm's
imgmanifest).

Pure: completing and checking. Where manifests are kept is `images`' matter.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from paas.node import words

Manifest = dict[str, Any]
Problem = dict[str, str]

NOBODY = "00000000-0000-0000-0000-000000000000"

_TYPES = {"zone-dataset", "lx-dataset", "zvol", "docker", "lxd", "other"}
_SYSTEMS = {"smartos", "linux", "windows", "bsd", "illumos", "other"}
_STATES = {"active", "unactivated", "disabled", "creating", "failed"}
_COMPRESSIONS = {"none", "gzip", "bzip2", "xz"}
_ZVOL_ONLY = ("nic_driver", "disk_driver", "cpu_type", "image_size")
_REQUIRED = ("v", "uuid", "name", "version", "type", "os")
_TAGS_BYTES_MAX = 100 * 1024


def complete(given: Mapping[str, Any], published: datetime | None = None) -> Manifest:
    """The given fields and, for the rest, what a private, active Linux zone image has."""
    moment = (published or datetime.now(UTC)).astimezone(UTC)
    defaults: Manifest = {
        "v": 2,
        "owner": NOBODY,
        "version": "1",
        "state": "active",
        "disabled": False,
        "activated": True,
        "public": False,
        "published_at": moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z",
        "type": "lx-dataset",
        "os": "linux",
        "requirements": {"brand": "lx"},
        "tags": {},
    }
    return defaults | dict(given)


def problems(manifest: Mapping[str, Any]) -> list[Problem]:
    """What imgmanifest's minimal validation refuses: `[{field, code, message}]`."""
    found = [
        _problem(field, "MissingParameter", "is missing")
        for field in _REQUIRED
        if manifest.get(field) in (None, "")
    ]
    for field, value in manifest.items():
        check = _CHECKS.get(field)
        if check is None:
            found.append(_problem(field, "Invalid", "is no field of a manifest"))
        elif field in _REQUIRED and value in (None, ""):
            continue
        elif not check(value):
            found.append(_problem(field, "Invalid", f"can't be {value!r:.200}"))
    requirements = manifest.get("requirements")
    booted = isinstance(requirements, dict) and requirements.get("bootrom")
    if isinstance(requirements, dict) and booted and requirements.get("brand") != "bhyve":
        found.append(_problem("requirements.bootrom", "Invalid", "is for the brand bhyve"))
    if "inherited_directories" in manifest and manifest.get("type") != "zone-dataset":
        found.append(_problem("inherited_directories", "Invalid", "is for type zone-dataset"))
    files = manifest.get("files")
    if isinstance(files, list) and len(files) > 1 and manifest.get("type") != "lxd":
        found.append(_problem("files", "Invalid", "has more than one file"))
    return found + _zvol_problems(manifest)


def file_problems(manifest: Mapping[str, Any]) -> list[Problem]:
    """What must be right besides for a file to be checked against its manifest: imgmanifest looks
    whether there is a sum and a size, and not at them.
    """
    files = manifest.get("files")
    if isinstance(files, list) and len(files) == 1 and _is_file(files[0]):
        return []
    return [_problem("files", "Invalid", "is not one file with sha1, size and compression")]


def role(manifest: Mapping[str, Any]) -> str:
    """`base`, `stack`, `runtime`, `trunk`, `app`, or nothing for images that came from
    elsewhere.
    """
    return str(manifest.get("tags", {}).get(words.ROLE, ""))


def pins(manifest: Mapping[str, Any]) -> set[str]:
    """The images that an image needs beside itself, and so keeps from being deleted."""
    tags = manifest.get("tags", {})
    keys = (words.STACK, *words.RUNTIMES.values())
    wanted = (*(tags.get(key) for key in keys), manifest.get("origin"))
    return {value for value in wanted if isinstance(value, str)}


def _problem(field: str, code: str, message: str) -> Problem:
    return {"field": field, "code": code, "message": f"{field} {message}"}


def _zvol_problems(manifest: Mapping[str, Any]) -> list[Problem]:
    if manifest.get("type") == "zvol":
        return []
    return [
        _problem(field, "Invalid", "is only for images of type zvol")
        for field in _ZVOL_ONLY
        if field in manifest
    ]


def is_uuid(value: object) -> bool:
    """Lower case, as imgmanifest wants it."""
    return isinstance(value, str) and bool(_UUID.fullmatch(value))


_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def _text(pattern: str) -> Callable[[object], bool]:
    compiled = re.compile(pattern, re.DOTALL)
    return lambda value: isinstance(value, str) and bool(compiled.fullmatch(value))


def _one_of(values: set[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, str) and value in values


def _is(kind: type) -> Callable[[object], bool]:
    return lambda value: isinstance(value, kind)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _are(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(check(item) for item in value)


def _is_boolean(value: object) -> bool:
    return value in ("true", "false") or isinstance(value, bool)


def _is_number(value: object) -> bool:
    return (isinstance(value, float) and value.is_integer()) or _is_integer(value)


def _is_named(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"name"}


def _is_network(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"name", "description"}


def _are_tags(value: object) -> bool:
    try:
        return isinstance(value, dict) and len(json.dumps(value)) <= _TAGS_BYTES_MAX
    except RecursionError:
        return False


def _are_traits(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, (str, bool, list)) for v in value.values())


def _is_requirements(value: object) -> bool:
    """What is false, empty or zero is as good as left out, as there."""
    known = {"networks", "brand", "ssh_key", "min_ram", "max_ram", "bootrom"}
    known |= {"min_platform", "max_platform"}
    if not isinstance(value, dict) or set(value) - known:
        return False
    value = {key: given for key, given in value.items() if _is_true(given)}
    least, most = value.get("min_ram", 0), value.get("max_ram", 0)
    return (
        _is_number(least)
        and _is_number(most)
        and (not least or not most or least <= most)
        and isinstance(value.get("brand", ""), str)
        and value.get("ssh_key", True) is True
        and _are(_is_network)(value.get("networks", []))
        and all(
            key not in value or _are_platforms(value[key])
            for key in ("min_platform", "max_platform")
        )
        and value.get("bootrom", "bios") in ("bios", "uefi")
    )


def _are_platforms(value: object) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_platform, value.values()))


def _is_true(value: object) -> bool:
    """As JavaScript has it."""
    return value not in (None, False, 0, "")


def _is_platform(value: object) -> bool:
    """`20130308T102805Z`, from 2012 on."""
    found = (
        re.fullmatch(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", value)
        if (isinstance(value, str))
        else None
    )
    if found is None:
        return False
    year, month, day, hour, minute, second = map(int, found.groups())
    return (
        year >= 2012
        and 1 <= month <= 12
        and 1 <= day <= 31
        and hour <= 23
        and minute <= 59
        and second <= 59
    )


def _are_files(value: object) -> bool:
    """Of lxd there are two."""
    return isinstance(value, list) and len(value) <= 2 and all(_has_file(file) for file in value)


def _has_file(value: object) -> bool:
    if not isinstance(value, dict):
        return False
    return bool(
        value.get("sha1") and value.get("size") and value.get("compression") in _COMPRESSIONS
    )


def _is_file(value: object) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("sha1"), str)
        and bool(re.fullmatch(r"[0-9a-f]{40}", value["sha1"]))
        and _is_integer(value.get("size"))
        and value["size"] > 0
        and value.get("compression") in _COMPRESSIONS
    )


_CHECKS: dict[str, Callable[[Any], bool]] = {
    "v": lambda value: _is_number(value) and value >= 0,
    "uuid": is_uuid,
    "owner": is_uuid,
    "origin": is_uuid,
    "name": _text(r"[A-Za-z0-9._/ -]{1,1024}"),
    "version": _text(r"[A-Za-z0-9._/+-]{1,512}"),
    "description": _text(r".{0,10240}"),
    "homepage": _text(r"(?i)(?=.{0,1024}\Z)\s*https?:.*"),
    "eula": _text(r"(?i)(?=.{0,1024}\Z)\s*https?:.*"),
    "urn": _is(str),
    "type": _one_of(_TYPES),
    "os": _one_of(_SYSTEMS),
    "state": _one_of(_STATES),
    "disabled": _is_boolean,
    "activated": _is_boolean,
    "public": _is_boolean,
    "published_at": _text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z"),
    "error": _is(dict),
    "icon": _is_boolean,
    "acl": _are(is_uuid),
    "files": _are_files,
    "requirements": _is_requirements,
    "users": _are(_is_named),
    "billing_tags": _are(_text(r".{0,128}")),
    "traits": _are_traits,
    "tags": _are_tags,
    "generate_passwords": _is_boolean,
    "inherited_directories": _are(_is(str)),
    "nic_driver": _is(str),
    "disk_driver": _is(str),
    "cpu_type": _is(str),
    "image_size": _is_number,
}
