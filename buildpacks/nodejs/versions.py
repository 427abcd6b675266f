"""Which Node.js an app gets: what it asks for, what there is, and why the answer is what it is.

Sources, the first wins: engines.node in package.json, devEngines.runtime there, .nvmrc,
.node-version, mise.toml, .tool-versions, Volta's in package.json. What they leave open is never
decided by what happens to be installed, because then another app's push would decide it: an app
stays on the major of its last release for as long as its request allows that, and a new app gets
the operator's default. Only where neither fits it is the newest LTS release, or the newest at all.

Which releases are LTS follows from Node's calendar, so there is no table to keep: up to 26 the even
majors, from October of the year they came in (24: 2025); from 27 each major.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from buildpacks import ranges, tool_versions
from buildpacks.findings import Notice, Refused, refuse
from buildpacks.nodejs import text
from buildpacks.nodejs.manifest import Manifest
from buildpacks.plan import Runtime
from buildpacks.tree import Tree

OLDEST = "12.0.0"
"""What the platform runs beside an app (its preload module, an npm that reads today's lock files)
needs at least this."""
_SHOWN_MAX = 4
_ABOVE_ALL = "99999.0.0"
_NEWEST_NAMES = ("current", "latest", "node", "stable")
_LTS_NAMES = {
    **{"erbium": 12, "fermium": 14, "gallium": 16, "hydrogen": 18},
    **{"iron": 20, "jod": 22, "krypton": 24},
}
_LAST_EVEN_ODD = 26
"""The last major of the calendar with two majors a year."""


@dataclass(frozen=True)
class Offer:
    """What there is to choose from. `installed` are those that need no download.

    `default` is the operator's range (`24.x`) for apps that leave it open; without one it is the
    newest LTS release that is installed.
    """

    available: Sequence[str]
    installed: Sequence[str]
    today: date
    default: str = ""

    @property
    def choice(self) -> list[str]:
        return sorted({*self.available, *self.installed}, key=ranges.release)

    def at_hand(self, *wanted: str) -> str | None:
        """The newest inside all the ranges: of what is installed, else of what can be fetched."""
        return _newest(self.installed, *wanted) or _newest(self.available, *wanted)


@dataclass(frozen=True)
class _Request:
    """What an app wants, as written and as a range. `named`: a word that means the newest."""

    text: str
    source: str
    wanted: str
    named: bool = False

    @property
    def is_open(self) -> bool:
        """Does any later release satisfy it?"""
        return ranges.satisfies(_ABOVE_ALL, self.wanted)


def resolve(
    tree: Tree, manifest: Manifest, offer: Offer, last_major: int | None = None
) -> tuple[Runtime, list[Notice]]:
    """`last_major` is that of the app's current release, None before its first.

    Raises Refused for a range that can't be read, or that nothing on offer satisfies.
    """
    request = _request(tree, manifest)
    if request is None:
        runtime, notices = _unasked(offer, last_major)
    else:
        runtime, notices = _asked(request, offer, last_major)
    return runtime, [*notices, *_end_of_life(runtime, offer.today)]


def asks(tree: Tree, manifest: Manifest) -> bool:
    """Do they say which Node.js it is to be? Raises Refused for what can't be read."""
    return _request(tree, manifest) is not None


def is_lts(major: int, today: date) -> bool:
    """Has the major become an LTS release by that day?"""
    if major <= _LAST_EVEN_ODD:
        return major % 2 == 0 and today >= date(2013 + major // 2, 10, 28)
    return today >= date(2000 + major, 10, 28)


def _request(tree: Tree, manifest: Manifest) -> _Request | None:
    for asked, source in (
        (manifest.engines.get("node", ""), "engines.node in package.json"),
        (manifest.dev_engines.get("node", ""), "devEngines.runtime in package.json"),
        (_first_word(tree, ".nvmrc"), ".nvmrc"),
        (_first_word(tree, ".node-version"), ".node-version"),
        *tool_versions.asked(tree, "nodejs", "node"),
        (_volta(manifest), "volta.node in package.json"),
    ):
        if asked.strip():
            return _read(asked.strip(), source)
    return None


def _volta(manifest: Manifest) -> str:
    volta = manifest.fields.get("volta")
    version = volta.get("node") if isinstance(volta, dict) else None
    return version if isinstance(version, str) else ""


def _first_word(tree: Tree, path: str) -> str:
    """The first line of a file that is neither empty nor a comment."""
    lines = text.decode(tree.read(path, 1024) or b"").splitlines()
    return next((word for line in lines if (word := line.split("#")[0].strip())), "")


def _read(asked: str, source: str) -> _Request:
    word = asked.lower()
    if word in _NEWEST_NAMES:
        return _Request(asked, source, "*", named=True)
    if word in ("lts", "lts/*"):
        return _Request(asked, source, "*")
    if word.startswith("lts/") and word[4:] in _LTS_NAMES:
        return _Request(asked, source, f"{_LTS_NAMES[word[4:]]}.x")
    if not ranges.is_range(asked):
        raise refuse(
            "invalid_semver_requirement",
            f"{source} is {asked[:80]!r}, which is no version range",
            'Write a major, e.g. "engines": {"node": "24.x"}',
        )
    return _Request(asked, source, asked)


def _asked(request: _Request, offer: Offer, last_major: int | None) -> tuple[Runtime, list[Notice]]:
    newest = _newest(offer.choice, request.wanted)
    if newest is None:
        raise _unsatisfiable(request, offer)
    if request.named:
        return _runtime(request, newest, f"the newest, as {request.text} asks"), []
    if last_major is not None:
        last = f"{last_major}.x"
        stays = (
            offer.at_hand(request.wanted, last)
            if request.is_open
            else _newest(offer.choice, request.wanted, last)
        )
        if stays:
            return _staying(request, stays, newest)
    if not request.is_open:
        return _runtime(request, newest, f"the newest that {request.text} allows"), []
    held, why = offer.at_hand(request.wanted, _default(offer)), "the platform's default"
    if held is None:
        lts = _newest_lts(offer.choice, request.wanted, offer.today)
        held, why = lts or newest, f"the newest{' LTS' if lts else ''} release"
    runtime = _runtime(request, held, f"{why}, which {request.text} allows")
    return runtime, [_wide_range(request, runtime)] if held != newest else []


def _unasked(offer: Offer, last_major: int | None) -> tuple[Runtime, list[Notice]]:
    default = _default(offer)
    wanted = f"{last_major}.x" if last_major is not None else default
    version = offer.at_hand(wanted)
    if version is None:
        raise _nothing(offer, wanted)
    stays = last_major is not None and not ranges.satisfies(version, default)
    reason = "the major of the last release" if stays else "the platform's default"
    runtime = Runtime("", "", version, reason)
    other = offer.at_hand(default) if stays else None
    message = f"no Node.js version named; {version} it is"
    if other:
        message = (
            f"no Node.js version named; the app stays on Node.js {runtime.major}, the major of "
            f"its last release. The platform's default is {other}"
        )
    hint = f"Name one, so that it stays: {_named(version)}"
    return runtime, [Notice("no_engines", message, hint)]


def _staying(request: _Request, version: str, newest: str) -> tuple[Runtime, list[Notice]]:
    major, other = ranges.release(version)[0], ranges.release(newest)[0]
    if major == other:
        return _runtime(request, version, f"the newest that {request.text} allows"), []
    reason = f"the major of the last release, which {request.text} allows"
    notice = Notice(
        "wide_range",
        f"{request.source} says {request.text}, which Node.js {other} satisfies too; "
        f"the app stays on {major}, the major of its last release",
        f"To move: {_named(newest)}; to stay for good: {_named(version)}",
    )
    return _runtime(request, version, reason), [notice]


def _wide_range(request: _Request, runtime: Runtime) -> Notice:
    return Notice(
        "wide_range",
        f"{request.source} says {request.text}, which any later Node.js satisfies; "
        f"held at {runtime.version}",
        f"Name the major you have tried: {_named(runtime.version)}",
    )


def _named(version: str) -> str:
    return f'"engines": {{"node": "{ranges.release(version)[0]}.x"}}'


def _runtime(request: _Request, version: str, reason: str) -> Runtime:
    return Runtime(request.text, request.source, version, reason)


def _default(offer: Offer) -> str:
    """The operator's range; without one, the major of the newest LTS release that is installed."""
    if offer.default:
        return offer.default
    found = _newest_lts(offer.installed, "*", offer.today)
    found = found or _newest_lts(offer.available, "*", offer.today)
    return f"{ranges.release(found)[0]}.x" if found else "*"


def _newest(versions: Iterable[str], *wanted: str) -> str | None:
    fitting = (v for v in versions if all(ranges.satisfies(v, each) for each in wanted))
    return max(fitting, key=ranges.release, default=None)


def _newest_lts(versions: Sequence[str], wanted: str, today: date) -> str | None:
    return _newest((v for v in versions if is_lts(ranges.release(v)[0], today)), wanted)


def _nothing(offer: Offer, wanted: str) -> Refused:
    """The app asks for nothing, and what it should get instead is not there."""
    hint = "The operator finds why in: paas doctor"
    if offer.choice:
        hint = f"Name one that is on offer: {_named(offer.choice[-1])}. {hint}"
    message = f"no Node.js {wanted} is on offer, which is what an app gets that names none"
    return refuse("no_runtime", message, hint)


def _unsatisfiable(request: _Request, offer: Offer) -> Refused:
    nearest = _nearest(request.wanted, offer.choice)
    hint = "No version is on offer at all; the operator finds why in: paas doctor"
    if nearest:
        hint = f"The nearest: {', '.join(nearest)}. Write e.g. {_named(nearest[0])}"
    return refuse(
        "node_version_unavailable",
        f"{request.source} asks for Node.js {request.text[:80]}, and no such version is on offer: "
        + _why(request.wanted, offer),
        hint,
    )


def _why(wanted: str, offer: Offer) -> str:
    """What is wrong with a range that nothing satisfies, as far as it can be told."""
    if not offer.available:
        return "the npm registry can't be reached, so only what is installed counts"
    numbers = re.findall(r"\d{1,5}(?:\.\d{1,5}){0,2}", wanted)
    if ranges.satisfies("1.0.0", wanted):
        return f"releases before {OLDEST} can't be run here"
    if not any(
        ranges.satisfies(version, wanted) for number in numbers for version in _ends(number)
    ):
        return "no version at all can satisfy it"
    major = int(numbers[0].split(".")[0])
    if major < ranges.release(OLDEST)[0]:
        return f"releases before {OLDEST} can't be run here"
    within = _newest(offer.choice, f"{major}.x")
    if within is None:
        return f"there is no Node.js {major}, the newest is {offer.choice[-1]}"
    return f"the newest of the major {major} is {within}"


def _ends(number: str) -> tuple[str, str]:
    """The first and the last version that a part of a version stands for."""
    parts = number.split(".")
    return ".".join([*parts, "0", "0"][:3]), ".".join([*parts, "9999", "9999"][:3])


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
