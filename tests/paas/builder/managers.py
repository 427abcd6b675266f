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


class ManagedApp(App):
    """`manager` is what npx fetches (`pnpm@10`)."""

    def __init__(self, node: RunningNode, folder: Path, manager: str) -> None:
        super().__init__(node, folder)
        self.manager = manager
        self.environment = npm_commands.environment(folder / "bin")

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
        name = self.manager.partition("@")[0]
        program = Path(self.environment["PATH"].partition(":")[0], name)
        program.write_text(f'#!/bin/sh\nexec npx --yes {self.manager} "$@"\n')
        program.chmod(0o755)
        return self.type(hint.splitlines()[0])

    def archive(self, path: str, files: dict[str, str]) -> None:
        """A dependency as `npm pack` makes one."""
        self.repository.write_bytes(path, packed(files))

    def tell(self, arguments: str) -> str:
        return self.type(f"npx --yes {self.manager} {arguments}")
