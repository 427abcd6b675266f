"""Yarn classic behind the seam of package managers (`buildpacks.nodejs.package_manager`)."""

import re
from collections.abc import Callable, Mapping

from buildpacks import ranges
from buildpacks.findings import Notice
from buildpacks.nodejs import asked, installed
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.package_manager import (
    Lock,
    ManagerOffer,
    PackageManager,
    ScriptRun,
    Typed,
)
from buildpacks.nodejs.processes import running
from buildpacks.nodejs.rules import Rule
from buildpacks.nodejs.yarn import failures, lockfile
from buildpacks.plan import ManagerVersion
from buildpacks.tree import Tree

OLDEST = "1.0.0"
_FILE_BYTES_MAX = 64 * 1024
_IGNORES = re.compile(rb"^\s*-*(?:install\.)?ignore-scripts[\s=]+\"?true", re.MULTILINE)
_NOISE = re.compile(
    r"warning |info |\[\d/\d\] |yarn (?:install|run) v|\(node:\d+\) \[DEP|\(Use `node --trace"
)
# fmt: off
COMMANDS = frozenset((
    "add", "audit", "autoclean", "bin", "cache", "check", "config", "constraints", "create",
    "dedupe", "dlx", "exec", "explain", "generate-lock-entry", "global", "help", "import", "info",
    "init", "install", "licenses", "link", "list", "login", "logout", "node", "npm", "outdated",
    "owner", "pack", "patch", "patch-commit", "plugin", "policies", "publish", "rebuild", "remove",
    "run", "search", "set", "stage", "tag", "team", "unlink", "unplug", "up", "upgrade",
    "upgrade-interactive", "version", "versions", "why", "workspace", "workspaces",
))
# fmt: on
TYPED = Typed(
    install="yarn install",
    add="yarn add",
    add_dev="yarn add --dev",
    keep="yarn remove <name> && yarn add <wanted>",
    start="yarn start",
    files=("package.json", lockfile.FILE),
)
OBEYS = re.compile(
    r"yarn_.*|npm_config_.*|npm_package_config_.*|C|CC|CXX|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|GYP_.*",
    re.IGNORECASE,
)


class Yarn:
    name = "yarn"
    called = "yarn"
    versions = "<2"
    typed = TYPED
    lock_files: tuple[str, ...] = (lockfile.FILE,)

    configuration: tuple[str, ...] = (".npmrc", ".yarnrc")
    obeys = OBEYS

    # What a dependency says of engines is not asked: its makers' own installation did not either.
    install: tuple[str, ...] = (
        *("yarn", "install", "--frozen-lockfile", "--production=false", "--ignore-engines"),
        *("--non-interactive", "--no-progress"),
    )
    quiet: Mapping[str, str] = {"YARN_DISABLE_SELF_UPDATE_CHECK": "true"}
    at_run: Mapping[str, str] = {"YARN_DISABLE_SELF_UPDATE_CHECK": "true"}

    rebuild = installed.REBUILD
    rebuild_own = installed.REBUILD_OWN
    prunes_at: Mapping[str, str] = {"NPM_CONFIG_PRODUCTION": "true", "YARN_PRODUCTION": "true"}

    rules: tuple[Rule, ...] = failures.RULES
    warnings: tuple[Rule, ...] = ()

    def owns(self, tree: Tree, lock_file: str) -> bool:
        return not lockfile.is_of_berry(tree)

    def read(self, tree: Tree, package: Manifest) -> Lock:
        return lockfile.read(tree, package)

    def choose(
        self, package: Manifest, lock: Lock, nodejs: str, offer: ManagerOffer
    ) -> tuple[ManagerVersion, list[Notice]]:
        wanted = asked.read(package, self.called)
        suggested = asked.Suggested(("1.x",), lock.path, "of Yarn classic")
        return asked.resolve(
            self.name, self.called, wanted, suggested, offer,
            lambda version: ranges.satisfies(version, "1.x"),
        )  # fmt: skip

    def update(self, lock: Lock) -> tuple[str, ...]:
        """It reads the archives of all packages, and so would fetch them all the same."""
        return ()

    def ignores_scripts(self, tree: Tree, config: Mapping[str, str]) -> bool:
        files = ((tree.read(name, _FILE_BYTES_MAX) or b"") for name in self.configuration)
        said = [t for name, t in config.items() if name.lower() == "npm_config_ignore_scripts"]
        return said[-1].strip() == "true" if said else any(map(_IGNORES.search, files))

    def probe(self, package: Manifest, lock: Lock) -> tuple[str, ...]:
        return installed.probe()

    def pruning(self, lock: Lock) -> tuple[str, ...]:
        """Its own would fetch all packages once more."""
        return installed.prune(lock.workspaces)

    def run(self, script: str) -> tuple[str, ...]:
        return ("yarn", "run", script)

    def script(self, command: str, scripts: Mapping[str, str]) -> ScriptRun | None:
        return running.script("yarn", command, scripts, COMMANDS, before=True)

    def shown(self) -> Callable[[str], bool]:
        return lambda line: not _NOISE.match(line)


YARN: PackageManager = Yarn()
