"""Berry behind the seam of package managers (`buildpacks.nodejs.package_manager`)."""

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace

from buildpacks import ranges
from buildpacks.findings import Notice
from buildpacks.nodejs import asked, installed
from buildpacks.nodejs.berry import failures, lockfile
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.package_manager import Lock, ManagerOffer, PackageManager, ScriptRun
from buildpacks.nodejs.rules import Rule
from buildpacks.nodejs.yarn import lockfile as yarn_lock
from buildpacks.nodejs.yarn.yarn import OBEYS, TYPED
from buildpacks.plan import ManagerVersion
from buildpacks.tree import Tree

OLDEST = "2.0.0"
_FORMS = {
    "4": ("2.x", "3.0.x"),
    "5": ("3.1.x",),
    "6": (">=3.2 <4",),
    "7": (">=4.0 <4.14",),
    "8": (">=4.0 <4.14",),
    "9": ("4.14.x",),
    "10": (">=4.15 <5",),
}
"""Which Yarn writes which form of lock file: any other would change it, and so refuses."""
_SUPPORTS = (("2.x", ">=12 <18"), ("3.x", ">=12"), ("4.x", ">=18.12"))
_NOISE = re.compile(
    r"➤ YN00(?:00: (?:┌|└|│ (?:ESM support|$))|02|07|13|60|61|66|85|86)|➤ YN0092|\(node:\d+\) \[DEP"
    r"|\(Use `node --trace"
)
_INSTALL = """
yarn install --immutable || exit
! test -e .pnp.cjs || exec node -e "$1"
"""


class Berry:
    name = "berry"
    called = "yarn"
    versions = ">=2"
    typed = replace(
        TYPED,
        approve="npm pkg set <'dependenciesMeta[*].built=true'> --json && yarn install && "
        "git add package.json yarn.lock && git commit -m 'Let install scripts run'",
    )
    lock_files: tuple[str, ...] = (yarn_lock.FILE,)

    configuration: tuple[str, ...] = (lockfile.SETTINGS,)
    obeys = OBEYS

    install: tuple[str, ...] = ("sh", "-c", _INSTALL, "sh", installed.PNP_COMMANDS)
    # It refuses to work under a variable that it does not know: these were there from 2 on.
    quiet: Mapping[str, str] = {
        "YARN_ENABLE_TELEMETRY": "false",
        "YARN_ENABLE_PROGRESS_BARS": "false",
        "YARN_ENABLE_COLORS": "false",
        "YARN_ENABLE_INLINE_BUILDS": "true",
    }
    at_run: Mapping[str, str] = {"YARN_ENABLE_TELEMETRY": "false"}

    rebuild = installed.REBUILD
    rebuild_own = installed.REBUILD_OWN
    prunes_at: Mapping[str, str] = {"NPM_CONFIG_PRODUCTION": "true", "YARN2_SKIP_PRUNING": "false"}

    rules: tuple[Rule, ...] = failures.RULES
    warnings: tuple[Rule, ...] = failures.WARNINGS

    def owns(self, tree: Tree, lock_file: str) -> bool:
        return yarn_lock.is_of_berry(tree)

    def read(self, tree: Tree, package: Manifest) -> Lock:
        return lockfile.read(tree, package)

    def choose(
        self, package: Manifest, lock: Lock, nodejs: str, offer: ManagerOffer
    ) -> tuple[ManagerVersion, list[Notice]]:
        """A Yarn in the repository (yarnPath) is run by any other: so which one hardly matters."""
        wanted = asked.read(package, self.called)
        fitting = _FORMS.get(lock.form, ("*",))
        suggested = asked.Suggested(fitting, lock.path, f"version {lock.form}" if lock.form else "")
        return asked.resolve(
            self.name, self.called, wanted, suggested, offer,
            lambda version: _supports(version, nodejs),
        )  # fmt: skip

    def update(self, lock: Lock) -> tuple[str, ...]:
        """It reads the archives of all packages, and so would fetch them all the same."""
        return ()

    def ignores_scripts(self, tree: Tree, config: Mapping[str, str]) -> bool:
        """It may still run those of packages that package.json names: the probe asks Yarn."""
        return False

    def probe(self, package: Manifest, lock: Lock) -> tuple[str, ...]:
        meta = package.fields.get("dependenciesMeta")
        found = {
            str(name): each["built"]
            for name, each in (meta.items() if isinstance(meta, dict) else ())
            if isinstance(each, dict) and isinstance(each.get("built"), bool)
        }
        all_but = installed.built(never=[name for name, built in found.items() if not built])
        only = installed.built(only=[name for name, built in found.items() if built])
        return installed.probe_after(
            'if test "$(yarn config get enableScripts)" = true; '
            f"then echo {shlex.quote(all_but)}; else echo {shlex.quote(only)}; fi"
        )

    def pruning(self, lock: Lock) -> tuple[str, ...]:
        """Its own would fetch all packages once more."""
        return installed.prune(lock.workspaces)

    def run(self, script: str) -> tuple[str, ...]:
        return ("yarn", "run", script)

    def script(self, command: str, scripts: Mapping[str, str]) -> ScriptRun | None:
        """The words are classic's, which has answered before."""
        return None

    def shown(self) -> Callable[[str], bool]:
        return lambda line: not _NOISE.match(line)


def _supports(version: str, nodejs: str) -> bool:
    node = next((node for major, node in _SUPPORTS if ranges.satisfies(version, major)), "*")
    return ranges.satisfies(nodejs, node) and ranges.satisfies(version, ">=2")


BERRY: PackageManager = Berry()
