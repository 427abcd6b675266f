"""Apps of package managers beside npm: their lock files are made by the managers themselves."""

import json
from pathlib import Path
from typing import Any

from tests import npm_commands
from tests.paas.builder.apps import App
from tests.paas.builder.packages import packed
from tests.paas.node.conftest import RunningNode

SERVER = """
const { createServer } = require('http');
const answer = () => %s;
createServer((_, out) => out.end(`${answer()}`)).listen(process.env.PORT);
"""

GENERATES = {
    "install.js": """
    const fs = require('fs');
    const schema = fs.readFileSync(`${process.env.INIT_CWD}/schema.txt`, 'utf8').trim();
    fs.writeFileSync('generated.js', `module.exports = ${JSON.stringify(schema)}`);
    """,
    "index.js": "module.exports = require('./generated.js')",
    "package.json": '{"name": "client", "version": "1.0.0", '
    '"scripts": {"postinstall": "node install.js"}}',
}
"""As Prisma's client does: its install script reads a file of the app."""


class ManagedApp(App):
    """`manager` is what npx fetches (`pnpm@10`)."""

    def __init__(self, node: RunningNode, folder: Path, manager: str) -> None:
        super().__init__(node, folder)
        self.manager = manager
        # Berry takes CI for a reason to leave its lock file alone; pnpm 12 looks for the one in
        # packageManager, with its binaries for every system, which not every registry has.
        own = {
            "YARN_ENABLE_IMMUTABLE_INSTALLS": "false",
            "YARN_ENABLE_TELEMETRY": "false",
            "pnpm_config_pm_on_fail": "ignore",
            "npm_config_manage_package_manager_versions": "false",
        }
        self.environment = npm_commands.environment(folder / "bin") | own

    @property
    def called(self) -> str:
        """Its command."""
        name = self.manager.rpartition("@")[0]
        return "yarn" if name == "@yarnpkg/cli-dist" else name

    def package(self, answer: str, **fields: Any) -> None:
        scripts = {"start": "node server.js", **fields.pop("scripts", {})}
        package = {"name": "app", "version": "1.0.0", "scripts": scripts, **fields}
        self.repository.write("package.json", json.dumps(package, indent=2))
        self.repository.write("server.js", SERVER % answer)
        self.repository.write(".gitignore", "node_modules\n")

    def type(self, command: str) -> str:
        """What a developer types, in the work tree."""
        return npm_commands.run(command, self.repository.work, self.environment, 300)

    def follow(self, hint: str) -> str:
        """The first line of a hint, as it stands: its program is the app's package manager."""
        program = Path(self.environment["PATH"].partition(":")[0], self.called)
        program.write_text(f'#!/bin/sh\nexec {self._command} "$@"\n')
        program.chmod(0o755)
        return self.type(hint.splitlines()[0])

    def archive(self, path: str, files: dict[str, str]) -> None:
        """A dependency as `npm pack` makes one."""
        self.repository.write_bytes(path, packed(files))

    def tell(self, arguments: str) -> str:
        return self.type(f"{self._command} {arguments}")

    @property
    def _command(self) -> str:
        return f"npx --yes --package {self.manager} {self.called}"
