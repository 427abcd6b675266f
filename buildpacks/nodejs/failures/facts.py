"""What rules find out from an app's files: which package, whose file, spelled how. Pure."""

import posixpath
import re

from buildpacks.nodejs.rules import Evidence
from buildpacks.tree import Tree

ROOT = "/app/"
_FOUND_BY = ("", ".js", ".mjs", ".cjs", ".json", ".ts", ".tsx", ".jsx", ".mts", ".vue", ".svelte")
_BUILTIN = frozenset(
    (
        *("assert", "buffer", "child_process", "cluster", "crypto", "dns", "events", "fs", "http"),
        *("http2", "https", "module", "net", "os", "path", "process", "querystring", "readline"),
        *("stream", "string_decoder", "timers", "tls", "url", "util", "v8", "vm", "zlib"),
    )
)
_PACKAGE = re.compile(r"(?:@[a-z0-9~._-]+/)?[a-zA-Z0-9~][\w.~-]*", re.ASCII)
_SCANNED_MAX = 60
_SCANNED_BYTES_MAX = 128 * 1024
_PROGRAM = re.compile(r"(?<!\.config)(?<!\.d)\.[cm]?[jt]sx?$")
_FOLDERS = ("", "src", "server", "app", "api", "lib", "bin", "src/server", "backend")


def package_of(module: str) -> str:
    """The package that a module's name belongs to; empty for a path and for Node.js's own."""
    if module.startswith((".", "/", "#", "node:", "file:", "~", "@/")) or "\\" in module:
        return ""
    parts = module.split("/")
    name = "/".join(parts[: 2 if module.startswith("@") else 1])
    return name if _PACKAGE.fullmatch(name) and name not in _BUILTIN else ""


def in_app(path: str) -> str:
    """The path inside the tree; empty for what is elsewhere, or installed."""
    plain = path.removeprefix("file://")
    if plain.startswith("/") and not plain.startswith(ROOT):
        return ""
    found = posixpath.normpath(plain.removeprefix(ROOT))
    return "" if found.startswith("..") or "node_modules" in found.split("/") else found


def requirer(text: str) -> str:
    """The app's own file that asked for a module, from what Node.js says of it."""
    imported = re.search(r"imported from (\S+)", text)
    stack = re.search(r"Require stack:((?:\s+- \S+)+)", text)
    listed = re.findall(r"- (\S+)", stack[1]) if stack else []
    for path in ([imported[1]] if imported else []) + listed:
        found = in_app(path.rstrip(",'"))
        if found:
            return found
    return ""


def wanted(evidence: Evidence, module: str, source: str) -> str:
    """Where in the tree a path leads that the file `source` names; empty for packages."""
    if module.startswith(ROOT):
        return in_app(module)
    if not module.startswith("."):
        return ""
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(source), module))
    return "" if joined.startswith("..") else joined


def is_there(tree: Tree, path: str) -> str:
    """The file that a path means in the tree, by the rules of bundlers; else nothing."""
    stem = re.sub(r"\.[cm]?js$", "", path)
    tries = [f"{path}{ending}" for ending in _FOUND_BY]
    tries += [f"{stem}{ending}" for ending in (".ts", ".tsx", ".mts")]
    tries += [f"{path}/index{ending}" for ending in _FOUND_BY[1:]]
    return next((one for one in tries if tree.read(one, 1) is not None), "")


def spelled_alike(tree: Tree, path: str) -> str:
    """The file that differs from the one meant by capitals only; else nothing."""
    if is_there(tree, path):
        return ""
    folder = ""
    parts = path.split("/")
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        name = _alike(tree.names(folder), part, is_last)
        if not name:
            return ""
        folder = f"{folder}/{name}" if folder else name
    return folder


def _alike(names: list[str], part: str, is_last: bool) -> str:
    exact = [part, f"{part}/"]
    endings = _FOUND_BY if is_last else ("",)
    stem = re.sub(r"\.[cm]?js$", "", part) if is_last else part
    means = {f"{part}{ending}".lower() for ending in endings}
    means |= {f"{stem}{ending}".lower() for ending in (".ts", ".tsx")} if is_last else set()
    alike = [name.rstrip("/") for name in names if name in exact]
    alike += [name.rstrip("/") for name in names if name.rstrip("/").lower() in means]
    return alike[0] if alike else ""


def is_dev_only(evidence: Evidence, package: str) -> bool:
    known = {**evidence.package.dependencies, **evidence.package.optional_dependencies}
    return package in evidence.package.dev_dependencies and package not in known


def is_declared(evidence: Evidence, package: str) -> bool:
    fields = evidence.package
    peers = evidence.package.fields.get("peerDependencies")
    named = {**fields.dependencies, **fields.dev_dependencies, **fields.optional_dependencies}
    return package in named or (isinstance(peers, dict) and package in peers)


def sources(evidence: Evidence) -> list[str]:
    """Some of the app's own program files, where servers usually stand."""
    tree, found = evidence.tree, list[str]()
    for folder in _FOLDERS if tree else ():
        place = "/".join(part for part in (evidence.folder, folder) if part)
        for name in tree.names(place) if tree else ():
            if _PROGRAM.search(name) or (folder == "bin" and "/" not in name):
                found.append(f"{place}/{name}" if place else name)
    return found[:_SCANNED_MAX]


def line_with(evidence: Evidence, pattern: str) -> tuple[str, int, str]:
    """The first of the app's lines that fits: file, number, text; the file is empty without one."""
    tree = evidence.tree
    for path in sources(evidence):
        content = (tree.read(path, _SCANNED_BYTES_MAX) or b"") if tree else b""
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), start=1):
            if re.search(pattern, line):
                return path, number, line.strip()[:120]
    return "", 0, ""
