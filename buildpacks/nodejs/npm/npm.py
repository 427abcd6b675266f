"""npm behind the seam of package managers (`buildpacks.nodejs.package_manager`)."""

import re
from collections.abc import Callable, Mapping

from buildpacks.findings import Notice
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.npm import failures, installed, lockfile, update, versions
from buildpacks.nodejs.npm.usage import WithoutUsage
from buildpacks.nodejs.package_manager import (
    Lock,
    ManagerOffer,
    PackageManager,
    ScriptRun,
    Typed,
)
from buildpacks.nodejs.rules import Rule
from buildpacks.plan import ManagerVersion
from buildpacks.tree import Tree

_NPMRC = ".npmrc"
_NPMRC_BYTES_MAX = 64 * 1024
_IGNORE = re.compile(r"^\s*ignore-scripts\s*=\s*(\w+)\s*$", re.MULTILINE)
_SCRIPT = re.compile(
    r"npm\s+(?:(?P<short>start)|(?:run|run-script)\s+(?P<name>[\w:.@/-]+))"
    r"(?:\s+--\s+(?P<rest>.*))?"
)


class Npm:
    name = "npm"
    called = "npm"
    versions = "*"
    typed = Typed(
        install="npm install",
        add="npm install",
        add_dev="npm install --save-dev",
        keep="npm install --save-prod <wanted>",
        start="npm start",
        files=("package.json", "package-lock.json"),
        approve="npm pkg set <'allowScripts[*]=true'> --json && git add package.json && "
        "git commit -m 'Let install scripts run'",
    )
    lock_files: tuple[str, ...] = lockfile.FILES

    configuration: tuple[str, ...] = (_NPMRC,)
    obeys = re.compile(
        r"npm_config_.*|npm_package_config_.*|C|CC|CXX|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|GYP_.*",
        re.IGNORECASE,
    )

    install: tuple[str, ...] = ("npm", "ci", "--include=dev")
    quiet: Mapping[str, str] = {
        "npm_config_audit": "false",
        "npm_config_fund": "false",
        "npm_config_progress": "false",
        "npm_config_update_notifier": "false",
    }

    rebuild = 'npm rebuild --include=dev "$@"'
    rebuild_own = "npm rebuild ./"
    at_run: Mapping[str, str] = {}
    prunes_at: Mapping[str, str] = {"NPM_CONFIG_PRODUCTION": "true"}

    rules: tuple[Rule, ...] = failures.RULES
    warnings: tuple[Rule, ...] = failures.WARNINGS

    def owns(self, tree: Tree, lock_file: str) -> bool:
        return True

    def read(self, tree: Tree, package: Manifest) -> Lock:
        return lockfile.read(tree, package)

    def choose(
        self, package: Manifest, lock: Lock, nodejs: str, offer: ManagerOffer
    ) -> tuple[ManagerVersion, list[Notice]]:
        return versions.resolve(package, nodejs, offer)

    def update(self, lock: Lock) -> tuple[str, ...]:
        return update.command(lock)

    def ignores_scripts(self, tree: Tree, config: Mapping[str, str]) -> bool:
        """A config var goes over the file."""
        npmrc = tree.read(_NPMRC, _NPMRC_BYTES_MAX) or b""
        found = _IGNORE.findall(npmrc.decode("utf-8", "replace"))
        variable = "npm_config_ignore_scripts"
        said = [text for name, text in config.items() if name.lower() == variable]
        return (said or found or ["false"])[-1].strip().lower() == "true"

    def probe(self, package: Manifest, lock: Lock) -> tuple[str, ...]:
        return installed.PROBE

    def pruning(self, lock: Lock) -> tuple[str, ...]:
        """Without scripts: `prepare` and the like often need what was just removed."""
        return ("npm", "prune", "--omit=dev", "--ignore-scripts")

    def run(self, script: str) -> tuple[str, ...]:
        return ("npm", "run", script)

    def script(self, command: str, scripts: Mapping[str, str]) -> ScriptRun | None:
        match = _SCRIPT.fullmatch(command)
        return ScriptRun(match["short"] or match["name"], match["rest"] or "") if match else None

    def shown(self) -> Callable[[str], bool]:
        return WithoutUsage().shows


NPM: PackageManager = Npm()
