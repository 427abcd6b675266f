"""pnpm behind the seam of package managers (`buildpacks.nodejs.package_manager`)."""

import re
import shlex
from collections.abc import Callable, Mapping

from buildpacks.findings import Notice
from buildpacks.nodejs import installed
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.package_manager import (
    Lock,
    ManagerOffer,
    PackageManager,
    ScriptRun,
    Typed,
)
from buildpacks.nodejs.pnpm import failures, lockfile, output, versions
from buildpacks.nodejs.processes import running
from buildpacks.nodejs.rules import Rule
from buildpacks.plan import ManagerVersion
from buildpacks.tree import Tree

_NPMRC_BYTES_MAX = 64 * 1024
_IGNORES = re.compile(rb"^\s*ignore-scripts\s*=\s*true\s*$", re.MULTILINE)
# fmt: off
_COMMANDS = frozenset((
    "add", "approve-builds", "audit", "bin", "cache", "ci", "config", "create", "dedupe", "deploy",
    "dlx", "env", "exec", "fetch", "help", "i", "import", "init", "install", "install-test", "it",
    "licenses", "link", "list", "ll", "ln", "ls", "outdated", "pack", "patch", "prune", "publish",
    "rb", "rebuild", "recursive", "remove", "rm", "root", "run", "self-update", "server", "setup",
    "store", "un", "uninstall", "unlink", "up", "update", "upgrade", "why",
))
# fmt: on


def _both(**settings: str) -> dict[str, str]:
    """pnpm reads `npm_config_…` until 10, `pnpm_config_…` from 11 on."""
    return {
        f"{tool}_config_{name}": text for tool in ("npm", "pnpm") for name, text in settings.items()
    }


class Pnpm:
    name = "pnpm"
    called = "pnpm"
    versions = "*"
    lock_files: tuple[str, ...] = (lockfile.FILE,)
    typed = Typed(
        install="pnpm install",
        add="pnpm add",
        add_dev="pnpm add --save-dev",
        keep="pnpm add --save-prod <wanted>",
        start="pnpm start",
        files=("package.json", lockfile.FILE),
        approve="pnpm install || true; pnpm approve-builds --all && "
        "git add package.json pnpm-*.yaml && git commit -m 'Let install scripts run'",
    )

    configuration: tuple[str, ...] = (".npmrc", lockfile.WORKSPACE)
    obeys = re.compile(
        r"p?npm_config_.*|npm_package_config_.*|C|CC|CXX|CFLAGS|CXXFLAGS|CPPFLAGS|LDFLAGS|GYP_.*",
        re.IGNORECASE,
    )

    install: tuple[str, ...] = (
        *("pnpm", "install", "--frozen-lockfile", "--prod=false", "--reporter=append-only"),
    )
    # The right version is there already, at whatever place a lock file or package.json asks for it.
    quiet: Mapping[str, str] = _both(
        manage_package_manager_versions="false",
        pm_on_fail="ignore",
        update_notifier="false",
        confirm_modules_purge="false",
        enable_global_virtual_store="false",
        # In minutes: what the lock file no longer has goes at once.
        modules_cache_max_age="0",
        verify_deps_before_run="false",
    )
    at_run: Mapping[str, str] = _both(
        manage_package_manager_versions="false",
        pm_on_fail="ignore",
        update_notifier="false",
        # Without dev dependencies they are not what the lock file says.
        verify_deps_before_run="false",
    )

    rebuild = installed.REBUILD
    rebuild_own = installed.REBUILD_OWN
    prunes_at: Mapping[str, str] = {"NPM_CONFIG_PRODUCTION": "true", "PNPM_SKIP_PRUNING": "false"}

    rules: tuple[Rule, ...] = failures.RULES
    warnings: tuple[Rule, ...] = failures.WARNINGS

    def owns(self, tree: Tree, lock_file: str) -> bool:
        return True

    def read(self, tree: Tree, package: Manifest) -> Lock:
        return lockfile.read(tree, package)

    def choose(
        self, package: Manifest, lock: Lock, nodejs: str, offer: ManagerOffer
    ) -> tuple[ManagerVersion, list[Notice]]:
        return versions.resolve(package, lock, nodejs, offer)

    def update(self, lock: Lock) -> tuple[str, ...]:
        """pnpm leaves in place what it hoisted for an earlier lock file, and nobody depends on."""
        hoisted = "rm -rf node_modules/.pnpm/node_modules"
        return ("sh", "-c", f"{hoisted} && {shlex.join(self.install)}")

    def ignores_scripts(self, tree: Tree, config: Mapping[str, str]) -> bool:
        npmrc = tree.read(".npmrc", _NPMRC_BYTES_MAX) or b""
        said = lockfile.settings(tree).get("ignoreScripts") == "true"
        names = ("npm_config_ignore_scripts", "pnpm_config_ignore_scripts")
        asked = [text for name, text in config.items() if name.lower() in names]
        return asked[-1].strip() == "true" if asked else said or bool(_IGNORES.search(npmrc))

    def probe(self, package: Manifest, lock: Lock) -> tuple[str, ...]:
        """pnpm 10 and later note what they did not run; before, package.json says it."""
        settings = package.fields.get("pnpm")
        found = settings if isinstance(settings, dict) else {}
        only = found.get("onlyBuiltDependencies") if lock.form < "9" else None
        return installed.probe(installed.built(only, found.get("neverBuiltDependencies")))

    def pruning(self, lock: Lock) -> tuple[str, ...]:
        return installed.prune(lock.workspaces)

    def run(self, script: str) -> tuple[str, ...]:
        return ("pnpm", "run", script)

    def script(self, command: str, scripts: Mapping[str, str]) -> ScriptRun | None:
        return running.script("pnpm", command, scripts, _COMMANDS, before=True)

    def shown(self) -> Callable[[str], bool]:
        return output.is_worth_showing


PNPM: PackageManager = Pnpm()
