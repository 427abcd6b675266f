"""Trees for the tests: a dictionary of paths and contents, and a folder of this repository."""

import hashlib
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any


class Files:
    """A tree made of a dictionary."""

    def __init__(self, *, executable: Collection[str] = (), **files: Any) -> None:
        self.executable = executable
        self.files = {
            path: content.encode() if isinstance(content, str) else content
            for path, content in files.items()
        }

    def read(self, path: str, limit_bytes: int) -> bytes | None:
        content = self.files.get(path)
        return None if content is None else content[:limit_bytes]

    def is_executable(self, path: str) -> bool:
        return path in self.executable

    def names(self, folder: str = "") -> list[str]:
        prefix = f"{folder}/" if folder else ""
        rests = [path[len(prefix) :] for path in self.files if path.startswith(prefix)]
        return sorted({rest.split("/")[0] + ("/" if "/" in rest else "") for rest in rests})

    def digest(self, path: str) -> str | None:
        found = {
            name: content
            for name, content in sorted(self.files.items())
            if name == path or name.startswith(f"{path}/")
        }
        return hashlib.sha256(repr(found).encode()).hexdigest() if found else None


def folder(root: Path) -> Files:
    paths = [path for path in root.rglob("*") if path.is_file()]
    return Files(**{str(path.relative_to(root)): path.read_bytes() for path in paths})


def app(
    files: dict[str, Any] | None = None, lock: dict[str, Any] | None = None, **package: Any
) -> Files:
    """An app with a package.json of these fields, and a lock file of these packages."""
    contents: dict[str, Any] = {"package.json": json.dumps(package), **(files or {})}
    if lock is not None:
        packages = {"": {}, **{f"node_modules/{name}": entry for name, entry in lock.items()}}
        contents["package-lock.json"] = json.dumps({"lockfileVersion": 3, "packages": packages})
    return Files(**contents)
