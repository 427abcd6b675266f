"""The plan of a build, as data: runtime, steps, process types, notices.

Its steps are run in this order: prebuild, install, build; then the tree is the app's next trunk
(dev dependencies included); then prune and cleanup, in what becomes the image. A step with `skip`
is not run, and `skip` says why.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from buildpacks.findings import Notice, refuse
from buildpacks.nodejs import absent, lockfile, manifest, npm, procfile, start, versions, web
from buildpacks.nodejs.commands import check
from buildpacks.nodejs.lockfile import Lock
from buildpacks.nodejs.manifest import INSTALL_SCRIPTS, Manifest
from buildpacks.nodejs.npm import Npm, NpmOffer
from buildpacks.nodejs.versions import Offer, Runtime
from buildpacks.tree import Tree

_KEY_VERSION = "1"
_CACHES = (".next/cache", ".parcel-cache", ".turbo")
_PATCHES_MAX = 500
_NPMRC_BYTES_MAX = 64 * 1024
_QUIET = {
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_progress": "false",
    "npm_config_update_notifier": "false",
}


# Such scripts (patch-package, prisma generate) may read the app's own files.
_INSTALL_SCRIPTS_AGAIN = (
    "sh",
    "-c",
    " && ".join(f"npm run --if-present {name}" for name in INSTALL_SCRIPTS),
)


@dataclass(frozen=True)
class Step:
    """A command of the build. `environment` adds to that of the app, None takes a variable away."""

    name: str
    title: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict)
    skip: str = ""


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


@dataclass(frozen=True)
class Plan:
    """`environment` is that of builds and instances; config vars go over it.

    `path` are folders, relative to the app's, that go before PATH. `dependencies_key` stands for
    everything that an installation depends on: with an equal key it need not be repeated. `caches`
    are folders that stay from one build to the next, beside every `node_modules`. With
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
    has_install_scripts: bool
    has_dependencies: bool
    guessed: str = ""
    path: tuple[str, ...] = ("node_modules/.bin",)

    @property
    def runs_scripts(self) -> bool:
        """May the app's own code have changed the tree by the time that it becomes the trunk?"""
        return not (self.prebuild.skip and self.build.skip) or self.has_install_scripts


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
    commands = _commands(tree, package)
    prune = _prune(lock, config)
    command_notices = check(tree, package, lock, commands.of, prunes=bool(prune.command))
    key = _dependencies_key(tree, package, lock, f"{runtime.major} {architecture}", its_npm)
    return Plan(
        manager="npm",
        runtime=runtime,
        npm=its_npm,
        prebuild=_script(package, "prebuild", "Running heroku-prebuild", "heroku-prebuild"),
        install=_install(package, lock, key, previous),
        build=_script(package, "build", "Building", "heroku-postbuild", "build"),
        prune=prune,
        cleanup=_script(package, "cleanup", "Running heroku-cleanup", "heroku-cleanup"),
        processes=commands.processes(package),
        guessed=commands.guessed,
        notices=(
            *manifest.notices(tree),
            *runtime_notices,
            *npm_notices,
            *commands.notices,
            *command_notices,
        ),
        dependencies_key=key,
        environment={"NODE_ENV": "production"},
        caches=(*_CACHES, *package.cache_folders),
        has_install_scripts=_has_install_scripts(package),
        has_dependencies=lock.has_packages,
    )


def _install(package: Manifest, lock: Lock, key: str, previous: Previous) -> Step:
    title = "Installing dependencies"
    if not lock.path or not (lock.has_packages or _has_install_scripts(package)):
        return Step("install", title, skip="package.json has none")
    if key == previous.dependencies_key:
        if _has_install_scripts(package):
            return Step("install", "Running install scripts again", _INSTALL_SCRIPTS_AGAIN, _QUIET)
        return Step("install", title, skip=f"{lock.path} has not changed")
    # NODE_ENV=production would leave out the dev dependencies, which the build script needs.
    environment = {**_QUIET, "NODE_ENV": None}
    return Step("install", title, ("npm", "ci", "--include=dev"), environment)


def _has_install_scripts(package: Manifest) -> bool:
    return any(package.scripts.get(name, "").strip() for name in INSTALL_SCRIPTS)


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


def _commands(tree: Tree, package: Manifest) -> _Commands:
    written = procfile.read(tree) or {}
    commands = {type_: (command, "Procfile") for type_, command in written.items()}
    if commands and set(commands) != {"release"}:
        return _Commands(commands, tuple(_missing_scripts(written, package)))
    found = web.find(tree, package)
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


def _dependencies_key(tree: Tree, package: Manifest, lock: Lock, abi: str, its_npm: Npm) -> str:
    """Native addons hold for a major (its ABI), so a patch release installs nothing again."""
    npmrc = tree.read(".npmrc", _NPMRC_BYTES_MAX) or b""
    patches = [name for name in tree.names("patches") if name.endswith(".patch")][:_PATCHES_MAX]
    parts = (
        _KEY_VERSION.encode(),
        lock.content,
        package.install_fields.encode(),
        npmrc,
        abi.encode(),
        *(tree.read(f"patches/{name}", _NPMRC_BYTES_MAX) or b"" for name in patches),
    )
    if its_npm.version:
        parts = (*parts, f"npm {its_npm.version}".encode())
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
