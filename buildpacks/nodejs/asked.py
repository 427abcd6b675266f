"""Which version of its package manager an app asks for: what package.json says of it.

Sources: packageManager (`npm@10.8.2`, with or without Corepack's checksum), engines.<name> and
devEngines.packageManager. Each has to be satisfied.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from buildpacks import ranges
from buildpacks.findings import Notice, Refused, refuse
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.package_manager import ManagerOffer
from buildpacks.plan import ManagerVersion

PACKAGE_MANAGER = "packageManager in package.json"
_TAGS = ("latest", "stable")
_EXAMPLES = {"npm": "11.6.2", "pnpm": "10.11.0", "yarn": "4.9.2", "bun": "1.3.0"}
_VERSION = re.compile(r"\d+\.\d+\.\d+")
_EXACT = re.compile(r"(?P<version>\d+\.\d+\.\d+)(?:\+(?P<checksum>sha\d+\.[0-9a-f]+))?")


@dataclass(frozen=True)
class Asked:
    """Source → range, the first the most particular; and Corepack's checksum of the first."""

    ranges: Mapping[str, str]
    checksum: str = ""

    def allows(self, version: str) -> bool:
        return all(ranges.satisfies(version, wanted) for wanted in self.ranges.values())


def read(package: Manifest, name: str) -> Asked:
    """What is asked for of the package manager `name`: `*` and `latest` are nothing.

    Raises Refused for what can't be read.
    """
    found: dict[str, str] = {}
    checksum = ""
    if package.package_manager.startswith(f"{name}@"):
        written = package.package_manager.removeprefix(f"{name}@")
        exact = _EXACT.fullmatch(written)
        if not exact and not ranges.is_range(written) and written not in _TAGS:
            raise refuse(
                "invalid_package_manager",
                f"packageManager in package.json is {package.package_manager[:80]!r}, "
                "which names no version",
                f'Write it whole, e.g. "packageManager": "{name}@{_EXAMPLES[name]}"',
            )
        if written not in _TAGS:
            found[PACKAGE_MANAGER] = exact["version"] if exact else written
        checksum = (exact and exact["checksum"]) or ""
    for source, text in (
        (f"engines.{name} in package.json", package.engines.get(name, "")),
        ("devEngines.packageManager in package.json", package.dev_engines.get(name, "")),
    ):
        if text.strip() in ("", "*", "latest"):
            continue
        if not ranges.is_range(text.strip()):
            raise refuse(
                "invalid_semver_requirement",
                f"{source} is {text[:80]!r}, which is no version range",
                f'Write a major, e.g. "{name}": "{_EXAMPLES[name].partition(".")[0]}.x", '
                "or take it out.",
            )
        found[source] = text.strip()
    return Asked(found, checksum)


@dataclass(frozen=True)
class Suggested:
    """What fits an app that asks for nothing: ranges, the best first, and what says so."""

    ranges: Sequence[str]
    source: str = ""
    requested: str = ""


def resolve(
    name: str,
    called: str,
    asked: Asked,
    suggested: Suggested,
    offer: ManagerOffer,
    supports: Callable[[str], bool],
) -> tuple[ManagerVersion, list[Notice]]:
    """The version of a package manager that no runtime brings: what the app's newest tree has, as
    long as that fits. `called` is its name for people. Raises Refused when nothing fits.
    """
    if asked.ranges:
        source, requested = next(iter(asked.ranges.items()))
        version = choose(asked, offer.available, supports)
        if offer.in_place and asked.allows(offer.in_place):
            version = offer.in_place
        if version is None:
            raise unsatisfiable(called, asked, offer.available)
        found = ManagerVersion(name, version, source, requested, asked.checksum)
        return found, []
    listed = [*offer.available, offer.in_place] if offer.in_place else offer.available
    for wanted in suggested.ranges:
        version = ranges.newest(filter(supports, listed), wanted)
        if offer.in_place and ranges.satisfies(offer.in_place, wanted):
            version = offer.in_place
        if version:
            return ManagerVersion(name, version, suggested.source, suggested.requested), []
    raise _none(called, suggested, offer)


def _none(name: str, suggested: Suggested, offer: ManagerOffer) -> Refused:
    wanted = " or ".join(suggested.ranges) or "a version"
    why = "no such version is on offer" if offer.available else "the npm registry can't be reached"
    return refuse(
        f"{name}_version_unavailable",
        f"the app needs {name} {wanted} ({suggested.source or 'package.json'}), and {why}",
        f'Name one that works with your Node.js: "packageManager": "{name}@<version>"'
        if offer.available
        else "Push again when it can.",
    )


def choose(asked: Asked, available: Sequence[str], supports: Callable[[str], bool]) -> str | None:
    """The newest that fits, if need be one that does not support the app's Node.js."""
    fitting = [version for version in available if asked.allows(version)]
    supported = [version for version in fitting if supports(version)]
    newest = max(supported or fitting, key=ranges.release, default=None)
    exact = next((text for text in asked.ranges.values() if _VERSION.fullmatch(text)), None)
    # Without an answer of the registry's there is still what it is asked for by name.
    if newest or available or exact is None:
        return newest
    return exact if asked.allows(exact) else None


def unsatisfiable(name: str, asked: Asked, available: Sequence[str]) -> Refused:
    wanted = " and ".join(f"{text} ({source})" for source, text in asked.ranges.items())
    if not available:
        why, hint = "the npm registry can't be reached", "Push again when it can."
    elif len(asked.ranges) > 1:
        why, hint = "no version satisfies both", "Let them agree, or take one out of package.json."
    else:
        newest = max(available, key=ranges.release)
        why = f"the newest is {newest}"
        hint = f'Write e.g. "{name}": "{ranges.release(newest)[0]}.x"'
    return refuse(
        f"{name}_version_unavailable",
        f"package.json asks for {name} {wanted}, and none such is on offer: {why}",
        hint,
    )
