"""npm's version ranges. A thin wall around node-semver, a port of npm's own `semver`.

It was compared with npm's on random ranges (tests/buildpacks/test_ranges.py): equal wherever
npm accepts the range, but for pre-releases beside an alternative `*`; it also accepts `5.x.1`,
which npm refuses.
"""

from collections.abc import Iterable

import nodesemver  # type: ignore[import-untyped]

RANGE_CHARACTERS_MAX = 256
"""npm's own limit (MAX_LENGTH); it also bounds the time of the regular expressions."""


def is_range(text: str) -> bool:
    """Is it a range, as opposed to a tag, a URL or nonsense? The empty text is one: any version."""
    if len(text) > RANGE_CHARACTERS_MAX:
        return False
    try:
        nodesemver.make_range(text, False)
    except ValueError:
        return False
    return True


def satisfies(version: str, wanted: str) -> bool:
    if len(version) > RANGE_CHARACTERS_MAX:
        return False
    try:
        return bool(nodesemver.satisfies(version, wanted, False))
    except ValueError:
        return False


def newest(versions: Iterable[str], wanted: str) -> str | None:
    """The greatest of the versions inside the range. Raises ValueError when it is none."""
    parsed = nodesemver.make_range(wanted, False)
    return max((version for version in versions if parsed.test(version)), key=release, default=None)


def release(version: str) -> tuple[int, int, int]:
    """`24.19.0` → (24, 19, 0), to sort releases. Raises ValueError for anything else."""
    major, minor, patch = (int(part) for part in version.split("."))
    return major, minor, patch
