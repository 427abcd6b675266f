"""Which URLs are git's: below `/<name>.git/`, with or without `.git`, what git and git-lfs ask."""

import re
from dataclasses import dataclass

_PATH = re.compile(
    r"/(?P<name>[A-Za-z0-9][A-Za-z0-9_-]{0,99}(?:\.[A-Za-z0-9_-]+)*?)(?:\.git)?"
    r"/(?P<service>info/refs|git-upload-pack|git-receive-pack|info/lfs/[a-z0-9/]{1,100})"
)


@dataclass(frozen=True)
class Target:
    """`service` is `info/refs`, `git-upload-pack`, `git-receive-pack` or `info/lfs/…`."""

    name: str
    service: str


def parse(path: str) -> Target | None:
    """The repository's name and the service, or None when the path is not git's."""
    match = _PATH.fullmatch(path)
    return Target(match["name"], match["service"]) if match else None


def matches(path: str) -> bool:
    """Whether the git server answers this path; all others are left to the caller."""
    return parse(path) is not None
