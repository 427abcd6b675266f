"""Reads the tree of a Deno app and decides how it is built and started."""

import hashlib
import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from buildpacks import runtimes
from buildpacks.deno import configuration, entries, processes
from buildpacks.deno.configuration import Configuration
from buildpacks.deno.processes import Commands
from buildpacks.findings import Notice, Refused, found_in
from buildpacks.nodejs import manifest
from buildpacks.nodejs.processes import procfile
from buildpacks.plan import ManagerVersion, Plan, Previous, Runtime, Step
from buildpacks.runtimes import Offer
from buildpacks.tree import Tree, below

NAME = "deno"
CACHE = ".deno"
"""Of what is imported, in the app's folder: it is in the image, so that an instance needs no
network to start."""
_CACHES = (".cache", ".vite", "node_modules/.vite")
_FORM = b"1"
_OTHER_LOCKS = (
    *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml"),
    *("bun.lock", "bun.lockb"),
)
_SIGN = re.compile(rb"\bDeno\.(?:serve|env|args|listen|readTextFile)\b|['\"](?:jsr|npm):")
_SIGN_FILES = ("main.ts", "main.tsx", "server.ts", "mod.ts", "main.js", "server.js", "app.ts")
_SIGN_BYTES_MAX = 64 * 1024
_CONFIGURATION_BYTES_MAX = 64 * 1024
_AT_INSTALL: dict[str, str | None] = {"NODE_ENV": None}


def detect(tree: Tree) -> bool:
    """Is Deno what runs the app? With a package.json that is so where nothing says otherwise: a
    lock file of another package manager, or a start script that calls another program. Beside an
    index.html it may only be a tool."""
    names = tree.names()
    if "index.html" in names and not _starts(tree):
        return False
    has_own = any(name in names for name in (*configuration.FILES, configuration.LOCK))
    if "package.json" not in names:
        return has_own or _is_called(tree) or _is_written(tree)
    if not has_own or any(name in names for name in _OTHER_LOCKS):
        return False
    package = manifest.read(tree)
    start = package.scripts.get("start", "").strip()
    calls = not start or bool(re.match(r"(?:\w+=\S+\s+)*deno\s", start))
    return not package.package_manager and (calls or configuration.LOCK in names)


def plan(tree: Tree, *, folder: str = "", offer: Offer, previous: Previous | None = None) -> Plan:
    """Of the app in `folder` of the tree. Raises Refused with what has to be changed first."""
    with found_in(folder):
        return _plan(below(tree, folder), folder, offer, previous or Previous())


def _plan(tree: Tree, folder: str, offer: Offer, previous: Previous) -> Plan:
    read = configuration.read(tree)
    engines = read.package.engines if read.package else {}
    dev_engines = read.package.dev_engines if read.package else {}
    wanted = runtimes.asked(runtimes.DENO, tree, engines, dev_engines)
    runtime = runtimes.resolve(runtimes.DENO, wanted, offer, previous.majors.get(NAME))
    found = processes.find(tree, read)
    listed = [*entries.of(found.texts), *entries.of(_built_by(read))]
    wanted_key = _key(tree, read, runtime, listed)
    afresh = previous.dependencies_key != wanted_key
    importing = entries.importing(found.texts)
    install = _install(tree, read, listed, importing, afresh=afresh)
    cache = posixpath.join("/app", folder, CACHE)
    return Plan(
        manager=ManagerVersion(NAME),
        runtime=runtime,
        prebuild=Step("prebuild", "Preparing", skip="Deno has no such script"),
        install=replace(install, folder=folder),
        build=replace(_build(tree, read, found), folder=folder),
        prune=Step("prune", "Pruning", skip="only what is imported was fetched"),
        cleanup=Step("cleanup", "Cleaning up", skip="Deno has no such script"),
        processes=found.processes,
        notices=(*_notices(tree, read), *found.notices),
        dependencies_key=wanted_key,
        environment={"NODE_ENV": "production", "DENO_DIR": cache},
        caches=tuple(posixpath.join(folder, name) for name in _CACHES),
        installs_afresh=afresh,
        updates=False,
        repeats_scripts=False,
        probe=(),
        has_dependencies=True,
        installed=tuple(posixpath.join(folder, name) for name in (CACHE, *_made(tree, read))),
        site=found.site,
        folder=folder,
        installs_in=folder,
    )


def _starts(tree: Tree) -> bool:
    try:
        processes.find(tree, configuration.read(tree))
    except Refused:
        return False
    return True


def _is_called(tree: Tree) -> bool:
    commands = (procfile.read(tree) or {}).values()
    return any(command.split()[0] == "deno" for command in commands)


def _is_written(tree: Tree) -> bool:
    files = (tree.read(name, _SIGN_BYTES_MAX) for name in _SIGN_FILES)
    return any(_SIGN.search(content) for content in files if content)


def _built_by(read: Configuration) -> list[str]:
    build = read.tasks.get("build")
    return [processes.unwrapped("deno task build", read.tasks)] if build else []


def _install(
    tree: Tree, read: Configuration, listed: Sequence[str], importing: str, *, afresh: bool
) -> Step:
    """All that deno.json and package.json name, then what the modules import that commands begin
    with: where something can't be had, only the latter fails."""
    title = "Installing dependencies"
    if not afresh:
        return Step("install", title, skip=f"{read.lock or 'what is imported'} has not changed")
    frozen = ["--frozen"] if read.lock else []
    present = [each for each in listed if not entries.is_file(each) or _is_there(tree, each)]
    script = [" ".join(("deno install", *frozen))] if read.path or read.package else []
    if present:
        options = [*frozen, *([importing] if importing else []), '--entrypoint "$@"']
        script.append(" ".join(("deno install", *options)))
    if not script:
        return Step("install", title, skip="nothing says what is imported")
    return Step("install", title, ("sh", "-c", " && ".join(script), "sh", *present), _AT_INSTALL)


def _build(tree: Tree, read: Configuration, found: Commands) -> Step:
    """With what the build makes to be started there as well."""
    if "build" not in read.tasks:
        return Step("build", "Building", skip="no build task")
    made = [each for each in entries.of(found.texts) if entries.is_file(each)]
    made = [each for each in made if not _is_there(tree, each)]
    if not made:
        return Step("build", "Building", ("deno", "task", "build"))
    options = " ".join((entries.importing(found.texts), '--entrypoint "$@"')).strip()
    script = f"deno task build && deno install {options}"
    return Step("build", "Building", ("sh", "-c", script, "sh", *made))


def _made(tree: Tree, read: Configuration) -> Iterator[str]:
    """What Deno leaves in the tree, where git holds none of it."""
    names = tree.names()
    if read.locks and configuration.LOCK not in names:
        yield configuration.LOCK
    if read.vendors and "vendor/" not in names:
        yield "vendor"


def _notices(tree: Tree, read: Configuration) -> Iterator[Notice]:
    yield from manifest.notices(tree)
    imports = read.fields.get("imports") or (read.package and read.package.has_dependencies)
    if imports and read.locks and not read.lock:
        yield Notice(
            "no_deno_lock",
            "there is no deno.lock: which versions the app gets is decided when it is built",
            "deno install && git add deno.lock && git commit -m 'Lock'",
        )


def _key(tree: Tree, read: Configuration, runtime: Runtime, listed: Sequence[str]) -> str:
    """Stands for everything that decides what is fetched."""
    parts = [
        _FORM,
        ".".join(runtime.version.split(".")[:2]).encode(),
        read.lock_content,
        read.install_fields.encode(),
        read.package.install_fields.encode() if read.package else b"",
        tree.read(".npmrc", _CONFIGURATION_BYTES_MAX) or b"",
        "\n".join(listed).encode(),
    ]
    for folder in read.members:
        for name in (*configuration.FILES, "package.json"):
            parts.append(tree.read(f"{folder}/{name}", configuration.FILE_BYTES_MAX) or b"")
    if read.vendors:
        parts.append((tree.digest("vendor") or "").encode())
    if not read.lock:
        parts += [each.encode() for each in entries.specifiers(tree)]
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _is_there(tree: Tree, path: str) -> bool:
    return tree.read(path, 1) is not None
