"""The route table as control sends it: checked whole, then frozen.

    read(object) → Table          raises TableError, and the old table stays in force
    load(path), save(path, …)     the last table on disk, replaced by rename

The shape is in ARCHITECTURE.md, "control → router". What it means for a request, `routes` knows.
"""

import json
import os
import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

STATES = ("live", "blank", "crashed")
HTTPS = ("optional", "redirect")
UNIX_PATH_BYTES_MAX = 107
"""What `sockaddr_un` holds, unix(7)."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_APP_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_INSTANCE_NAME = re.compile(r"[a-zA-Z0-9_-]{1,63}\.[0-9]{1,9}")
_HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
)


class TableError(Exception):
    """The table can't be obeyed; the message says where it is wrong."""


@dataclass(frozen=True, slots=True)
class Instance:
    """Where one process listens: `unix` is a path, else `tcp` is (address, port)."""

    id: str
    name: str
    unix: str = ""
    tcp: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class App:
    id: str
    name: str
    domains: tuple[str, ...]
    maintenance: bool
    state: str
    instances: tuple[Instance, ...]
    https: str = "optional"


@dataclass(frozen=True, slots=True)
class Table:
    version: int
    bases: tuple[str, ...]
    apps: tuple[App, ...]


EMPTY = Table(0, (), ())


def read(table: Any) -> Table:
    """The table in `table`, a decoded JSON object. Raises TableError."""
    version = _field("table", table, "version", int)
    if isinstance(version, bool) or version < 1:
        raise TableError(f"table.version is {version!r}, not a positive number")
    bases = tuple(_host("table.bases", base) for base in _field("table", table, "bases", list))
    apps = read_apps(_field("table", table, "apps", list))
    _refuse_twice("app id", [app.id for app in apps])
    _refuse_twice("app name", [app.name for app in apps])
    _refuse_twice("domain", [domain for app in apps for domain in app.domains])
    _refuse_twice("instance id", [each.id for app in apps for each in app.instances])
    return Table(version, bases, apps)


def read_apps(apps: list[Any]) -> tuple[App, ...]:
    """Entries of a table, without what they must not have in common. Raises TableError."""
    return tuple(_app(f"table.apps[{index}]", app) for index, app in enumerate(apps))


def load(path: Path) -> dict[str, Any] | None:
    """The table object that was saved, or None. Raises TableError for a bad one."""
    try:
        table = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise TableError(f"{path} is not JSON: {error}") from error
    read(table)
    return dict(table)


def save(path: Path, table: dict[str, Any]) -> None:
    """Put the table where `load` finds it, whole or not at all, also after a power failure."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(json.dumps(table, separators=(",", ":")).encode())
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def _app(where: str, app: Any) -> App:
    state = _field(where, app, "state", str)
    if state not in STATES:
        raise TableError(f"{where}.state is {state!r}, not one of {', '.join(STATES)}")
    https = _field(where, {"https": "optional"} | app, "https", str)
    if https not in HTTPS:
        raise TableError(f"{where}.https is {https!r}, not one of {', '.join(HTTPS)}")
    return App(
        id=_matching(where, app, "id", _ID),
        name=_matching(where, app, "name", _APP_NAME),
        domains=tuple(
            _domain(f"{where}.domains", each) for each in _field(where, app, "domains", list)
        ),
        maintenance=_field(where, app, "maintenance", bool),
        state=state,
        instances=tuple(
            _instance(f"{where}.instances[{index}]", each)
            for index, each in enumerate(_field(where, app, "instances", list))
        ),
        https=https,
    )


def _instance(where: str, instance: Any) -> Instance:
    id = _matching(where, instance, "id", _ID)
    name = _matching(where, instance, "name", _INSTANCE_NAME)
    target = _field(where, instance, "target", dict)
    match target:
        case {"unix": str(path)} if len(target) == 1:
            if not path.startswith("/") or "\0" in path:
                raise TableError(f"{where}.target.unix is {path!r}, not an absolute path")
            if len(os.fsencode(path)) > UNIX_PATH_BYTES_MAX:
                raise TableError(f"{where}.target.unix is longer than {UNIX_PATH_BYTES_MAX} bytes")
            return Instance(id, name, unix=path)
        case {"tcp": [str(address), int(port)]} if len(target) == 1 and 0 < port < 65536:
            return Instance(id, name, tcp=(_address(where, address), port))
    raise TableError(f"{where}.target is {target!r}: neither a Unix path nor [address, port]")


def _address(where: str, address: str) -> str:
    """A number: no worker waits for a resolver."""
    try:
        return str(ip_address(address))
    except ValueError:
        raise TableError(f"{where}.target.tcp has {address!r}, which is no IP address") from None


def _domain(where: str, domain: Any) -> str:
    if isinstance(domain, str) and domain.startswith("*."):
        return "*." + _host(where, domain[2:])
    return _host(where, domain)


def _host(where: str, host: Any) -> str:
    if not isinstance(host, str) or not _HOST.fullmatch(host):
        raise TableError(f"{where} has {host!r}, which is no host name in lower case")
    return host


def _matching(where: str, holder: Any, key: str, pattern: re.Pattern[str]) -> str:
    value: str = _field(where, holder, key, str)
    if not pattern.fullmatch(value):
        raise TableError(f"{where}.{key} is {value!r}, which is not of the form {pattern.pattern}")
    return value


def _field(where: str, holder: Any, key: str, kind: type) -> Any:
    if not isinstance(holder, dict):
        raise TableError(f"{where} is not an object")
    if key not in holder:
        raise TableError(f"{where}.{key} is missing")
    if not isinstance(holder[key], kind):
        raise TableError(f"{where}.{key} is {holder[key]!r}, not {kind.__name__}")
    return holder[key]


def _refuse_twice(what: str, values: list[str]) -> None:
    if len(set(values)) == len(values):
        return
    seen: set[str] = set()
    for value in values:
        if value in seen:
            raise TableError(f"the table has the {what} {value!r} twice")
        seen.add(value)
