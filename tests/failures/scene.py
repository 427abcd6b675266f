"""A failure as a developer meets it: an app that fails, what it is told, and the app once mended.

A scene is data. `Story` plays it: with the real git, npm, pnpm, Yarn and Bun, pushed to the real
platform, the hint followed to the letter. What the tools said then is kept (`sample`).
"""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paas.builder.nodejs import registry
from tests import npm_commands
from tests.acceptance.developer import Developer, remote_lines
from tests.acceptance.installation import until

COMMAND_TIMEOUT_S = 300.0
PUSH_TIMEOUT_S = 600.0
LINES_MAX = 150

SERVER = "require('http').createServer((_, out) => out.end('ok')).listen(process.env.PORT);\n"
_PROGRAMS = "git|npm|npx|pnpm|yarn|bun|paas|node|perl|rm|mv|echo|chmod|iconv|mkdir|cp|printf"
_VERSION = re.compile(r" {7}(?:Node\.js|Bun|Deno|npm|pnpm|yarn|bun) \d+\.\d+\.\d+(?:,| \(|$)")
_COMMAND = re.compile(rf"^(?:[A-Za-z(][^`]*?: +)?((?:{_PROGRAMS}) .*)$")


@dataclass(frozen=True)
class Scene:
    """An app that fails in `step`, for the reason `cause`.

    `package` are the fields of package.json, `types` the commands before the first commit, `tools`
    the package managers that the developer has (command → package and version). `says` has to be
    in the message. `edits` are changes of a file that the hint names by its new text: path →
    (before, after, what of it stands in the hint). `fills` are a hint's `<placeholders>`. With
    `keeps` the app is not mended by commands: the push passes by itself then.
    """

    name: str
    cause: str
    step: str
    package: Mapping[str, Any] = field(default_factory=dict)
    files: Mapping[str, str | None] = field(default_factory=dict)
    types: Sequence[str] = ()
    tools: Mapping[str, str] = field(default_factory=dict)
    config: Sequence[str] = ()
    says: Sequence[str] = ()
    edits: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    fills: Mapping[str, str] = field(default_factory=dict)
    exit: int | None = 1
    shows: str = "ok"
    manager: str = "npm"
    ignored: Sequence[str] = ()
    """Files that git does not take."""
    passes: bool = False
    """The push succeeds all the same, with a note."""
    takes_other: bool = False
    """The way of the lines that begin with "or"."""
    mendable: bool = True
    """False where no hint can be followed here: it wants another network."""

    def manifest(self) -> str:
        fields = {"name": "app", "version": "1.0.0", **self.package}
        return json.dumps(fields, indent=2) + "\n"


@dataclass(frozen=True)
class Told:
    """What a push said: the last step's own output, and the problems with their hints."""

    status: int
    lines: Sequence[str]

    @property
    def problems(self) -> list[str]:
        return [line[7:] for line in self.lines if line.startswith(" !     ")]

    @property
    def notes(self) -> list[str]:
        """Those of the build: a note's line and the lines of its hint can't be told apart."""
        found = [line[7:] for line in self.lines if line.startswith("       ")]
        starts = [number for number, line in enumerate(found) if line.startswith("Note: ")]
        return found[starts[0] :] if starts else []

    def commands(self, lines: Sequence[str]) -> list[str]:
        return [match[1] for line in lines if (match := _COMMAND.match(line.strip()))]

    @property
    def chosen(self) -> str:
        """The versions that the build had."""
        found = [line.strip() for line in self.lines if _VERSION.match(line)]
        return "; ".join(line.partition(",")[0].partition(" (")[0] for line in found)

    def output(self) -> list[str]:
        """Of the step that failed."""
        said: list[str] = []
        for line in self.lines:
            if line.startswith("-----> "):
                said = []
            elif line.startswith("       ") or not line:
                said.append(line[7:])
        return said[-LINES_MAX:]


class Story:
    def __init__(self, scene: Scene, developer: Developer, tools: Path) -> None:
        self.scene, self.developer = scene, developer
        self.environment = developer.installation.developer | npm_commands.told()
        self.environment["PATH"] = f"{tools}:{developer.installation.environment['PATH']}"
        self.environment |= {
            # Where a developer has the headers of Node.js, which node-gyp would fetch.
            "npm_config_nodedir": str(registry.npm_folder().parents[2]),
            "YARN_ENABLE_IMMUTABLE_INSTALLS": "false",
            "YARN_ENABLE_TELEMETRY": "false",
            "pnpm_config_pm_on_fail": "ignore",
            "npm_config_manage_package_manager_versions": "false",
        }

    def begin(self) -> None:
        """The working copy, committed as the developer has it."""
        scene, folder = self.scene, self.developer.folder
        for path in folder.iterdir():
            if path.name != ".git":
                path.unlink()
        files = {".gitignore": "node_modules\n", "server.js": SERVER, **scene.files}
        if "package.json" not in files:
            files = {"package.json": scene.manifest(), **files}
        for name, content in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            if content is not None:
                file.write_text(content)
        for command in scene.types:
            self.type(command)
        self.developer.commit("As it is")
        if scene.config:
            self.developer.paas("config:set", *scene.config)

    def type(self, command: str) -> None:
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=self.developer.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT_S,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def push(self) -> Told:
        done = self.developer.git(
            "push", "paas", "HEAD:main", check=False, timeout_s=PUSH_TIMEOUT_S
        )
        return Told(done.status, remote_lines(done) or done.text.splitlines())

    def follow(self, told: Told) -> None:
        """Every command of the hints as it stands, and every edit that they name."""
        lines = told.notes if self.scene.passes else told.problems
        lines = [line for line in lines if line.startswith("or ") == self.scene.takes_other]
        said = "\n".join((*told.problems, *told.notes))
        for path, (before, after, named) in self.scene.edits.items():
            assert named in said, f"the hint does not say {named!r}: {said}"
            file = self.developer.folder / path
            text = file.read_text() if file.exists() else ""
            assert before in text, f"{before!r} is not in {path}"
            file.write_text(text.replace(before, after) if before else text + after)
        for command in told.commands(lines):
            for placeholder, value in self.scene.fills.items():
                command = command.replace(placeholder, value)
            self.type(command)
        if self.scene.edits:
            self.developer.commit("As the hint says")

    def is_mended(self, told: Told) -> None:
        assert told.status == 0, "\n".join(told.lines)
        until(
            lambda: self.scene.shows in self.developer.get().text,
            30,
            lambda: f"{self.developer.get().text[:1000]}\n" + "\n".join(told.lines),
        )


def tools(folder: Path, wanted: Mapping[str, str]) -> Path:
    """A folder with the platform's npm and node, and a shim for each package manager."""
    npm_commands.environment(folder)
    for command, package in wanted.items():
        shim = folder / command
        shim.write_text(f'#!/bin/sh\nexec npx --yes --package {package} {command} "$@"\n')
        shim.chmod(0o755)
    return folder
