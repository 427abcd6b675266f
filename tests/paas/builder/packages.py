"""Dependencies for the tests' apps: archives in the repository, and the lock file with them."""

import base64
import gzip
import hashlib
import io
import json
import tarfile
from typing import Any

from tests.paas.builder.repositories import Repository


class Dependencies:
    """What an app depends on; `write` puts package.json, lock file and archives into its tree."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._wanted: dict[str, str] = {}
        self._packages: dict[str, dict[str, Any]] = {}
        self.package: dict[str, Any] = {"name": "app", "version": "1.0.0", "scripts": {}}

    def archive(self, name: str, files: dict[str, str], **package: Any) -> None:
        """A dependency in `vendor/<name>.tgz`, as `npm pack` makes one."""
        manifest = {"name": name, "version": "1.0.0", **package}
        content = packed({**files, "package.json": json.dumps(manifest)})
        place = f"vendor/{name}.tgz"
        self._repository.write_bytes(place, content)
        self._wanted[name] = f"file:{place}"
        entry: dict[str, Any] = {
            "version": "1.0.0",
            "resolved": f"file:{place}",
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode(),
        }
        if {"preinstall", "install", "postinstall"} & set(package.get("scripts", {})):
            entry["hasInstallScript"] = True
        self._packages[f"node_modules/{name}"] = entry

    def workspace(self, name: str, files: dict[str, str], **package: Any) -> None:
        """A workspace in `packages/<name>`."""
        place = f"packages/{name}"
        manifest = {"name": name, "version": "1.0.0", **package}
        for path, content in {**files, "package.json": json.dumps(manifest)}.items():
            self._repository.write(f"{place}/{path}", content)
        self.package["workspaces"] = ["packages/*"]
        self._packages[f"node_modules/{name}"] = {"resolved": place, "link": True}
        self._packages[place] = {"version": "1.0.0"}

    def write(self, **files: str) -> None:
        package = {**self.package, "dependencies": self._wanted}
        if not self._wanted:
            del package["dependencies"]
        lock = {
            "name": "app",
            "version": "1.0.0",
            "lockfileVersion": 3,
            "requires": True,
            "packages": {
                "": {k: v for k, v in package.items() if k != "scripts"},
                **self._packages,
            },
        }
        self._repository.write("package.json", json.dumps(package))
        self._repository.write("package-lock.json", json.dumps(lock))


def packed(files: dict[str, str]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for path, text in sorted(files.items()):
            entry = tarfile.TarInfo(f"package/{path}")
            entry.size = len(text.encode())
            tar.addfile(entry, io.BytesIO(text.encode()))
    return gzip.compress(raw.getvalue(), mtime=0)
