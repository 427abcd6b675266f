"""package.json: read, checked, and the few fields that matter to us with their types known."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from buildpacks.findings import Notice, Refused, refuse
from buildpacks.nodejs import text
from buildpacks.tree import Tree

FILE_BYTES_MAX = 1024 * 1024
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Manifest:
    """The part of package.json that a build needs."""

    name: str = ""
    version: str = ""
    main: str = ""
    package_manager: str = ""
    scripts: Mapping[str, str] = field(default_factory=dict)
    engines: Mapping[str, str] = field(default_factory=dict)
    dev_engines: Mapping[str, str] = field(default_factory=dict)
    """npm's `devEngines`: the versions of the runtime and the package manager by their names."""
    dependencies: Mapping[str, str] = field(default_factory=dict)
    dev_dependencies: Mapping[str, str] = field(default_factory=dict)
    optional_dependencies: Mapping[str, str] = field(default_factory=dict)
    cache_folders: tuple[str, ...] = ()
    workspaces: bool = False
    overrides: bool = False
    install_fields: str = ""
    """The fields that an installation depends on, as canonical JSON."""
    fields: Mapping[str, Any] = field(default_factory=dict)
    """All of it as it stands, for what only one package manager knows."""

    @property
    def has_dependencies(self) -> bool:
        return bool(
            self.dependencies
            or self.dev_dependencies
            or self.optional_dependencies
            or self.workspaces
        )


def read(tree: Tree) -> Manifest:
    """Raises Refused when package.json is no JSON object."""
    content = tree.read("package.json", FILE_BYTES_MAX + 1) or b""
    return _from_object(load_object("package.json", content, FILE_BYTES_MAX))


def load_object(path: str, content: bytes, limit_bytes: int) -> dict[str, Any]:
    """A JSON object from a file of the tree. Raises Refused with an error's line and column."""
    if len(content) > limit_bytes:
        raise refuse(
            "file_too_large",
            f"{path} is over {limit_bytes // (1024 * 1024)} MiB",
            f"Make {path} smaller.",
        )
    if content.startswith(LFS_POINTER):
        raise refuse(
            "lfs_pointer",
            f"{path} is a Git LFS pointer, not the file itself",
            f"Take {path} out of LFS: git lfs untrack {path}, then add and commit it again.",
        )
    text.refuse_utf16(path, content)
    text.refuse_conflict(path, content)
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise _invalid(path, error) from error
    if not isinstance(value, dict):
        raise refuse(
            "invalid_package_json",
            f"{path} holds no JSON object",
            'It must begin with { and end with }, e.g. {"scripts": {"start": "node server.js"}}',
        )
    return value


def notices(tree: Tree) -> list[Notice]:
    """What is seen in the root of the tree, without a reason to stop."""
    found = []
    names = tree.names()
    misnamed = [name for name in names if name.lower() in ("procfile", "procfile.txt")]
    if misnamed and "Procfile" not in names:
        found.append(
            Notice(
                "procfile_misnamed",
                f"{misnamed[0]} is not read: the name of the file has to be Procfile",
                f"git mv {misnamed[0]} Procfile",
            )
        )
    if "node_modules/" in names:
        found.append(
            Notice(
                "node_modules_committed",
                "node_modules is in git; it is replaced by what the lock file says",
                "git rm -r --cached node_modules && echo node_modules/ >> .gitignore",
            )
        )
    return found


def _invalid(path: str, error: Exception) -> Refused:
    where = ""
    if isinstance(error, json.JSONDecodeError):
        where = f", line {error.lineno} column {error.colno}: {error.msg}"
    return refuse(
        "invalid_package_json",
        f"{path} is not valid JSON{where}",
        "Mind trailing commas, comments and quotes. To check: "
        f"""node -e 'JSON.parse(fs.readFileSync("{path}"))'""",
    )


def _from_object(value: dict[str, Any]) -> Manifest:
    return Manifest(
        name=_text(value, "name"),
        version=_text(value, "version"),
        main=_text(value, "main"),
        package_manager=_text(value, "packageManager"),
        scripts=_texts(value, "scripts"),
        engines=_texts(value, "engines"),
        dev_engines=_dev_engines(value),
        dependencies=_texts(value, "dependencies"),
        dev_dependencies=_texts(value, "devDependencies"),
        optional_dependencies=_texts(value, "optionalDependencies"),
        cache_folders=_cache_folders(value),
        workspaces=bool(value.get("workspaces")),
        overrides=bool(value.get("overrides")),
        install_fields=install_fields(value),
        fields=value,
    )


def _text(value: dict[str, Any], key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def _texts(value: dict[str, Any], key: str) -> dict[str, str]:
    """An object of texts. npm tells the rest apart by itself; scripts we must be able to run."""
    found = value.get(key, {})
    if not isinstance(found, dict):
        if found and key in ("scripts", "dependencies", "devDependencies"):
            raise refuse(
                "invalid_package_json",
                f'package.json: "{key}" is not an object',
                f'Write it as "{key}": {{"name": "value"}}',
            )
        return {}
    return {name: item for name, item in found.items() if isinstance(item, str)}


def _dev_engines(value: dict[str, Any]) -> dict[str, str]:
    found = value.get("devEngines")
    kinds = [found.get(kind) for kind in ("runtime", "packageManager")] if _is(found) else []
    listed = [item for kind in kinds for item in (kind if isinstance(kind, list) else [kind])]
    return {_text(item, "name"): _text(item, "version") for item in listed if _is(item)}


def _is(value: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(value, dict)


def _cache_folders(value: dict[str, Any]) -> tuple[str, ...]:
    """Heroku's `cacheDirectories`: folders that outlive a build, as plain relative paths."""
    listed = value.get("cacheDirectories") or value.get("cache_directories") or []
    paths = [path for path in listed if isinstance(path, str)] if isinstance(listed, list) else []
    cleaned = [path.removeprefix("./").rstrip("/") for path in paths]
    return tuple(path for path in cleaned if _CACHE_FOLDER.fullmatch(path))


_CACHE_FOLDER = re.compile(r"(?!.*\.\.)[\w.][\w.-]*(/[\w.-]+){0,9}")
_INSTALL_FIELDS = (
    "dependencies",
    "devDependencies",
    "optionalDependencies",
    "peerDependencies",
    "bundleDependencies",
    "bundledDependencies",
    "overrides",
    "workspaces",
    "allowScripts",
    "bin",
    "config",
    *("pnpm", "resolutions", "dependenciesMeta", "peerDependenciesMeta", "installConfig"),
    *("catalog", "catalogs", "trustedDependencies", "patchedDependencies"),
)


def install_fields(value: dict[str, Any]) -> str:
    """What package managers read of it, as canonical JSON. Raises TypeError for what is none."""
    if not isinstance(value, dict):
        raise TypeError("no object")
    fields: dict[str, Any] = {name: value[name] for name in _INSTALL_FIELDS if name in value}
    scripts = _texts(value, "scripts")
    fields["scripts"] = {name: scripts[name] for name in INSTALL_SCRIPTS if name in scripts}
    return json.dumps(fields, sort_keys=True)


INSTALL_SCRIPTS = (
    "preinstall",
    "install",
    "postinstall",
    "prepublish",
    "preprepare",
    "prepare",
    "postprepare",
)
"""The scripts of an app that `npm ci` runs once its dependencies are there, in its order."""
