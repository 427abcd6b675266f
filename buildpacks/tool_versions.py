"""Versions of tools in the files of version managers: `.tool-versions` (asdf) and mise.toml."""

import re
import tomllib
from collections.abc import Iterator, Mapping

from buildpacks.tree import Tree

FILE_BYTES_MAX = 64 * 1024
_MISE = ("mise.toml", ".mise.toml", ".config/mise.toml", "mise/config.toml")
_PREFIX = re.compile(r"(?:bun-|deno-|node-)?v(?=\d)")
_LATEST = re.compile(r"latest:(?=\d)")
_NOT_NUMBERED = ("ref:", "path:", "system", "sub-")


def asked(tree: Tree, *tools: str) -> list[tuple[str, str]]:
    """What the app asks for of a tool that has these names: (version, file), the first counts."""
    found = [*_of_mise(tree), *_of_asdf(tree)]
    return [
        (plain(version), file)
        for tool, version, file in found
        if tool in tools and not version.startswith(_NOT_NUMBERED)
    ]


def of_file(tree: Tree, *names: str) -> list[tuple[str, str]]:
    """The first words of files that hold one version: (version, file)."""
    found = []
    for name in names:
        lines = (tree.read(name, 1024) or b"").decode("utf-8", "replace").splitlines()
        words = (line.lstrip("\ufeff").split("#")[0].strip() for line in lines)
        word = next((word for word in words if word), "")
        found += [(plain(word), name)] if word else []
    return found


def plain(version: str) -> str:
    """`v1.2.3`, `bun-v1.2.3` → 1.2.3; `latest:1.2` → 1.2."""
    return _PREFIX.sub("", _LATEST.sub("", version.strip()), count=1)


def _of_asdf(tree: Tree) -> Iterator[tuple[str, str, str]]:
    name = ".tool-versions"
    for line in (tree.read(name, FILE_BYTES_MAX) or b"").decode("utf-8", "replace").splitlines():
        words = line.split("#")[0].split()
        if len(words) > 1:
            yield words[0], words[1], name


def _of_mise(tree: Tree) -> Iterator[tuple[str, str, str]]:
    for name in _MISE:
        content = tree.read(name, FILE_BYTES_MAX)
        try:
            tools = tomllib.loads((content or b"").decode("utf-8", "replace")).get("tools", {})
        except (tomllib.TOMLDecodeError, RecursionError):
            continue
        for tool, value in tools.items() if isinstance(tools, dict) else ():
            version = _version(value)
            if version:
                yield tool.removeprefix("core:"), version, name


def _version(value: object) -> str:
    first = value[0] if isinstance(value, list) and value else value
    if isinstance(first, Mapping):
        first = first.get("version")
    return first if isinstance(first, str) else ""
