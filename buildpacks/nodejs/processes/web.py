"""The web process of an app whose Procfile names none, and what is said when none can be found."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from buildpacks.findings import Notice, Refused, refuse
from buildpacks.nodejs import workspaces
from buildpacks.nodejs.app import App
from buildpacks.nodejs.bun import app as bun
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.processes import building, development, nx, procfile, serving, sites
from buildpacks.nodejs.processes.serving import Serving
from buildpacks.nodejs.processes.sites import Found
from buildpacks.plan import Site
from buildpacks.static import named
from buildpacks.tree import Tree

_SHOWN_MAX = 12
_SERVERS = (
    *("express", "fastify", "koa", "hono", "@hapi/hapi", "polka", "h3", "restify", "socket.io"),
    *("@hono/node-server", "ws", "elysia", "@nestjs/core"),
)
"""An app that has one of them runs its own program, whatever else it builds."""

_BUILDS_OTHERS = re.compile(
    r"\b(?:turbo|nx|lerna|moon)\b|\bworkspaces? foreach\b"
    r"|\bp?npm\b[^&|;]*\s(?:-r|-F|-ws?|--recursive|--filter|--workspaces?)\b"
)
"""What builds workspaces, and nothing of the root's own."""

_PAGE_SERVERS = ("webpack", "webpack-dev-server", "live-server", "browser-sync")
"""Servers for development that show pages, and run no program of the app's."""


@dataclass(frozen=True)
class Web:
    """`file` is what is run where nothing but a file was found: it is there after the build.

    With `site` no command is run at all. `build` builds the app where no script of its own does;
    `at_build` is in the environment of the build.
    """

    command: str
    source: str
    notices: tuple[Notice, ...] = ()
    file: str = ""
    site: Site | None = None
    build: tuple[str, ...] = ()
    at_build: Mapping[str, str] = field(default_factory=dict)


def find(app: App) -> Web:
    """A start script that serves visitors; else what the app's framework has for that; else a file.

    Raises Refused when there is none.
    """
    package = app.package
    script = package.scripts.get("start", "").strip()
    start = Web(app.manager.typed.start, "scripts.start in package.json")
    unfit = development.unfit(start.command, package.scripts) if script else ""
    moved = serving.in_build(app.tree, package, start.command) if script else None
    if moved:
        return _moved(script, moved)
    if script and not unfit:
        serves = serving.of(app.tree, package, app.manager.typed)
        return _built(app, replace(start, at_build=serves.at_build if serves else {}))
    found = next(_candidates(app, unfit), None)
    if found is None and script and not (unfit and _is_for_others(app)):
        return start
    if found is None:
        raise _nothing(app)
    return _built(app, found)


def _moved(script: str, serves: Serving) -> Web:
    notice = Notice(
        "start_in_build",
        f"`{script}` is for the folder of the build: `{serves.start}` is run instead, as "
        f"{serves.framework} has it",
        f"Say so: {serves.as_procfile()}",
    )
    return Web(serves.start, serves.framework, (notice,))


def _built(app: App, found: Web) -> Web:
    """What is started is built by its framework where nobody else says how."""
    if found.site or found.build:
        return found
    return replace(found, build=serving.build_for(app.tree, app.package, found.command))


def _candidates(app: App, unfit: str) -> Iterator[Web]:
    """In the order in which they count; `unfit` is the development server of the start script."""
    tree, package = app.tree, app.package
    if not unfit and _is_file(tree, "server.js"):
        yield Web("node server.js", "server.js", file="server.js")
    gone = app.lock.dev_commands
    better = development.better_script(package.scripts, gone)
    if better and not better.startswith("serve"):
        yield _better(better, unfit, package)
    if own := bun.served(package.scripts):
        yield _program(*own, unfit)
    runs_own_file = not unfit and any(name in package.dependencies for name in _SERVERS)
    if runs_own_file:
        yield from _files(app)
    is_for_others = _is_for_others(app)
    site = None if is_for_others else sites.of(tree, package)
    if site:
        yield _site(site, unfit, package)
    if better:
        yield _better(better, unfit, package)
    if is_for_others:
        yield from () if unfit else _files(app)
        return
    serves = serving.of(tree, package, app.manager.typed)
    if serves and not serves.prepare and not {*development.programs(serves.start, {})} & {*gone}:
        yield _server(serves, unfit, package)
    if serves:
        return
    page = None if runs_own_file else sites.html(tree, package)
    if unfit and page and unfit.split()[0] in _PAGE_SERVERS:
        yield _site(page, unfit, package)
    if not unfit and page and not (_main_is_built(package) or _is_program(tree, package)):
        yield _site(page, unfit, package)
    if not unfit:
        yield from _files(app)


def _is_for_others(app: App) -> bool:
    """The root of workspaces, whose packages are its apps', as Nx has it: it is none itself."""
    tree, package = app.tree, app.package
    text = package.scripts.get(building.script(package, ()), "")
    builds = bool(text) and not _BUILDS_OTHERS.search(text)
    has_page = "index.html" in tree.names() or named.folder(tree)
    is_app = builds or has_page or workspaces.configured(tree)
    return not is_app and bool(_others(tree))


def _program(command: str, script: str, unfit: str) -> Web:
    """Of a script that runs a program of the app's while it is worked on."""
    notices = tuple(_instead(unfit, f"`{command}` is run"))
    if not unfit:
        message = f"package.json has no start script: as {script} has it, {command} it is"
        notices = (Notice("start_guessed", message, _start_hint(command)),)
    return Web(command, f"scripts.{script} in package.json", notices)


def _site(found: Found, unfit: str, package: Manifest) -> Web:
    built_by = () if _builds(package) else found.build
    return Web(
        f"nginx ({found.site.folders[0] or '.'})",
        found.site.framework,
        tuple(_instead(unfit, "what the build leaves is served by nginx")),
        site=found.site,
        build=built_by,
    )


def _better(script: str, unfit: str, package: Manifest) -> Web:
    command = f"npm run {script}"
    notices = tuple(_instead(unfit, f"`{command}` is run"))
    if not unfit:
        message = f"package.json has no start script: `{command}` it is"
        hint = f'Say so: npm pkg set scripts.start="{command}"'
        notices = (Notice("start_guessed", message, hint),)
    return Web(command, f"scripts.{script} in package.json", notices)


def _server(serves: Serving, unfit: str, package: Manifest) -> Web:
    notices = tuple(_instead(unfit, f"`{serves.start}` is run, as {serves.framework} has it"))
    if not unfit:
        message = f"package.json has no start script: for {serves.framework}, {serves.start} it is"
        notices = (Notice("start_guessed", message, f"Say so: {serves.as_script()}"),)
    build = () if _builds(package) else tuple(serves.build.split())
    return Web(serves.start, serves.framework, notices, build=build, at_build=serves.at_build)


def _instead(unfit: str, what: str) -> Iterator[Notice]:
    if unfit:
        yield Notice(
            "development_server",
            f"the start script is for development ({unfit}): {what} instead",
            "A Procfile goes before both, e.g. web: node server.js",
        )


def _files(app: App) -> Iterator[Web]:
    tree, package = app.tree, app.package
    if app.manager.called == "bun":
        for file in bun.files(tree, package):
            message = f"package.json has no start script: bun {file} it is"
            notice = Notice("start_guessed", message, _start_hint(f"bun {file}"))
            yield Web(f"bun {file}", file, (notice,))
        return
    main = package.main.removeprefix("./")
    for file in ("server.js", main, "index.js"):
        if file and not file.startswith("-") and (_is_file(tree, file) or _is_built(file, package)):
            notice = Notice(
                "start_guessed",
                f"package.json has no start script: node {file} it is",
                f'Say so: "scripts": {{"start": "node {file}"}}',
            )
            notices = () if file == "server.js" else (notice,)
            yield Web(f"node {file}", file, notices, file)


def _start_hint(command: str) -> str:
    return (
        f"Say so: npm pkg set scripts.start='{command}' && git add package.json && "
        "git commit -m 'Say how to start'"
    )


def _is_file(tree: Tree, path: str) -> bool:
    return tree.read(path, 1) is not None


def _main_is_built(package: Manifest) -> bool:
    return _is_built(package.main.removeprefix("./"), package)


def _is_program(tree: Tree, package: Manifest) -> bool:
    """Is there a file that Node.js would run, and no page has it as its own script?"""
    names = (package.main.removeprefix("./"), "index.js")
    file = next((name for name in names if name and _is_file(tree, name)), "")
    page = tree.read("index.html", 256 * 1024) or b""
    in_page = re.search(rb"src\s*=\s*['\"]?(?:\./|/)?" + re.escape(file.encode()), page)
    return bool(file) and not in_page


def _is_built(file: str, package: Manifest) -> bool:
    """May the build make it? A file of the root is what `npm init` writes, whatever there is."""
    return file == package.main.removeprefix("./") and "/" in file and _builds(package)


def _builds(package: Manifest) -> bool:
    return bool(building.script(package, ()))


def _nothing(app: App) -> Refused:
    names = app.tree.names()
    listed = ", ".join(names[:_SHOWN_MAX]) + (", …" if len(names) > _SHOWN_MAX else "")
    start = (
        "a start script for development" if "start" in app.package.scripts else "no start script"
    )
    message = f"nothing says how to start the app: no Procfile, {start}, no server.js"
    return refuse(
        "no_start_command",
        message + (f" (in the root: {listed})" if names else ""),
        _hint(app),
    )


def _hint(app: App) -> str:
    tree, package = app.tree, app.package
    found = None if _is_for_others(app) else serving.of(tree, package, app.manager.typed)
    if found:
        return f"For {found.framework}: {found.as_script()}"
    if others := _others(tree):
        return others
    if misnamed := procfile.misnamed(tree):
        return (
            f"{misnamed} is not read by that name: git mv {shlex.quote(misnamed)} Procfile && "
            "git commit -m 'Name it Procfile'"
        )
    file = _only_script(tree) or "<your file>.js"
    return (
        f"npm pkg set scripts.start={shlex.quote(f'node {file}')} && git add package.json && "
        "git commit -m 'Say how to start'"
    )


def _only_script(tree: Tree) -> str:
    """The one file of the root, or else of src, that may be meant."""
    for folder in ("", "src"):
        names = [name for name in tree.names(folder) if name.endswith((".js", ".mjs", ".cjs"))]
        found = [name for name in names if ".config." not in name and not name.startswith(".")]
        if found:
            return f"{folder}/{found[0]}".lstrip("/") if len(found) == 1 else ""
    return ""


def _others(tree: Tree) -> str:
    """How one of the apps beside or below the root is deployed; empty where there is none."""
    inner = workspaces.apps(tree)
    if not inner:
        return nx.hint(tree)
    chosen = inner[0] if len(inner) == 1 else f"<one of {', '.join(inner[:_SHOWN_MAX])}>"
    return f"To deploy one of its apps, say which and push again: paas apps:set --root {chosen}"


def procfile_hint(script: str) -> str:
    return (
        f"echo 'web: npm run {script}' > Procfile && git add Procfile && "
        "git commit -m 'Say how to start'"
    )
