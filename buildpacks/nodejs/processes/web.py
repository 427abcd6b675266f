"""The web process of an app whose Procfile names none, and what is said when none can be found."""

from dataclasses import dataclass

from buildpacks.findings import Notice, Refused, refuse
from buildpacks.nodejs import workspaces
from buildpacks.nodejs.app import App
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.processes import development, serving
from buildpacks.tree import Tree

_SHOWN_MAX = 12


@dataclass(frozen=True)
class Web:
    """`file` is what is run where nothing but a file was found: it is there after the build."""

    command: str
    source: str
    notices: tuple[Notice, ...] = ()
    file: str = ""


def find(app: App) -> Web:
    """The start script, server.js, `main` or index.js. Raises Refused when there is none."""
    tree, package = app.tree, app.package
    if package.scripts.get("start", "").strip():
        return Web(app.manager.typed.start, "scripts.start in package.json")
    main = package.main.removeprefix("./")
    for file in ("server.js", main, "index.js"):
        if file and not file.startswith("-") and (_is_file(tree, file) or _is_built(file, package)):
            notice = Notice(
                "start_guessed",
                f"package.json has no start script: node {file} it is",
                f'Say so: "scripts": {{"start": "node {file}"}}',
            )
            notices = () if file == "server.js" else (notice,)
            return Web(f"node {file}", file, notices, file)
    raise _nothing(app)


def _is_file(tree: Tree, path: str) -> bool:
    return tree.read(path, 1) is not None


def _is_built(file: str, package: Manifest) -> bool:
    """May the build make it? A file of the root is what `npm init` writes, whatever there is."""
    return file == package.main.removeprefix("./") and "/" in file and _builds(package)


def _builds(package: Manifest) -> bool:
    names = ("build", "heroku-postbuild")
    return any(package.scripts.get(name, "").strip() for name in names)


def _nothing(app: App) -> Refused:
    names = app.tree.names()
    listed = ", ".join(names[:_SHOWN_MAX]) + (", …" if len(names) > _SHOWN_MAX else "")
    message = "nothing says how to start the app: no Procfile, no start script, no server.js"
    return refuse(
        "no_start_command",
        message + (f" (in the root: {listed})" if names else ""),
        _hint(app),
    )


def _hint(app: App) -> str:
    tree, package = app.tree, app.package
    better = development.better_script(package.scripts, app.lock.dev_commands)
    if better:
        return procfile_hint(better)
    found = serving.of(tree, package, app.manager.typed)
    if found:
        return f"For {found.framework}: {found.as_script()}"
    started = workspaces.with_start(tree)
    if started:
        chosen = started[0] if len(started) == 1 else f"<one of {', '.join(started[:_SHOWN_MAX])}>"
        return (
            f'npm pkg set scripts.start="npm start -w {chosen}" && git add package.json && '
            "git commit -m 'Say how to start'"
        )
    sources = [name for name in tree.names() if name.endswith((".js", ".mjs", ".cjs"))]
    servers = [name for name in sources if ".config." not in name and not name.startswith(".")]
    file = servers[0] if len(servers) == 1 else "<your file>.js"
    return f'Add to package.json: "scripts": {{"start": "node {file}"}}'


def procfile_hint(script: str) -> str:
    return (
        f"echo 'web: npm run {script}' > Procfile && git add Procfile && "
        "git commit -m 'Say how to start'"
    )
