"""Which npm a build uses: the one that the app asks for, else the one that its runtime brings.

Sources: packageManager (`npm@10.8.2`, with or without Corepack's checksum), engines.npm and
devEngines.packageManager in package.json. Each has to be satisfied, because npm itself refuses to
work under `engine-strict` or `devEngines` that it does not fit.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from buildpacks.findings import Notice, Refused, refuse
from buildpacks.nodejs import ranges
from buildpacks.nodejs.manifest import Manifest

OLDEST = "6.0.0"
_EXACT = re.compile(r"npm@(?P<version>\d+\.\d+\.\d+)(?:\+(?P<checksum>sha\d+\.[0-9a-f]+))?")
_SUPPORTS = (
    ("^20.17.0 || >=22.9.0", "11.x"),
    ("^18.17.0 || >=20.5.0", "10.x"),
    ("^14.17.0 || ^16.13.0 || >=18.0.0", "9.x"),
    ("^12.13.0 || ^14.15.0 || >=16.0.0", "8.x"),
    (">=10.0.0", "7.x"),
)
"""engines.node of each major of npm. Those before 7 can't read the lock files of those after."""


@dataclass(frozen=True)
class Npm:
    """`version` is empty for the runtime's own. `checksum` is Corepack's: `sha512.<digits>`."""

    version: str = ""
    source: str = ""
    requested: str = ""
    checksum: str = ""


@dataclass(frozen=True)
class NpmOffer:
    """`available` at the registry; `own` is the platform's, for the Node.js in `own_supports`.

    `in_runtimes` has, by the version of Node.js, what the installed runtimes bring.
    """

    own: str = ""
    own_supports: str = "*"
    available: Sequence[str] = ()
    in_runtimes: Mapping[str, str] = field(default_factory=dict)


def for_runtime(nodejs: str, offer: NpmOffer) -> str:
    """The npm that belongs into a runtime: the platform's own where that supports it, else the
    newest that does, else nothing.
    """
    if ranges.satisfies(nodejs, offer.own_supports):
        return offer.own
    supported = [wanted for node, wanted in _SUPPORTS if ranges.satisfies(nodejs, node)]
    found = (ranges.newest(offer.available, wanted) for wanted in supported)
    return next((version for version in found if version), "")


def resolve(manifest: Manifest, nodejs: str, offer: NpmOffer) -> tuple[Npm, list[Notice]]:
    """Raises Refused for a request that can't be read, or that nothing satisfies."""
    asked = _requests(manifest)
    if not asked:
        return Npm(), []
    source, requested = next(iter(asked.items()))
    own = offer.in_runtimes.get(nodejs) or for_runtime(nodejs, offer)
    if own and all(ranges.satisfies(own, wanted) for wanted in asked.values()):
        return Npm(), []
    version = _choose(asked, nodejs, offer)
    if version is None:
        raise _unsatisfiable(asked, offer)
    exact = _EXACT.fullmatch(manifest.package_manager)
    checksum = (exact["checksum"] or "") if exact else ""
    return Npm(version, source, requested, checksum), _notices(version, nodejs, source)


def _requests(manifest: Manifest) -> dict[str, str]:
    """Source → range. `*` and `latest` ask for nothing that is not there."""
    found: dict[str, str] = {}
    if manifest.package_manager.startswith("npm@"):
        exact = _EXACT.fullmatch(manifest.package_manager)
        if exact is None:
            raise refuse(
                "invalid_package_manager",
                f"packageManager in package.json is {manifest.package_manager[:80]!r}, "
                "which names no exact version",
                'Write it whole, e.g. "packageManager": "npm@11.6.2"',
            )
        found["packageManager in package.json"] = exact["version"]
    for source, text in (
        ("engines.npm in package.json", manifest.engines.get("npm", "")),
        ("devEngines.packageManager in package.json", manifest.dev_engines.get("npm", "")),
    ):
        if text.strip() in ("", "*", "latest"):
            continue
        if not ranges.is_range(text.strip()):
            raise refuse(
                "invalid_semver_requirement",
                f"{source} is {text[:80]!r}, which is no version range",
                'Write a major, e.g. "npm": "11.x", or take it out.',
            )
        found[source] = text.strip()
    return found


def _choose(asked: Mapping[str, str], nodejs: str, offer: NpmOffer) -> str | None:
    """The newest that fits, if need be one that was not made for this Node.js."""
    fitting = [
        version
        for version in offer.available
        if all(ranges.satisfies(version, wanted) for wanted in asked.values())
    ]
    supported = [version for version in fitting if _supports(version, nodejs)]
    newest = max(supported or fitting, key=ranges.release, default=None)
    exact = next((text for text in asked.values() if re.fullmatch(r"\d+\.\d+\.\d+", text)), None)
    # Without an answer of the registry's there is still what it is asked for by name.
    if newest or offer.available or exact is None:
        return newest
    return exact if all(ranges.satisfies(exact, wanted) for wanted in asked.values()) else None


def _supports(version: str, nodejs: str) -> bool:
    """Was this npm made for that Node.js? Of a major that is not known yet: so it is hoped."""
    node = next((node for node, major in _SUPPORTS if ranges.satisfies(version, major)), ">=20.17")
    return ranges.release(version)[0] >= 7 and ranges.satisfies(nodejs, node)


def _notices(version: str, nodejs: str, source: str) -> list[Notice]:
    if _supports(version, nodejs):
        return []
    message = f"{source} asks for npm {version}, which was not made for Node.js {nodejs}"
    return [Notice("npm_too_old", message, "If npm fails, ask for a newer one there.")]


def _unsatisfiable(asked: Mapping[str, str], offer: NpmOffer) -> Refused:
    wanted = " and ".join(f"{text} ({source})" for source, text in asked.items())
    if not offer.available:
        why, hint = "the npm registry can't be reached", "Push again when it can."
    elif len(asked) > 1:
        why, hint = "no version satisfies both", "Let them agree, or take one out of package.json."
    else:
        newest = max(offer.available, key=ranges.release)
        why, hint = f"the newest is {newest}", f'Write e.g. "npm": "{ranges.release(newest)[0]}.x"'
    return refuse(
        "npm_version_unavailable",
        f"package.json asks for npm {wanted}, and none such is on offer: {why}",
        hint,
    )
