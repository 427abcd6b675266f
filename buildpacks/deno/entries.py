"""The modules that commands of Deno begin with: what has to be there before one starts offline."""

import re
from collections.abc import Iterable, Iterator

from buildpacks.nodejs.processes import development
from buildpacks.tree import Tree

_MODULE = re.compile(r"(?:\./)?[\w@+-][\w./@+-]*\.[cm]?[jt]sx?|(?:npm|jsr|https?):\S+")
_IMPORTS = re.compile(r"--allow-(?:all|import(?:=[\w.:,*-]+)?)|-[a-zA-Z]*A[a-zA-Z]*")
_SPECIFIER = re.compile(rb"""['"]((?:npm|jsr|https?):[^'"\s]{1,300})['"]""")
_SOURCES = (".ts", ".tsx", ".mts", ".js", ".jsx", ".mjs")
_SOURCE_BYTES_MAX = 512 * 1024
_SOURCES_MAX = 64
_FOLDERS_MAX = 32
_ELSEWHERE = ("node_modules/", "vendor/", ".git/", "dist/", "_fresh/", "_site/")


def of(commands: Iterable[str]) -> list[str]:
    """Their modules as they are written, files and specifiers."""
    found = [word for word in _words(commands) if _MODULE.fullmatch(word)]
    return list(dict.fromkeys(word.removeprefix("./") for word in found))


def importing(commands: Iterable[str]) -> str:
    """The permission that the commands give to fetch modules from any server: an option, or
    nothing."""
    given = [word for word in _words(commands) if _IMPORTS.fullmatch(word)]
    named = next((word for word in given if word.startswith("--allow-import")), "")
    return named or ("--allow-import" if given else "")


def _words(commands: Iterable[str]) -> Iterator[str]:
    """What follows `deno` in the commands."""
    for command in commands:
        for part in re.split(r"&&|\|\||[;|&\n]", command):
            words = development.split(part)
            if words and words[0] == "deno":
                yield from words[1:]


def is_file(entry: str) -> bool:
    return ":" not in entry


def specifiers(tree: Tree) -> list[str]:
    """What source files import from elsewhere by name, for trees without a lock file that says so.

    Bounded: of a large tree without one, the first files count.
    """
    found: set[str] = set()
    for path in list(_sources(tree))[:_SOURCES_MAX]:
        content = tree.read(path, _SOURCE_BYTES_MAX) or b""
        found |= {match.decode("utf-8", "replace") for match in _SPECIFIER.findall(content)}
    return sorted(found)


def _sources(tree: Tree) -> Iterator[str]:
    folders = [""]
    for folder in folders:
        for name in tree.names(folder):
            path = f"{folder}/{name}" if folder else name
            if name.endswith("/") and name not in _ELSEWHERE and len(folders) < _FOLDERS_MAX:
                folders.append(path.rstrip("/"))
            elif name.endswith(_SOURCES):
                yield path
