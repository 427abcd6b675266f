"""The route table as control sends it: checked whole, then frozen. Pure.

    read(object) → Table          raises TableError, and the old table stays in force

The shape is in docs/contracts/router.md. What it means for a request, `routes` knows.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

from router.table import options, schema
from router.table.options import Routing, Rule
from router.table.schema import TableError as TableError

STATES = ("live", "blank", "crashed", "asleep")
HTTPS = ("optional", "redirect")
UNIX_PATH_BYTES_MAX = 107
"""What `sockaddr_un` holds, unix(7)."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_APP_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_INSTANCE_NAME = re.compile(r"[a-zA-Z0-9_-]{1,63}\.[0-9]{1,9}")
_HOST = re.compile(
    r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*"
)


@dataclass(frozen=True, slots=True)
class Instance:
    """Where one process listens: `unix` is a path, else `tcp` is (address, port).

    `release` is the number of its release; 0 when the table does not say.
    """

    id: str
    name: str
    unix: str = ""
    tcp: tuple[str, int] | None = None
    release: int = 0


@dataclass(frozen=True, slots=True)
class App:
    id: str
    name: str
    domains: tuple[str, ...]
    maintenance: bool
    state: str
    instances: tuple[Instance, ...]
    https: str = "optional"
    routing: Routing = options.DEFAULT
    weights: Mapping[int, int] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    version: int
    bases: tuple[str, ...]
    apps: tuple[App, ...]


EMPTY = Table(0, (), ())

_TABLE_KEYS = frozenset(("version", "bases", "apps"))
_APP_KEYS = frozenset(("id", "name", "domains", "maintenance", "state", "instances")) | frozenset(
    ("https", "routing", "weights", "rules")
)
_INSTANCE_KEYS = frozenset(("id", "name", "target", "release"))


def read(table: Any) -> Table:
    """The table in `table`, a decoded JSON object. Raises TableError."""
    schema.only("table", table, _TABLE_KEYS)
    version = schema.field("table", table, "version", int)
    if isinstance(version, bool) or version < 1:
        raise TableError(f"table.version is {version!r}, not a positive number")
    bases = tuple(
        _host("table.bases", base) for base in schema.field("table", table, "bases", list)
    )
    apps = read_apps(schema.field("table", table, "apps", list))
    schema.refuse_twice("app id", [app.id for app in apps])
    schema.refuse_twice("app name", [app.name for app in apps])
    schema.refuse_twice("domain", [domain for app in apps for domain in app.domains])
    schema.refuse_twice("instance id", [each.id for app in apps for each in app.instances])
    return Table(version, bases, apps)


def read_apps(apps: list[Any]) -> tuple[App, ...]:
    """Entries of a table, without what they must not have in common. Raises TableError."""
    return tuple(_app(f"table.apps[{index}]", app) for index, app in enumerate(apps))


def _app(where: str, app: Any) -> App:
    schema.only(where, app, _APP_KEYS)
    state = schema.field(where, app, "state", str)
    if state not in STATES:
        raise TableError(f"{where}.state is {state!r}, not one of {', '.join(STATES)}")
    https = schema.field(where, {"https": "optional"} | app, "https", str)
    if https not in HTTPS:
        raise TableError(f"{where}.https is {https!r}, not one of {', '.join(HTTPS)}")
    return App(
        id=schema.matching(where, app, "id", _ID),
        name=schema.matching(where, app, "name", _APP_NAME),
        domains=tuple(
            _domain(f"{where}.domains", each) for each in schema.field(where, app, "domains", list)
        ),
        maintenance=schema.field(where, app, "maintenance", bool),
        state=state,
        instances=tuple(
            _instance(f"{where}.instances[{index}]", each)
            for index, each in enumerate(schema.field(where, app, "instances", list))
        ),
        https=https,
        routing=options.read(f"{where}.routing", app["routing"])
        if "routing" in app
        else options.DEFAULT,
        weights=options.read_weights(f"{where}.weights", app.get("weights", {})),
        rules=options.read_rules(f"{where}.rules", app.get("rules", [])),
    )


def _instance(where: str, instance: Any) -> Instance:
    schema.only(where, instance, _INSTANCE_KEYS)
    id = schema.matching(where, instance, "id", _ID)
    name = schema.matching(where, instance, "name", _INSTANCE_NAME)
    target = schema.field(where, instance, "target", dict)
    release = options.read_release(where, instance) if "release" in instance else 0
    match target:
        case {"unix": str(path)} if len(target) == 1:
            if not path.startswith("/") or "\0" in path:
                raise TableError(f"{where}.target.unix is {path!r}, not an absolute path")
            if len(os.fsencode(path)) > UNIX_PATH_BYTES_MAX:
                raise TableError(f"{where}.target.unix is longer than {UNIX_PATH_BYTES_MAX} bytes")
            return Instance(id, name, unix=path, release=release)
        case {"tcp": [str(address), int(port)]} if len(target) == 1 and 0 < port < 65536:
            return Instance(id, name, tcp=(_address(where, address), port), release=release)
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
