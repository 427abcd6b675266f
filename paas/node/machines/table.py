"""The table of vmadm's properties: what each is, and what becomes of it here. Pure data.

It drives the checks and defaults of payloads (`payload`), the names that lists and filters take
(`fields`), `vmadm help properties` and docs/vmadm.md. Names, brands, types, bounds and defaults are
those of SmartOS's proptable.js and vmadm(8). vmadm itself loads this module: it imports little.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from paas.node.machines import properties

ZERO_UUID = "00000000-0000-0000-0000-000000000000"
ZONES = ("joyent", "joyent-minimal", "lx")
"""SmartOS's brands of zones that are one thing here: a zone of Linux."""
NOT_BUILT_BRANDS = ("builder", "bhyve", "kvm")
ALL, OS, LX, HVM, KVM, BHYVE = "all", "OS", "lx", "HVM", "kvm", "bhyve"
_BRANDS = {
    ALL: ZONES,
    OS: ZONES,
    LX: ("lx",),
    "docker": ("joyent-minimal", "lx"),
}
AT_ONCE, NEXT_BOOT, NEVER = "at once", "next boot", "–"
SAME, NARROWER, ABSENT = "same", "narrower", "absent"
MISSING = object()


@dataclass(frozen=True)
class Property:
    """`brands` and `settable` (create, receive, update) are SmartOS's.

    `check` gives a value in its own type or raises Invalid. `only` are the values that are built,
    where not all are: another is refused by name. `effect`: when a change counts. `why`: what
    differs from SmartOS. `default` is a value; where it follows from others, `defaults` says how.
    """

    name: str
    kind: str
    check: Callable[[Any], Any] = properties.anything
    unit: str = ""
    brands: str = ALL
    settable: str = "CRU"
    default: Any = None
    defaults: str = ""
    limits: str = ""
    effect: str = AT_ONCE
    standing: str = SAME
    only: tuple[Any, ...] = ()
    why: str = ""

    def shown_default(self) -> str:
        return self.defaults or _shown(self.default)

    def applies_to(self, brand: str) -> bool:
        return brand in _BRANDS.get(self.brands, ())


_TEXT = properties.text(255)
_FLAG = properties.flag
_UUID = properties.uuid
_INT = properties.integer
_MIB_MAX = 1 << 24
_MIB = _INT(1, _MIB_MAX)


OF_KIND: Mapping[str, Callable[[Any], Any]] = {
    "boolean": _FLAG,
    "flat object": properties.flat_object,
    "integer": _INT(0, 1 << 62),
    "list": properties.words_of,
    "objects": properties.objects,
    "string": _TEXT,
    "uuid": _UUID,
}
"""What is no such value is a bad one, also of what is not built."""


def _flag(name: str, brands: str = ALL, **more: Any) -> Property:
    return Property(name, "boolean", _FLAG, brands=brands, **{"default": False, **more})


def _text(
    name: str, check: Callable[[Any], Any] = _TEXT, brands: str = ALL, **more: Any
) -> Property:
    return Property(name, "string", check, brands=brands, **more)


def _number(name: str, least: int, most: int, unit: str = "", **more: Any) -> Property:
    limits = f"{least} to {most}"
    return Property(name, "integer", _INT(least, most), unit=unit, limits=limits, **more)


def _refused(name: str, kind: str, only: tuple[Any, ...], why: str, **more: Any) -> Property:
    """Known, and not built: what is asked for beyond `only` is refused by name."""
    shown = _shown(only[0] if only else None)
    check = more.pop("check", OF_KIND[kind])
    return Property(
        name, kind, check, only=only, standing=ABSENT, why=why, effect=NEVER, defaults=shown, **more
    )


def _shown(value: Any) -> str:
    return "" if value in (None, "", [], {}) else str(value).lower()


_LABEL = "a label"
_NO_ZFS = "the pools here have no such setting; with the zfs driver"
_NO_METADATA = "no metadata service in zones yet"
_NO_IPC = "the kernel's own limits hold for each zone"

_IDENTITY = (
    Property("uuid", "uuid", _UUID, settable="CR", effect=NEVER, defaults="made"),
    _text(
        "zonename",
        _UUID,
        settable="CR",
        effect=NEVER,
        defaults="the uuid",
        standing=NARROWER,
        why="it is the uuid",
    ),
    _text(
        "brand",
        properties.choice(*ZONES),
        settable="CR",
        effect=NEVER,
        default="joyent",
        limits=", ".join(ZONES),
        standing=NARROWER,
        why="the three are all a zone of Linux; builder, kvm and bhyve are refused by name",
    ),
    Property("image_uuid", "uuid", _UUID, settable="CR", effect=NEVER, defaults="required"),
    Property(
        "dataset_uuid",
        "uuid",
        _UUID,
        settable="CR",
        effect=NEVER,
        why="deprecated: image_uuid in its old name",
    ),
    _text("alias", properties.text(189)),
    _text("hostname", properties.hostname, defaults="the zonename", effect=NEXT_BOOT),
    _text(
        "dns_domain",
        properties.hostname,
        OS,
        default="local",
        effect=NEXT_BOOT,
        why="in the zone's /etc/hosts",
    ),
    _text("owner_uuid", default=ZERO_UUID, why=_LABEL),
    _text("billing_id", default=ZERO_UUID, why=_LABEL),
    _text("package_name", why=f"{_LABEL}; deprecated there too"),
    _text("package_version", why=f"{_LABEL}; deprecated there too"),
    _text(
        "kernel_version",
        brands=LX,
        defaults="the host's",
        effect=NEVER,
        standing=NARROWER,
        why=f"{_LABEL}: programs see the host's kernel",
    ),
    _flag("do_not_inventory", why="a label: who keeps an inventory looks at it"),
)

_LIFE = (
    _flag("autoboot", default=True, why="follows `vmadm start` and `vmadm stop`"),
    _flag(
        "docker",
        "docker",
        effect=NEXT_BOOT,
        standing=NARROWER,
        why="docker:cmd, env, workdir, user and restartpolicy count without it too",
    ),
    _flag(
        "indestructible_zoneroot",
        standing=NARROWER,
        why="the node refuses delete, reprovision and making an image of it; no hold in the pool",
    ),
    _flag(
        "indestructible_delegated",
        standing=NARROWER,
        why="delete is refused by the node; there are no delegated datasets",
    ),
    _refused("archive_on_delete", "boolean", (False,), "there is no zones/archive"),
    _flag("nowait", OS, settable="CR", effect=NEVER, why="create always returns at boot"),
    _text(
        "init_name",
        properties.path,
        OS,
        defaults="/sbin/init",
        effect=NEXT_BOOT,
        why="docker:cmd goes before it",
    ),
    _flag(
        "restart_init",
        OS,
        standing=NARROWER,
        why="true there by default; docker:restartpolicy goes before it",
    ),
    _refused("limit_priv", "list", (["default"],), "zones of Linux have no such privileges"),
    _refused("fs_allowed", "list", ([],), "zones mount no file systems of their own", brands=OS),
    _refused(
        "mdata_exec_timeout", "integer", (300,), _NO_METADATA, unit="s", brands=OS, settable="C"
    ),
    _refused(
        "zlog_max_size",
        "integer",
        (),
        "the log of each machine has one size",
        unit="bytes",
        brands=OS,
    ),
    _refused("create_only", "boolean", (False,), "install makes it ready", settable="R"),
)

_SIZE = (
    _number("cpu_shares", 1, 65535, "shares", default=100, why="1024 stand for one core"),
    _number("cpu_cap", 0, 1_000_000, "% of a core", why="0 removes it"),
    _number("ram", 1, _MIB_MAX, "MiB", default=None, defaults="256", why="is max_physical_memory"),
    _number("max_physical_memory", 1, _MIB_MAX, "MiB", defaults="ram"),
    _number(
        "max_locked_memory",
        1,
        _MIB_MAX,
        "MiB",
        defaults="max_physical_memory",
        effect=NEXT_BOOT,
        standing=NARROWER,
        why="kept always: a process may lock no more than 64 KiB",
    ),
    _number(
        "max_swap",
        256,
        _MIB_MAX,
        "MiB",
        defaults="max_physical_memory",
        why="at least max_physical_memory: less is raised to it",
    ),
    _number("max_lwps", 1, 100_000, "tasks", default=2000),
    _number(
        "tmpfs",
        0,
        _MIB_MAX,
        "MiB",
        brands=OS,
        defaults="max_physical_memory",
        effect=NEXT_BOOT,
        why="0: /tmp is on the disk",
    ),
    *(
        _refused(name, "integer", (4096,), _NO_IPC)
        for name in ("max_msg_ids", "max_sem_ids", "max_shm_ids")
    ),
    _refused("max_shm_memory", "integer", (), _NO_IPC, unit="MiB"),
)

_STORAGE = (
    _text("zpool", properties.choice("zones"), settable="CR", default="zones", effect=NEVER),
    _text(
        "zfs_storage_pool_name",
        properties.choice("zones"),
        settable="CR",
        effect=NEVER,
        why="deprecated: zpool in its old name",
    ),
    _number("quota", 0, 1 << 20, "GiB", default=10, why="0: no quota. On a `dir` pool only 0"),
    _number("zfs_io_priority", 1, 16384, "weight", default=100, why="the io weight of its cgroup"),
    _refused("zfs_root_compression", "string", ("off",), _NO_ZFS),
    _refused("zfs_data_compression", "string", ("off",), _NO_ZFS, brands=OS),
    _refused("zfs_root_recsize", "integer", (131072, 0), _NO_ZFS, unit="bytes"),
    _refused("zfs_data_recsize", "integer", (131072, 0), _NO_ZFS, unit="bytes", brands=OS),
    _refused("zfs_filesystem_limit", "integer", ("none",), _NO_ZFS, check=properties.limit),
    _refused("zfs_snapshot_limit", "integer", ("none",), _NO_ZFS, check=properties.limit),
    _refused(
        "delegate_dataset", "boolean", (False,), "needs OpenZFS 2.2", brands=OS, settable="CR"
    ),
)

MAPS = ("tags", "customer_metadata", "internal_metadata")
_MAP = "flat object"
_METADATA = (
    Property("tags", _MAP, properties.flat_object, settable="CR", default={}),
    Property(
        "customer_metadata",
        _MAP,
        properties.flat_object,
        settable="CR",
        default={},
        standing=NARROWER,
        why=f"kept and shown: {_NO_METADATA}, and user-script is not run",
    ),
    Property(
        "internal_metadata",
        _MAP,
        properties.internal_metadata,
        settable="CR",
        default={},
        effect=NEXT_BOOT,
        why="the keys of docs/contracts/node.md are checked",
    ),
    *(Property(f"set_{name}", _MAP, properties.flat_object, settable="U") for name in MAPS),
    *(Property(f"remove_{name}", "list", properties.words_of, settable="U") for name in MAPS),
    _refused("internal_metadata_namespaces", "list", ([],), _NO_METADATA),
)

_ONE_NIC = "a machine has one interface, with one address"
_ONE_WAY = "the gateway is all that a zone reaches"
_NETWORK = (
    Property("resolvers", "list", properties.addresses, default=[], effect=NEXT_BOOT, limits="16"),
    _flag("maintain_resolvers", OS, why="resolvers count at once"),
    _refused("firewall_enabled", "boolean", (False,), "no fwadm yet: zones are walled off always"),
    _refused("routes", _MAP, ({},), _ONE_WAY, settable="CR"),
    _refused("set_routes", _MAP, ({},), _ONE_WAY, settable="U"),
    _refused("remove_routes", "list", ([],), _ONE_WAY, settable="U"),
)
ROWS = (*_IDENTITY, *_LIFE, *_SIZE, *_STORAGE, *_METADATA, *_NETWORK)
ONE_NIC = _ONE_NIC
Table = Mapping[str, Property]
