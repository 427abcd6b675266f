"""Which refs an atomic push that is being judged will change: nobody else may meanwhile.

Judging may take minutes, and may have effects of its own (a deploy); a ref that another push
changes in this time would make "all or nothing" a lie afterwards. One process receives all pushes
of a repository, so that its memory is enough.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gitserver.refchanges import Names

CLAIMED = "another push is changing it; push again when that has ended"


class Claims:
    """Of all repositories."""

    def __init__(self) -> None:
        self._held: dict[Path, list[Names]] = {}

    def refusals(self, path: Path, names: Iterable[str]) -> dict[str, str]:
        """Those of the refs that somebody else has claimed."""
        held = self._held.get(path, [])
        return {name: CLAIMED for name in names if any(claim.touch(name) for claim in held)}

    @contextmanager
    def hold(self, path: Path, names: Iterable[str]) -> Iterator[None]:
        claim = Names(names)
        self._held.setdefault(path, []).append(claim)
        try:
            yield
        finally:
            self._held[path].remove(claim)
            if not self._held[path]:
                del self._held[path]
