"""The steps of a Node.js app's build: what each runs, or why it is left out."""

import shlex
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum, auto

from buildpacks.nodejs import monorepo
from buildpacks.nodejs.app import App
from buildpacks.nodejs.processes import building
from buildpacks.nodejs.scripts import Again
from buildpacks.plan import Step


def prebuild(app: App) -> Step:
    return _script(app, "prebuild", "Running heroku-prebuild", "heroku-prebuild")


class Over(Enum):
    """What an installation finds in place."""

    NOTHING = auto()
    OTHERS = auto()
    """What an earlier lock file gave."""
    THE_SAME = auto()


def install(app: App, again: Again, over: Over, *, is_shared: bool) -> Step:
    """All that the lock file says, or what of it is new, or only the scripts that are to run
    `again`, or nothing. What is in place, and `is_shared`, comes from another build."""
    title, lock = "Installing dependencies", app.lock
    # NODE_ENV=production would leave out the dev dependencies, which the build script needs.
    environment = {**_told(app), "NODE_ENV": None, **app.at_build.for_manager}
    command = again.command(app.manager, over_packages=bool(lock.path))
    fallback = app.manager.install if lock.path else ()
    at = app.base.folder
    repeat = Step("install", again.title, command, environment, fallback=fallback, folder=at)
    if not (lock.has_packages or again):
        return Step("install", title, skip="package.json has none")
    if lock.path and over is Over.NOTHING:
        return Step("install", title, app.manager.install, environment, folder=at)
    if lock.path and over is Over.OTHERS:
        command = _update(app, again)
        title = "Updating dependencies"
        return Step("install", title, command, environment, fallback=fallback, folder=at)
    why = "was installed by another build" if is_shared else "has not changed"
    return repeat if again else Step("install", title, skip=f"{lock.path} {why}")


def _update(app: App, again: Again) -> tuple[str, ...]:
    """Names are arguments, never part of the shell's text."""
    parts = [shlex.join(app.manager.update(app.lock))]
    parts += [app.manager.rebuild] if again.names else []
    return ("sh", "-c", " && ".join(parts), "sh", *again.names)


def build(app: App, otherwise: tuple[str, ...], environment: Mapping[str, str]) -> Step:
    """`otherwise` is the command of a dependency that builds an app without a script for that.

    `environment` is what its framework is told, below the config vars.
    """
    # Next.js, for one, looks for the packages of a workspace below its root, which it does not
    # take the user's home for.
    has_several = bool(app.package.workspaces or app.lock.workspaces or app.lock.links)
    leaves = has_several or app.is_workspace
    return replace(_build(app, otherwise, environment), leaves_home=leaves)


def _build(app: App, otherwise: tuple[str, ...], environment: Mapping[str, str]) -> Step:
    told = {name: text for name, text in environment.items() if name not in app.config}
    script = building.script(app.package, otherwise)
    found = _script(app, "build", "Building", script or "build")
    if found.command or not otherwise:
        found = replace(found, environment={**found.environment, **told})
        return monorepo.build(app, found) if app.is_workspace else found
    program, *words = otherwise
    # Those of workspaces are in the folders above, which PATH has.
    command = (program if app.is_workspace else f"node_modules/.bin/{program}", *words)
    title = f"Building with {program}, as no script says how"
    over = {**_told(app), **app.at_build.for_scripts}
    step = Step("build", title, command, over, folder=app.folder)
    return monorepo.build(app, step) if app.is_workspace else step


def prune(app: App, *, is_site: bool = False) -> Step:
    """Of a site nothing is run that needs a dependency: there is nothing to win."""
    title = "Pruning dev dependencies"
    if is_site:
        return Step("prune", title, skip="the site is served without any")
    asked = {"NODE_ENV": "production", **app.manager.prunes_at}
    keep = next(
        (
            f"{name} is {app.config[name]}"
            for name, value in asked.items()
            if app.config.get(name, value) != value
        ),
        "",
    )
    if not app.lock.has_dev_dependencies:
        return Step("prune", title, skip="there are none")
    if keep or app.lock.keeps_all:
        return Step("prune", title, skip=keep or app.lock.keeps_all)
    environment = {**_told(app), **app.at_build.for_manager}
    pruning = app.manager.pruning(app.lock)
    return Step("prune", title, pruning, environment, folder=app.base.folder)


def cleanup(app: App) -> Step:
    return _script(app, "cleanup", "Running heroku-cleanup", "heroku-cleanup")


def _script(app: App, name: str, title: str, *scripts: str) -> Step:
    """The first of the scripts that package.json has."""
    over = app.at_build.for_scripts if name == "build" else app.at_build.for_manager
    for script in scripts:
        if app.package.scripts.get(script, "").strip():
            told = {**_told(app), **over}
            return Step(name, title, app.manager.run(script), told, folder=app.folder)
    return Step(name, title, skip=f"no {scripts[-1]} script")


def _told(app: App) -> dict[str, str | None]:
    """What the package manager is told by variables."""
    return {**app.manager.quiet, **app.lock.variables}
