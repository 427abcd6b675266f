"""Which Node.js an app gets: what it asks for, what there is, and why the answer is what it is.

Sources, the first wins: engines.node in package.json, .nvmrc, .node-version. A range that is open
above (`>=18`, `*`) is held at the platform's default, the newest LTS release that is installed (or
on offer, when none fits), because a new major would otherwise arrive with any push.

Which releases are LTS follows from Node's calendar, so there is no table to keep: up to 26 the even
majors, from October of the year they came in (24: 2025); from 27 each major.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from buildpacks.findings import Notice, Refused, refuse
from buildpacks.nodejs import ranges
from buildpacks.nodejs.manifest import Manifest
from buildpacks.tree import Tree

_SHOWN_MAX = 4
_ABOVE_ALL = "99999.0.0"
_NEWEST = ("current", "latest", "node", "stable")
_LTS_NAMES = {"hydrogen": 18, "iron": 20, "jod": 22, "krypton": 24}
_LAST_EVEN_ODD = 26
"""The last major of the calendar with two majors a year."""


@dataclass(frozen=True)
class Runtime:
    """`requested` as the app wrote it in `source`; both empty when it asks for nothing."""

    requested: str
    source: str
    version: str
    reason: str

    @property
    def major(self) -> int:
        return ranges.release(self.version)[0]


@dataclass(frozen=True)
class Offer:
    """What there is to choose from. `installed` are those that need no download."""

    available: Sequence[str]
    installed: Sequence[str]
    today: date


def resolve(tree: Tree, manifest: Manifest, offer: Offer) -> tuple[Runtime, list[Notice]]:
    """Raises Refused for a range that can't be read, or that nothing on offer satisfies."""
    requested, source = _request(tree, manifest)
    if not requested:
        return _default(offer)
    wanted, named = _range(requested, source)
    choice = sorted({*offer.available, *offer.installed}, key=ranges.release)
    version = ranges.newest(choice, wanted)
    if version is None:
        raise _unsatisfiable(requested, source, wanted, offer, choice)
    notices = []
    reason = f"the newest that {requested} allows"
    held = _newest_lts(offer.installed, wanted, offer.today)
    held = held or _newest_lts(choice, wanted, offer.today)
    if ranges.satisfies(_ABOVE_ALL, wanted) and not named and held and held != version:
        version, reason = held, f"the newest LTS release here that {requested} allows"
        major = ranges.release(held)[0]
        notices.append(
            Notice(
                "wide_range",
                f"{source} says {requested}, which any later Node.js satisfies; held at {held}",
                f'Name the major you have tried: "engines": {{"node": "{major}.x"}}',
            )
        )
    runtime = Runtime(requested, source, version, reason)
    return runtime, [*notices, *_end_of_life(runtime, offer.today)]


def is_lts(major: int, today: date) -> bool:
    """Has the major become an LTS release by that day?"""
    if major <= _LAST_EVEN_ODD:
        return major % 2 == 0 and today >= date(2013 + major // 2, 10, 28)
    return today >= date(2000 + major, 10, 28)


def _request(tree: Tree, manifest: Manifest) -> tuple[str, str]:
    if manifest.engines.get("node", "").strip():
        return manifest.engines["node"].strip(), "engines.node in package.json"
    for name in (".nvmrc", ".node-version"):
        lines = (tree.read(name, 1024) or b"").decode(errors="replace").splitlines()
        words = [line.split("#")[0].strip() for line in lines]
        if any(words):
            return next(word for word in words if word), name
    return "", ""


def _range(requested: str, source: str) -> tuple[str, bool]:
    """The request as a range of npm's, and whether it names releases by a word instead."""
    word = requested.lower()
    if word in _NEWEST:
        return "*", True
    if word in ("lts", "lts/*"):
        return "*", False
    if word.startswith("lts/") and word[4:] in _LTS_NAMES:
        return f"{_LTS_NAMES[word[4:]]}.x", False
    if not ranges.is_range(requested):
        raise refuse(
            "invalid_semver_requirement",
            f"{source} is {requested[:80]!r}, which is no version range",
            'Write a major, e.g. "engines": {"node": "24.x"}',
        )
    return requested, False


def _default(offer: Offer) -> tuple[Runtime, list[Notice]]:
    """Nothing is asked, so nothing is downloaded: the newest LTS release that is installed."""
    for versions in (offer.installed, offer.available):
        version = _newest_lts(versions, "*", offer.today)
        if version:
            runtime = Runtime("", "", version, "the platform's default")
            major = runtime.major
            hint = f'Name one, so that it stays: "engines": {{"node": "{major}.x"}}'
            return runtime, [
                Notice("no_engines", f"no Node.js version named; {version} it is", hint)
            ]
    raise refuse(
        "no_runtime", "no Node.js version is on offer", "The operator finds why in: paas doctor"
    )


def _newest_lts(versions: Sequence[str], wanted: str, today: date) -> str | None:
    lts = [version for version in versions if is_lts(ranges.release(version)[0], today)]
    return ranges.newest(lts, wanted)


def _unsatisfiable(
    requested: str, source: str, wanted: str, offer: Offer, choice: Sequence[str]
) -> Refused:
    nearest = _nearest(wanted, choice)
    hint = "No version is on offer at all; the operator finds why in: paas doctor"
    if nearest:
        major = ranges.release(nearest[0])[0]
        hint = f'The nearest: {", ".join(nearest)}. Write e.g. "engines": {{"node": "{major}.x"}}'
    if not offer.available:
        hint = f"The npm registry can't be reached: only what is installed counts. {hint}"
    return refuse(
        "node_version_unavailable",
        f"{source} asks for Node.js {requested[:80]}, and no such version is on offer",
        hint,
    )


def _nearest(wanted: str, choice: Sequence[str]) -> list[str]:
    """The newest of each of the majors that are closest to the first number of the range."""
    number = re.search(r"\d{1,5}", wanted)
    target = int(number.group()) if number else 0
    majors: dict[int, str] = {}
    for version in choice:
        majors[ranges.release(version)[0]] = version
    by_distance = sorted(majors, key=lambda major: (abs(major - target), -major))
    return [majors[major] for major in by_distance[:_SHOWN_MAX]]


def _end_of_life(runtime: Runtime, today: date) -> list[Notice]:
    major = runtime.major
    if major > _LAST_EVEN_ODD:
        return []
    even = major % 2 == 0
    end = date(2016 + major // 2, 4, 30) if even else date(2014 + (major - 1) // 2, 6, 1)
    if today <= end:
        return []
    message = f"Node.js {major} gets no security fixes since {end:%B %Y}"
    return [Notice("end_of_life", message, "Move to an LTS release in engines.node.")]
