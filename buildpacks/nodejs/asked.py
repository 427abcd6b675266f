"""Which version of its package manager an app asks for: what package.json says of it.

Sources: packageManager (`npm@10.8.2`, with or without Corepack's checksum), engines.<name> and
devEngines.packageManager. Each has to be satisfied.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from buildpacks.findings import Refused, refuse
from buildpacks.nodejs import ranges
from buildpacks.nodejs.manifest import Manifest

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
        exact = _EXACT.fullmatch(package.package_manager.removeprefix(f"{name}@"))
        if exact is None:
            raise refuse(
                "invalid_package_manager",
                f"packageManager in package.json is {package.package_manager[:80]!r}, "
                "which names no exact version",
                'Write it whole, e.g. "packageManager": "npm@11.6.2"',
            )
        found["packageManager in package.json"] = exact["version"]
        checksum = exact["checksum"] or ""
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
                f'Write a major, e.g. "{name}": "11.x", or take it out.',
            )
        found[source] = text.strip()
    return Asked(found, checksum)


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
