"""A commit as the read-only tree that buildpacks look at. Blocks: for threads."""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from gitserver import trees

_FILE_BYTES_MAX = 64 * 1024 * 1024


class CommitTree:
    """`buildpacks.tree.Tree` over git objects; `large` has the files that Git LFS keeps,
    `hides` says which are left out."""

    def __init__(
        self,
        repository: Path,
        commit: str,
        large: Mapping[bytes, Path] = MappingProxyType({}),
        hides: Callable[[bytes], bool] = lambda _path: False,
    ) -> None:
        self._large = large
        self._repository = repository
        self._commit = commit
        self._names: dict[str, set[str]] = {"": set()}
        self._executable: set[str] = set()
        self._entries = [e for e in trees.entries(repository, commit) if not hides(e.path)]
        self._files = {entry.path for entry in self._entries if entry.is_file}
        for entry in self._entries:
            path = entry.path.decode("utf-8", "replace")
            self._add(path)
            if entry.is_executable or entry.is_symlink:
                self._executable.add(path)

    def read(self, path: str, limit_bytes: int) -> bytes | None:
        if (elsewhere := self._large.get(path.encode())) is not None:
            with elsewhere.open("rb") as file:
                return file.read(limit_bytes)
        if path.encode() not in self._files:
            # Most of what is asked for; to open the repository for that is most of a plan's time.
            return None
        try:
            content = trees.read_file(self._repository, self._commit, path, _FILE_BYTES_MAX)
        except ValueError:
            # So large that no reader's limit would let it pass: enough of it to be refused.
            return b" " * limit_bytes
        return None if content is None else content[:limit_bytes]

    def is_executable(self, path: str) -> bool:
        return path in self._executable

    def names(self, folder: str = "") -> list[str]:
        return sorted(self._names.get(folder, ()))

    def digest(self, path: str) -> str | None:
        name = path.encode()
        found = hashlib.sha256()
        absent = True
        for entry in self._entries:
            if entry.path == name or entry.path.startswith(name + b"/"):
                found.update(b"%s\0%o %s\n" % (entry.path, entry.mode, entry.id.encode()))
                absent = False
        return None if absent else found.hexdigest()

    def _add(self, path: str) -> None:
        folder, _, name = path.rpartition("/")
        known = folder in self._names
        self._names.setdefault(folder, set()).add(name)
        while folder and not known:
            above, _, name = folder.rpartition("/")
            known = above in self._names
            self._names.setdefault(above, set()).add(f"{name}/")
            folder = above
