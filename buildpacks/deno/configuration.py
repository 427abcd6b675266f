"""deno.json or deno.jsonc, deno.lock and package.json: the part that a build needs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from buildpacks import jsonc
from buildpacks.findings import Refused, refuse
from buildpacks.nodejs import manifest, text
from buildpacks.nodejs.manifest import Manifest
from buildpacks.tree import Tree

FILES = ("deno.json", "deno.jsonc")
LOCK = "deno.lock"
FILE_BYTES_MAX = 1024 * 1024
LOCK_BYTES_MAX = 32 * 1024 * 1024
_NOT_INSTALLED = frozenset(
    ("tasks", "fmt", "lint", "test", "bench", "publish", "name", "version", "exports", "license")
)
"""Fields of deno.json that no installation depends on."""


@dataclass(frozen=True)
class Task:
    """`needs` are tasks that run before it."""

    command: str
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Configuration:
    """`path` is empty without a deno.json, `lock` without a lock file that counts. `tasks` are
    those of package.json's scripts as well, which deno.json's go before."""

    path: str = ""
    lock: str = ""
    lock_content: bytes = b""
    locks: bool = True
    """Does Deno write a lock file where there is none?"""
    tasks: Mapping[str, Task] = field(default_factory=dict)
    package: Manifest | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def install_fields(self) -> str:
        """What an installation depends on, as canonical JSON."""
        kept = {name: each for name, each in self.fields.items() if name not in _NOT_INSTALLED}
        return json.dumps(kept, sort_keys=True)

    @property
    def members(self) -> tuple[str, ...]:
        """The folders of a workspace."""
        listed = self.fields.get("workspace")
        listed = listed.get("members") if isinstance(listed, dict) else listed
        paths = (
            [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
        )
        return tuple(sorted(path.removeprefix("./").rstrip("/") for path in paths))

    @property
    def vendors(self) -> bool:
        return self.fields.get("vendor") is True


def read(tree: Tree) -> Configuration:
    """Raises Refused for a file that can't be read."""
    names = tree.names()
    path = next((name for name in FILES if name in names), "")
    fields = _object(path, tree.read(path, FILE_BYTES_MAX + 1) or b"") if path else {}
    package = manifest.read(tree) if "package.json" in names else None
    lock, locks = _lock(fields.get("lock"))
    content = tree.read(lock, LOCK_BYTES_MAX) if lock else None
    scripts = package.scripts if package else {}
    tasks = {name: Task(command) for name, command in scripts.items() if command.strip()}
    return Configuration(
        path=path,
        lock=lock if content is not None else "",
        lock_content=content or b"",
        locks=locks,
        tasks={**tasks, **_tasks(path, fields)},
        package=package,
        fields=fields,
    )


def _lock(value: object) -> tuple[str, bool]:
    """The lock file's name, and whether there is to be one."""
    if value is False:
        return "", False
    path = value.get("path") if isinstance(value, dict) else value
    name = path.removeprefix("./") if isinstance(path, str) and path else LOCK
    return name, True


def _tasks(path: str, fields: Mapping[str, Any]) -> dict[str, Task]:
    listed = fields.get("tasks", {})
    if not isinstance(listed, dict):
        raise refuse(
            "invalid_deno_json",
            f'{path}: "tasks" is not an object',
            'Write it as "tasks": {"start": "deno serve main.ts"}',
        )
    found = {}
    for name, value in listed.items():
        if isinstance(value, str):
            found[name] = Task(value)
        elif isinstance(value, dict):
            command, needs = value.get("command", ""), value.get("dependencies", [])
            named = [each for each in needs if isinstance(each, str)]
            found[name] = Task(command if isinstance(command, str) else "", tuple(named))
    return {name: task for name, task in found.items() if task.command.strip() or task.needs}


def _object(path: str, content: bytes) -> dict[str, Any]:
    if len(content) > FILE_BYTES_MAX:
        raise refuse("file_too_large", f"{path} is over 1 MiB", f"Make {path} smaller.")
    text.refuse_utf16(path, content)
    try:
        value = jsonc.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise _invalid(path, error) from error
    if not isinstance(value, dict):
        raise refuse("invalid_deno_json", f"{path} holds no JSON object", "Begin it with {")
    return value


def _invalid(path: str, error: Exception) -> Refused:
    where = ""
    if isinstance(error, json.JSONDecodeError):
        where = f", line {error.lineno} column {error.colno}: {error.msg}"
    return refuse(
        "invalid_deno_json",
        f"{path} is not valid JSON{where}",
        "Mind missing commas and quotes. To check: deno task",
    )
