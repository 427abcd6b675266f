"""How one of several workspaces is built: what it needs of the others first.

By the tool that the repository has for that (Turborepo, Nx), which knows the order and keeps what
it has built; else by the build scripts of the workspaces that it depends on, one after the other.
"""

import shlex
from dataclasses import replace

from buildpacks.nodejs import workspaces
from buildpacks.nodejs.app import App
from buildpacks.nodejs.processes import building
from buildpacks.plan import Step

_TURBO = {"TURBO_TELEMETRY_DISABLED": "1", "DO_NOT_TRACK": "1"}
_NX = {"NX_DAEMON": "false", "NX_INTERACTIVE": "false", "NX_TUI": "false"}
"""A daemon of its own would outlive the step."""


def build(app: App, step: Step) -> Step:
    """`step` builds the app alone, or nothing."""
    names, package = app.base.tree.names(), app.base.package
    tools = {**package.dependencies, **package.dev_dependencies}
    inner = app.folder.removeprefix(f"{app.base.folder}/")
    # heroku-postbuild and the like are the app's own way, of which no tool knows.
    is_script = bool(step.command) and step.command == app.manager.run("build")
    if is_script and "turbo.json" in names and "turbo" in tools:
        turbo = ("turbo", "run", "build", f"--filter=./{inner}")
        return _by(step, "Turborepo", turbo, app.base.folder, _TURBO)
    # Nx has a build of its own where a framework's configuration says how, without a script.
    name = _name_in_nx(app)
    if (is_script or _is_frameworks(app, step)) and "nx.json" in names and "nx" in tools and name:
        nx = ("nx", "run", f"{name}:build")
        return _by(step, "Nx", nx, app.base.folder, _NX)
    needed = workspaces.needed_by(app.base.tree, inner)
    if not needed:
        return step
    run = shlex.join(app.manager.run("build"))
    own = shlex.join(step.command) if step.command else "true"
    folders = [f"{app.base.folder}/{path}".lstrip("/") for path in needed]
    script = f'for each; do (cd "/app/$each" && {run}) || exit; done; exec {own}'
    return replace(
        step,
        title=f"Building, after {_listed(needed)}",
        command=("sh", "-c", script, "sh", *folders),
        environment=step.environment or {**app.manager.quiet, **app.lock.variables},
        skip="",
        folder=app.folder,
    )


def _is_frameworks(app: App, step: Step) -> bool:
    return bool(step.command) and not building.script(app.package, ())


def _name_in_nx(app: App) -> str:
    """https://nx.dev/docs/reference/project-configuration: `nx.name` goes before the package's."""
    settings = app.package.fields.get("nx")
    named = settings.get("name") if isinstance(settings, dict) else None
    return named if isinstance(named, str) and named else app.package.name


def _by(step: Step, tool: str, command: tuple[str, ...], folder: str, told: dict[str, str]) -> Step:
    environment = {**told, **step.environment}
    title = f"Building by {tool}"
    return replace(step, title=title, command=command, environment=environment, folder=folder)


def _listed(folders: list[str]) -> str:
    more = f" and {len(folders) - 4} more" if len(folders) > 4 else ""
    return ", ".join(folders[:4]) + more
