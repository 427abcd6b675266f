"""Bun as what runs an app: how its program is started where no start script says so."""

import re
from collections.abc import Iterator, Mapping

from buildpacks.nodejs.manifest import Manifest
from buildpacks.tree import Tree

_MODULE = r"[\w@./-]+\.[cm]?[jt]sx?"
_WATCHES = re.compile(r"\s+--(?:hot|watch|no-clear-screen)\b")
_RUNS_FILE = re.compile(rf"(?:\w+=\S+\s+)*bun(?:\s+run)?(?:\s+--?[\w-]+(?:=\S+)?)*\s+{_MODULE}")
_SCRIPTS = ("start", "serve", "dev", "develop")
_NAMES = ("index", "server", "app", "main", "src/index", "src/server", "src/app", "src/main")
_ENDINGS = (".ts", ".tsx", ".js", ".mjs", ".jsx")


def served(scripts: Mapping[str, str]) -> tuple[str, str] | None:
    """A script that runs a file while it is worked on, as it serves visitors: `bun --hot a.ts` →
    `bun a.ts`; and the name of the script."""
    for name in _SCRIPTS:
        text = scripts.get(name, "").strip()
        if _RUNS_FILE.match(text) and not re.search(r"[;&|\n]", text):
            return _WATCHES.sub("", text), name
    return None


def files(tree: Tree, package: Manifest) -> Iterator[str]:
    """What `bun <file>` would run: what package.json names, else the usual names."""
    module = package.fields.get("module")
    named = [module if isinstance(module, str) else "", package.main]
    for name in named:
        file = name.removeprefix("./")
        if re.fullmatch(_MODULE, file) and not file.startswith("-"):
            yield from _there(tree, (file, *_otherwise(file)))
    yield from _there(tree, [f"{name}{ending}" for name in _NAMES for ending in _ENDINGS])


def _otherwise(file: str) -> list[str]:
    """Bun finds the TypeScript behind the name of what it would become."""
    stem, dot, ending = file.rpartition(".")
    return [f"{stem}.ts", f"{stem}.tsx"] if dot and ending.endswith("js") else []


def _there(tree: Tree, names: "list[str] | tuple[str, ...]") -> Iterator[str]:
    yield from (name for name in names if tree.read(name, 1) is not None)
