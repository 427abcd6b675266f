"""The view of a pushed tree that buildpacks read; git objects, a folder or a test can offer it."""

import posixpath
from typing import Protocol


class Tree(Protocol):
    """Read-only. Paths are relative to the root, with `/` between their parts."""

    def read(self, path: str, limit_bytes: int) -> bytes | None:
        """At most `limit_bytes` of a regular file; None when there is no such file."""
        ...

    def is_executable(self, path: str) -> bool:
        """Has the file the mode that lets Linux execute it?"""
        ...

    def names(self, folder: str = "") -> list[str]:
        """The sorted names in a folder, those of folders with `/` at the end; [] when absent."""
        ...

    def digest(self, path: str) -> str | None:
        """Stands for the content of a file, or of all files below a folder; None when absent."""
        ...


class Below:
    """The tree as a folder of it sees it: `../shared` leads out of it, never out of the tree."""

    def __init__(self, tree: Tree, folder: str) -> None:
        self._tree = tree
        self._folder = folder

    def read(self, path: str, limit_bytes: int) -> bytes | None:
        found = self._path(path)
        return self._tree.read(found, limit_bytes) if found else None

    def is_executable(self, path: str) -> bool:
        found = self._path(path)
        return found is not None and self._tree.is_executable(found)

    def names(self, folder: str = "") -> list[str]:
        found = self._path(folder)
        return [] if found is None else self._tree.names(found)

    def digest(self, path: str) -> str | None:
        found = self._path(path)
        return self._tree.digest(found) if found else None

    def _path(self, path: str) -> str | None:
        found = posixpath.normpath(posixpath.join(self._folder, path))
        if found == ".":
            return ""
        return None if found == ".." or found.startswith(("../", "/")) else found


def below(tree: Tree, folder: str) -> Tree:
    """The tree itself for the folder without a name."""
    return Below(tree, folder) if folder else tree
