"""Which pnpm an app gets that names none: one that reads and writes its lock file as it is."""

from buildpacks import ranges
from buildpacks.findings import Notice
from buildpacks.nodejs import asked
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.package_manager import Lock, ManagerOffer
from buildpacks.plan import ManagerVersion

OLDEST = "6.0.0"
_MAJORS = (
    # Its HTTP client fails with Node.js 20 and later.
    ("6.x", ("5.3",), ">=12.17 <20"),
    ("7.x", ("5.3", "5.4"), ">=14.6"),
    ("8.x", ("6.0", "6.1"), ">=16.14"),
    ("10.x", ("9.0",), ">=18.12"),
    ("9.x", ("9.0",), ">=18.12"),
    ("11.x", ("9.0",), ">=22.13"),
    ("12.x", ("9.0",), ">=18"),
)
"""Majors, the lock files that they leave as they are, the Node.js that they need; of several for
the same lock file the first."""


def resolve(
    package: Manifest, lock: Lock, nodejs: str, offer: ManagerOffer
) -> tuple[ManagerVersion, list[Notice]]:
    """Raises Refused for a request that can't be read, or that nothing satisfies."""
    fitting = [
        major
        for major, forms, node in _MAJORS
        if lock.form in (*forms, "") and ranges.satisfies(nodejs, node)
    ]
    # Of a form that is not known yet the newest may know more.
    suggested = asked.Suggested(
        fitting or ["*"], lock.path, f"lockfileVersion {lock.form}" if lock.form else ""
    )
    return asked.resolve(
        "pnpm",
        "pnpm",
        asked.read(package, "pnpm"),
        suggested,
        offer,
        lambda version: _supports(version, nodejs),
    )


def _supports(version: str, nodejs: str) -> bool:
    """Was this pnpm made for that Node.js? Of a major that is not known yet: so it is hoped."""
    node = next((node for major, _, node in _MAJORS if ranges.satisfies(version, major)), ">=22")
    return ranges.satisfies(nodejs, node)
