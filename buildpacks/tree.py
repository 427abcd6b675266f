"""The view of a pushed tree that buildpacks read; git objects, a folder or a test can offer it."""

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
