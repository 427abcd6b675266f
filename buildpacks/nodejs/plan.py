"""The plan of a build, as data: runtime, steps, process types, notices.

Its steps are run in this order: prebuild, install, build; then the tree is the app's next trunk
(dev dependencies included); then prune and cleanup, in what becomes the image. A step with `skip`
is not run, and `skip` says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from buildpacks.findings import Notice, refuse
from buildpacks.nodejs import kept_files, key, lockfile, manifest, npm, options, scripts, versions
from buildpacks.nodejs.lockfile import Lock
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.npm import Npm, NpmOffer
from buildpacks.nodejs.processes import absent, procfile, start, web
from buildpacks.nodejs.processes.commands import check
from buildpacks.nodejs.scripts import Again
from buildpacks.nodejs.versions import Offer, Runtime
from buildpacks.tree import Tree

_CACHES = (".cache", ".next/cache", ".parcel-cache", ".turbo")
"""The first is where tools put what they fetch, because HOME is the app's folder."""
_CI = ("npm", "ci", "--include=dev")
_QUIET = {
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_progress": "false",
    "npm_config_update_notifier": "false",
}


@dataclass(frozen=True)
class Step:
    """A command of the build. `environment` adds to that of the app, None takes a variable away.

    When it fails, `fallback` decides: run instead, in a tree that is the commit's once more.
    """

    name: str
    title: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict)
    skip: str = ""
    fallback: tuple[str, ...] = ()


@dataclass(frozen=True)
class Process:
    """A process type: the command as written, and the argument vector that an instance runs."""

    type: str
    command: str
    argv: tuple[str, ...]
    source: str
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Previous:
    """What the trunk was made with, and the major of Node.js that the app's release has.

    The default is: there is none yet.
    """

    dependencies_key: str = ""
    nodejs_major: int | None = None
    scripts: tuple[str, ...] | None = ()
    """The dependencies whose install scripts are repeated; None: not known."""


@dataclass(frozen=True)
class Plan:
    """`environment` is that of builds and instances; config vars go over it.

    `path` are folders, relative to the app's, that go before PATH. `dependencies_key` stands for
    everything that npm reads: with an equal key only the install scripts need be repeated. `caches`
    are folders that stay from one build to the next, beside every `node_modules`. With
    `asks_for_scripts` the dependencies' scripts are to be looked up after an installation. With
    `has_dependencies` the root's `node_modules` is what the lock file says, whatever git holds.
    `guessed` is a file that is run because nothing says how to start; the build has to leave it.
    """

    manager: str
    runtime: Runtime
    npm: Npm
    prebuild: Step
    install: Step
    build: Step
    prune: Step
    cleanup: Step
    processes: Mapping[str, Process]
    notices: tuple[Notice, ...]
    dependencies_key: str
    environment: Mapping[str, str]
    caches: tuple[str, ...]
    repeats_scripts: bool
    asks_for_scripts: bool
    has_dependencies: bool
    guessed: str = ""
    path: tuple[str, ...] = ("node_modules/.bin",)

    @property
    def runs_scripts(self) -> bool:
        """May the app's own code have changed the tree by the time that it becomes the trunk?"""
        return not (self.prebuild.skip and self.build.skip) or self.repeats_scripts

    @property
    def installs_afresh(self) -> bool:
        return self.install.command == _CI


def detect(tree: Tree) -> bool:
    """Does the tree look like Node.js? Without package.json `plan` refuses, and says why."""
    names = tree.names()
    return any(name in names for name in ("package.json", "server.js", "index.js"))


def plan(
    tree: Tree,
    *,
    offer: Offer,
    npms: NpmOffer | None = None,
    architecture: str,
    config: Mapping[str, str] | None = None,
    previous: Previous | None = None,
) -> Plan:
    """Reads the tree and decides. `config` are the app's config vars, `architecture` is Node.js's
    word for the machine's (`x64`, `arm64`). Raises Refused with what has to be changed first.
    """
    config = config or {}
    absent.check(tree)
    package = manifest.read(tree)
    lock = lockfile.read(tree, package)
    previous = previous or Previous()
    runtime, runtime_notices = versions.resolve(tree, package, offer, previous.nodejs_major)
    its_npm, npm_notices = npm.resolve(package, runtime.version, npms or NpmOffer())
    commands = _commands(tree, package, lock)
    is_first = previous.nodejs_major is None
    file_notices = kept_files.notices(tree, package) if is_first else []
    prune = _prune(lock, config)
    command_notices = check(tree, package, lock, commands.of, prunes=bool(prune.command))
    dependencies_key = key.dependencies_key(
        tree, package, lock, config, abi=f"{runtime.major} {architecture}", npm=its_npm.version
    )
    ignored = key.scripts_ignored(tree, config)
    installed = previous.scripts if dependencies_key == previous.dependencies_key else None
    again = scripts.again(tree, package, lock.links, installed or (), ignored=ignored)
    prebuild = _script(package, "prebuild", "Running heroku-prebuild", "heroku-prebuild")
    install = _install(lock, again, afresh=installed is None or again.unknown)
    build = _script(package, "build", "Building", "heroku-postbuild", "build")
    cleanup = _script(package, "cleanup", "Running heroku-cleanup", "heroku-cleanup")
    quiet = options.at_build(tree, lock.names, config)
    return Plan(
        manager="npm",
        runtime=runtime,
        npm=its_npm,
        prebuild=_with(prebuild, quiet.for_npm),
        install=_with(install, quiet.for_npm),
        build=_with(build, quiet.for_scripts),
        prune=_with(prune, quiet.for_npm),
        cleanup=_with(cleanup, quiet.for_npm),
        processes=commands.processes(package),
        guessed=commands.guessed,
        notices=(
            *manifest.notices(tree),
            *runtime_notices,
            *npm_notices,
            *commands.notices,
            *command_notices,
            *file_notices,
            *(quiet.notices if build.command else ()),
        ),
        dependencies_key=dependencies_key,
        environment={"NODE_ENV": "production"},
        caches=(*_CACHES, *package.cache_folders),
        repeats_scripts=bool(again),
        asks_for_scripts=lock.has_install_scripts and not ignored,
        has_dependencies=lock.has_packages,
    )


def _with(step: Step, environment: Mapping[str, str | None]) -> Step:
    return replace(step, environment={**step.environment, **environment})


def _install(lock: Lock, again: Again, *, afresh: bool) -> Step:
    title = "Installing dependencies"
    # NODE_ENV=production would leave out the dev dependencies, which the build script needs.
    environment = {**_QUIET, "NODE_ENV": None}
    command = again.command(over_packages=bool(lock.path))
    repeat = Step("install", again.title, command, environment, fallback=_CI)
    if not lock.path:
        return replace(repeat, fallback=()) if again else _no_dependencies(title)
    if not (lock.has_packages or again):
        return _no_dependencies(title)
    if afresh:
        return Step("install", title, _CI, environment)
    return repeat if again else Step("install", title, skip=f"{lock.path} has not changed")


def _no_dependencies(title: str) -> Step:
    return Step("install", title, skip="package.json has none")


def _prune(lock: Lock, config: Mapping[str, str]) -> Step:
    title = "Pruning dev dependencies"
    keep = next(
        (
            f"{name} is {config[name]}"
            for name, pruning in (("NODE_ENV", "production"), ("NPM_CONFIG_PRODUCTION", "true"))
            if config.get(name, pruning) != pruning
        ),
        "",
    )
    if not lock.has_dev_dependencies:
        return Step("prune", title, skip="there are none")
    if keep:
        return Step("prune", title, skip=keep)
    # Without scripts: `prepare` and the like often need what was just removed.
    return Step("prune", title, ("npm", "prune", "--omit=dev", "--ignore-scripts"), _QUIET)


def _script(package: Manifest, name: str, title: str, *scripts: str) -> Step:
    """The first of the scripts that package.json has."""
    for script in scripts:
        if package.scripts.get(script, "").strip():
            return Step(name, title, ("npm", "run", script), _QUIET)
    return Step(name, title, skip=f"no {scripts[-1]} script")


@dataclass(frozen=True)
class _Commands:
    """What the process types run: type → command and where it stands. `guessed`: see `Plan`."""

    of: Mapping[str, tuple[str, str]]
    notices: tuple[Notice, ...] = ()
    guessed: str = ""

    def processes(self, package: Manifest) -> dict[str, Process]:
        return {
            type_: _process(type_, command, source, package)
            for type_, (command, source) in self.of.items()
        }


def _commands(tree: Tree, package: Manifest, lock: Lock) -> _Commands:
    written = procfile.read(tree) or {}
    commands = {type_: (command, "Procfile") for type_, command in written.items()}
    if commands and set(commands) != {"release"}:
        return _Commands(commands, tuple(_missing_scripts(written, package)))
    found = web.find(tree, package, lock.dev_commands)
    return _Commands({"web": (found.command, found.source), **commands}, found.notices, found.file)


def _process(type_: str, command: str, source: str, package: Manifest) -> Process:
    name = start.script_name(command)
    text = package.scripts.get(name, "").strip()
    environment = {}
    if text:
        environment = {
            "npm_lifecycle_event": name,
            "npm_lifecycle_script": text,
            "npm_package_name": package.name,
            "npm_package_version": package.version,
        }
    return Process(type_, command, start.argv(command, package.scripts), source, environment)


def _missing_scripts(commands: Mapping[str, str], package: Manifest) -> list[Notice]:
    for type_, command in commands.items():
        name = start.script_name(command)
        if name and not package.scripts.get(name, "").strip():
            raise refuse(
                "no_start_command",
                f"Procfile: {type_} runs `{command}`, but package.json has no {name} script",
                f'Add to package.json: "scripts": {{"{name}": "node <your file>.js"}}',
            )
    if "web" in commands:
        return []
    types = ", ".join(commands)
    hint = "If the app serves HTTP, add a line: web: node server.js"
    return [Notice("no_web_process", f"the Procfile has no web process, only {types}", hint)]
