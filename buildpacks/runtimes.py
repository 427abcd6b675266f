"""Which Bun or Deno an app gets: what it asks for, what there is, and why.

An app that leaves it open gets the newest release of the major that is ours to recommend, and
stays on that major: later pushes take the newest of it that is here, and wait for no download.
Node.js has calendars and an operator's default: `buildpacks.nodejs.versions`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from buildpacks import ranges, tool_versions
from buildpacks.findings import Refused, refuse
from buildpacks.plan import Runtime
from buildpacks.tree import Tree

_NEWEST_NAMES = ("latest", "stable", "*")
_TOO_NEW = ("canary", "nightly", "rc", "next", "beta")


@dataclass(frozen=True)
class Kind:
    """`key` is its word in package.json's engines and in version managers; `files` hold a version
    alone. Without a wish of the app's it is the newest of `default`."""

    name: str
    key: str
    files: tuple[str, ...]
    default: str


BUN = Kind("Bun", "bun", (".bun-version",), "1.x")
DENO = Kind("Deno", "deno", (".deno-version", ".dvmrc"), "2.x")


@dataclass(frozen=True)
class Offer:
    """The versions of one runtime: at the registry, and those that need no download."""

    available: Sequence[str] = ()
    installed: Sequence[str] = ()


def asked(
    kind: Kind, tree: Tree, engines: Mapping[str, str], dev_engines: Mapping[str, str]
) -> dict[str, str]:
    """Source → range of all that the app says, the most particular first; the last are those of
    package.json. Raises Refused.
    """
    key = kind.key
    said = [
        (engines.get(key, "").strip(), f"engines.{key} in package.json"),
        (dev_engines.get(key, "").strip(), "devEngines in package.json"),
    ]
    return {source: _range(kind, text, source) for text, source in said if text} | in_files(
        kind, tree
    )


def in_files(kind: Kind, tree: Tree) -> dict[str, str]:
    """The same of the files of version managers."""
    listed = [*tool_versions.of_file(tree, *kind.files), *tool_versions.asked(tree, kind.key)]
    return {source: _range(kind, text, source) for text, source in listed}


def resolve(kind: Kind, wanted: dict[str, str], offer: Offer, last_major: int | None) -> Runtime:
    """`wanted` as `asked` has it. Raises Refused when nothing fits."""
    source, text = next(iter(wanted.items()), ("", ""))
    choice = [*offer.available, *offer.installed]
    if text and text != "*":
        newest = _newest(choice, *wanted.values())
        if newest is None:
            raise _unsatisfiable(kind, wanted, choice, has_registry=bool(offer.available))
        stays = _newest(choice, *wanted.values(), f"{last_major}.x") if last_major else None
        reason = f"the newest that {text} allows"
        return _runtime(kind, text, source, stays or newest, reason)
    major = f"{last_major}.x" if last_major is not None else kind.default
    held = _newest(offer.installed, major) if last_major is not None else None
    version = held or _newest(choice, major) or _newest(choice, "*")
    if version is None:
        raise _nothing(kind)
    reason = "the major of the last release" if last_major is not None else f"the newest {major}"
    return _runtime(kind, "", "", version, reason)


def _runtime(kind: Kind, requested: str, source: str, version: str, reason: str) -> Runtime:
    return Runtime(requested, source, version, reason, name=kind.name, place=kind.key)


def _newest(versions: Iterable[str], *wanted: str) -> str | None:
    fitting = (v for v in versions if all(ranges.satisfies(v, each) for each in wanted))
    return max(fitting, key=ranges.release, default=None)


def _range(kind: Kind, text: str, source: str) -> str:
    word = text.lower()
    if word in _NEWEST_NAMES:
        return "*"
    if any(name in word for name in _TOO_NEW):
        raise refuse(
            f"{kind.key}_version_unavailable",
            f"{source} asks for {kind.name} {text[:80]}: only releases can be had here",
            f"Name one there: {kind.default.partition('.')[0]}, or a release such as "
            f"{kind.default.replace('x', '0.0')}",
        )
    if not ranges.is_range(text):
        raise refuse(
            "invalid_semver_requirement",
            f"{source} is {text[:80]!r}, which is no version of {kind.name}",
            f"Write a major there: {kind.default.partition('.')[0]}",
        )
    return text


def _unsatisfiable(
    kind: Kind, wanted: dict[str, str], choice: Sequence[str], *, has_registry: bool
) -> Refused:
    listed = " and ".join(f"{text} ({source})" for source, text in wanted.items())
    if not has_registry:
        why, hint = "the npm registry can't be reached", "Push again when it can."
    elif len(wanted) > 1 and all(_newest(choice, text) for text in wanted.values()):
        why, hint = "no version satisfies them all", "Let them agree, or take one of them out."
    else:
        newest = max(choice, key=ranges.release)
        why = f"the newest is {newest}, the oldest {min(choice, key=ranges.release)}"
        hint = f"Write a major that there is: {newest.partition('.')[0]}"
    return refuse(
        f"{kind.key}_version_unavailable",
        f"the app asks for {kind.name} {listed}, and none such is on offer: {why}",
        hint,
    )


def _nothing(kind: Kind) -> Refused:
    return refuse(
        f"{kind.key}_version_unavailable",
        f"the app needs {kind.name}, which no app here has had yet, and the npm registry "
        "can't be reached",
        "Push again when it can.",
    )
