"""The applications of an Nx workspace without packages of their own: project.json describes each.

Nx builds them into a folder of the root, whose package.json has to say which of them is run.
https://nx.dev/docs/reference/project-configuration
"""

import json
import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from buildpacks.tree import Tree

_FILE_BYTES_MAX = 256 * 1024
_FOLDERS_MAX = 200
_PLAIN = re.compile(r"[\w@][\w@.-]*(?:/[\w@][\w@.-]*)*", re.ASCII)
"""What can stand in a shell command without quotes."""


@dataclass(frozen=True)
class Application:
    """`output` is where its build goes; `program` is the file in it that serves, if it has one."""

    name: str
    output: str
    program: str = ""

    @property
    def commands(self) -> str:
        """After these the root builds and serves it."""
        build = f"npm pkg set scripts.build='nx build {self.name}'"
        commit = f"git commit -m 'Deploy {self.name}'"
        if self.program:
            start = f"scripts.start='node {posixpath.join(self.output, self.program)}'"
            return f"{build} {start} && git add package.json && {commit}"
        site = f"""echo '{{"root": "{self.output}"}}' > static.json"""
        return f"{build} && {site} && git add package.json static.json && {commit}"


def hint(tree: Tree) -> str:
    """Empty where there is no such application."""
    found = [one.commands for one in _applications(tree)] if "nx.json" in tree.names() else []
    return "\nor ".join(found)


def _applications(tree: Tree) -> Iterator[Application]:
    for folder in _folders(tree):
        content = tree.read(f"{folder}/project.json", _FILE_BYTES_MAX)
        found = _application(content) if content else None
        if found:
            yield found


def _folders(tree: Tree) -> list[str]:
    """Nx finds projects anywhere; they stand in the root, or in a folder like `apps`."""
    above = [name.rstrip("/") for name in tree.names() if _is_folder(name)]
    inside = [
        f"{folder}/{name.rstrip('/')}"
        for folder in above
        for name in tree.names(folder)
        if _is_folder(name)
    ]
    return [*above, *inside][:_FOLDERS_MAX]


def _is_folder(name: str) -> bool:
    return name.endswith("/") and not name.startswith(".") and name != "node_modules/"


def _application(content: bytes) -> Application | None:
    try:
        project = json.loads(content)
        build = project["targets"]["build"]
        options: dict[str, Any] = build["options"]
        is_application = project.get("projectType") == "application"
        name, output = str(project["name"]), options["outputPath"]
        executor, main = str(build["executor"]), str(options.get("main", "main.ts"))
        node = "node" in (options.get("platform"), options.get("target")) or ":tsc" in executor
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return None
    if not is_application or not isinstance(output, str):
        return None
    program = re.sub(r"\.[cm]?ts$", ".js", posixpath.basename(main)) if node else ""
    is_known = node or executor == "@nx/vite:build"
    is_plain = all(_PLAIN.fullmatch(text) for text in (name, output, program) if text)
    return Application(name, output, program) if is_known and is_plain else None
