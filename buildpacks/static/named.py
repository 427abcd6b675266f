"""Where an app says itself what is served: static.json (Heroku's), netlify.toml, vercel.json."""

import json
import posixpath
import re
import tomllib
from dataclasses import replace
from typing import Any

from buildpacks.findings import refuse
from buildpacks.plan import Site
from buildpacks.tree import Tree

_FILE_BYTES_MAX = 64 * 1024
_FOLDER = re.compile(r"[\w@+-][\w@+ .-]*(?:/[\w@+-][\w@+ .-]*){0,9}", re.ASCII)


def folder(tree: Tree) -> tuple[str, str] | None:
    """The folder that is to be served, and the file that says so. Raises Refused."""
    for file, found in (
        ("static.json", _json(tree, "static.json").get("root")),
        ("netlify.toml", _build(_toml(tree, "netlify.toml")).get("publish")),
        ("vercel.json", _json(tree, "vercel.json").get("outputDirectory")),
    ):
        if isinstance(found, str) and found.strip():
            return plain(found, file), file
    return None


def applied(tree: Tree, site: Site) -> Site:
    """The site as these files have it: they go before what its framework does by itself."""
    found = folder(tree)
    if found is not None:
        site = replace(site, folders=(found[0],), source=found[1])
    routes = _json(tree, "static.json").get("routes")
    if isinstance(routes, dict) and str(routes.get("/**")).lstrip("/") == "index.html":
        site = replace(site, is_single_page=True)
    return site


def plain(text: str, file: str) -> str:
    """A folder of the tree as a plain relative path. Raises Refused."""
    path = posixpath.normpath(text.strip().lstrip("/") or ".")
    if path == ".":
        return ""
    if not _FOLDER.fullmatch(path):
        raise refuse(
            "invalid_site_folder",
            f"{file} names {text[:80]!r} as the folder to serve, which is no folder of the tree",
            "Name it from the root of the repository, e.g. dist",
        )
    return path


def _json(tree: Tree, path: str) -> dict[str, Any]:
    content = tree.read(path, _FILE_BYTES_MAX)
    if content is None:
        return {}
    try:
        value = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        if path == "static.json":
            hint = """It must be like: {"root": "dist"}"""
            raise refuse(
                "invalid_static_json", f"{path} is not valid JSON: {error}", hint
            ) from error
        return {}
    return value if isinstance(value, dict) else {}


def _toml(tree: Tree, path: str) -> dict[str, Any]:
    content = tree.read(path, _FILE_BYTES_MAX)
    try:
        return tomllib.loads((content or b"").decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return {}


def _build(value: dict[str, Any]) -> dict[str, Any]:
    found = value.get("build")
    return found if isinstance(found, dict) else {}
