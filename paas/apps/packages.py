"""Packages: sizes as SDC means them (vmadm(8) has the properties' units and meanings)."""

from dataclasses import dataclass

from paas.errors import UserError

SHARES_PER_CORE = 1024


@dataclass(frozen=True)
class Package:
    """What one machine may use.

    `max_physical_memory` and `max_swap` (memory and swap together) are in MiB, `quota` in GiB,
    `cpu_cap` in percent of one core (None: may use the whole server when it is idle).
    `cpu_shares` is what it gets when everybody wants to run: 1024 stand for one core.
    `zfs_io_priority` is its weight at the disk: 100 is ordinary.
    """

    name: str
    max_physical_memory: int
    cpu_shares: int
    cpu_cap: int | None
    quota: int
    max_lwps: int
    max_swap: int
    zfs_io_priority: int


def _package(name: str, memory_mib: int, quota_gib: int = 10) -> Package:
    """A core goes with 4 GiB of memory: an eighth with the default, less with the small ones."""
    shares = SHARES_PER_CORE * memory_mib // 4096
    return Package(
        name=name,
        max_physical_memory=memory_mib,
        cpu_shares=shares,
        cpu_cap=None,
        quota=quota_gib,
        max_lwps=max(512, memory_mib),
        max_swap=max(256, memory_mib),
        zfs_io_priority=shares * 100 // (SHARES_PER_CORE // 8),
    )


PACKAGES = (
    _package("standard-128m", 128, quota_gib=3),
    _package("standard-256m", 256, quota_gib=5),
    _package("standard-512m", 512),
    _package("standard-1g", 1024),
    _package("standard-2g", 2048),
)
WEB_MEMORY_MIB = 512
WEB_CONCURRENCY_MAX = 200
"""What one web process is taken to need, and the most of them: as Heroku's Node.js buildpack."""
DEFAULT_PACKAGE = "standard-512m"

HEROKU_SIZES = {
    "eco": "standard-512m",
    "basic": "standard-512m",
    "standard-1x": "standard-512m",
    "standard-2x": "standard-1g",
}
"""Heroku's names of sizes, so that what people type there works here with the same memory."""

_BY_NAME = {package.name: package for package in PACKAGES}


def memory_variables(package: Package, web_memory: str | None = None) -> dict[str, str]:
    """What tells a process how large its package is: Heroku's three variables, in MiB.

    `web_memory` is the app's own WEB_MEMORY, which WEB_CONCURRENCY follows; one that is no number
    is taken for none.
    """
    available = package.max_physical_memory
    given = web_memory or ""
    each = int(given) if given.isascii() and given.isdigit() and len(given) < 10 else 0
    each = each or min(WEB_MEMORY_MIB, available)
    return {
        "MEMORY_AVAILABLE": str(available),
        "WEB_MEMORY": str(each),
        "WEB_CONCURRENCY": str(min(max(available // each, 1), WEB_CONCURRENCY_MAX)),
    }


def package(name: str) -> Package:
    """The package of that name, or of that Heroku size, in any case. Raises UserError."""
    key = name.lower()
    found = _BY_NAME.get(HEROKU_SIZES.get(key, key))
    if found is None:
        known = ", ".join(_BY_NAME)
        raise UserError("invalid_params", f"There is no package {name!r}.", f"There are: {known}.")
    return found
