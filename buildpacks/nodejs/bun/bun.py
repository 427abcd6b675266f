"""Bun's installer behind the seam of package managers (`buildpacks.nodejs.package_manager`).

It is the runtime as well, of the same version: whatever installs, its commands may run.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from buildpacks.findings import Notice
from buildpacks.nodejs import asked, installed
from buildpacks.nodejs.bun import failures, lockfile
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
from buildpacks.plan import ManagerVersion
from buildpacks.tree import Tree

OLDEST = "1.0.0"
_NPMRC_BYTES_MAX = 64 * 1024
_IGNORES = re.compile(rb"^\s*(?:ignore-scripts|ignoreScripts)\s*=\s*true", re.MULTILINE)
_NOISE = re.compile(
    r"Resolving dependencies|Resolved, downloaded and extracted|Saved lockfile|bun install v"
)
# fmt: off
_COMMANDS = frozenset((
    "a", "add", "audit", "build", "c", "create", "exec", "feedback", "help", "i", "info", "init",
    "install", "link", "outdated", "patch", "patch-commit", "pm", "publish", "remove", "repl", "rm",
    "run", "test", "unlink", "update", "upgrade", "why", "x",
))
# fmt: on
_UNTRUSTED = (
    "bun pm untrusted | node -e \"const names = require('fs').readFileSync(0, 'utf8').split('\\n')"
    ".map((line) => (/node_modules\\/((?:@[^\\/ ]+\\/)?[^\\/ ]+) @/.exec(line) || [])[1])"
    '.filter(Boolean); console.log(JSON.stringify({ never: names }))"'
)
"""Bun's own list of those whose scripts it did not run."""


class Bun:
    name = "bun"
    called = "bun"
    versions = "*"
    typed = Typed(
        install="bun install",
        add="bun add",
        add_dev="bun add --dev",
        keep="bun remove <name> && bun add <wanted>",
        start="bun run start",
        files=("package.json", "bun.lock"),
        approve="bun install && bun pm trust <*> && git add package.json bun.lock && "
        "git commit -m 'Let install scripts run'",
    )
    lock_files: tuple[str, ...] = lockfile.FILES

    configuration: tuple[str, ...] = (".npmrc", "bunfig.toml")
    obeys = re.compile(
        r"bun_config_.*|npm_config_.*|npm_package_config_.*|C|CC|CXX|CFLAGS|CXXFLAGS|CPPFLAGS"
        r"|LDFLAGS|GYP_.*",
        re.IGNORECASE,
    )

    install: tuple[str, ...] = ("bun", "install", "--frozen-lockfile", "--no-progress")
    quiet: Mapping[str, str] = {"DO_NOT_TRACK": "1"}
    at_run: Mapping[str, str] = {}

    rebuild = installed.REBUILD
    rebuild_own = installed.REBUILD_OWN
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
        suggested = asked.Suggested(("1.x", "*"), lock.path, "the newest")
        read = asked.read(package, self.called)
        wanted = replace(read, ranges={**read.ranges, **lock.asked})
        return asked.resolve(
            self.name, self.called, wanted, suggested, offer, lambda _version: True
        )

    def update(self, lock: Lock) -> tuple[str, ...]:
        """It leaves packages in place that the lock file no longer has, and that are found."""
        return ()

    def ignores_scripts(self, tree: Tree, config: Mapping[str, str]) -> bool:
        files = ((tree.read(name, _NPMRC_BYTES_MAX) or b"") for name in self.configuration)
        return any(map(_IGNORES.search, files))

    def probe(self, package: Manifest, lock: Lock) -> tuple[str, ...]:
        return installed.probe_after(_UNTRUSTED)

    def pruning(self, lock: Lock) -> tuple[str, ...]:
        """Its own leaves in place what is there."""
        return installed.prune(lock.workspaces)

    def run(self, script: str) -> tuple[str, ...]:
        return ("bun", "run", script)

    def script(self, command: str, scripts: Mapping[str, str]) -> ScriptRun | None:
        found = running.script("bun", command, scripts, _COMMANDS, before=True)
        # `bun run index.ts` runs the file.
        is_file = found and found.name not in scripts and re.search(r"[./]", found.name)
        return None if is_file else found

    def shown(self) -> Callable[[str], bool]:
        return lambda line: not _NOISE.match(line)


BUN: PackageManager = Bun()
