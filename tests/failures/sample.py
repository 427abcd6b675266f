"""What the tools really said, kept: the catalogue is judged by it whenever the tests run.

A sample begins with lines of its own (`# `): with which versions it was made, the step and its exit
code, the package manager, and package.json as it was committed.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tests.buildpacks.nodejs.trees import Files
from tests.failures.scene import SERVER, Scene, Told

FAILED = Path(__file__).parent / "samples"
_PACKAGE_URL = re.compile(r"https?://[^/\s]+/(?=(@[\w.-]+/)?[\w.-]+/-/[\w.-]+\.tgz)")
PASSED = FAILED / "passed"
"""The whole output of pushes that succeeded, once a hint was followed."""


@dataclass(frozen=True)
class Sample:
    step: str
    exit: int | None
    manager: str
    tree: Files
    output: str


def path(scene: Scene) -> Path:
    return FAILED / f"{scene.name}.txt"


def record(scene: Scene, told: Told, folder: Path) -> None:
    """`folder` is the working copy, as it was pushed."""
    manifest = folder / "package.json"
    fields = json.loads(manifest.read_text()) if manifest.exists() else {}
    head = {
        "made with": told.chosen,
        "step": scene.step,
        "exit": scene.exit,
        "manager": scene.manager,
        "package.json": fields,
    }
    lines = [f"# {name}: {json.dumps(value)}" for name, value in head.items()]
    path(scene).write_text(_anywhere("\n".join((*lines, *told.output()))) + "\n")


def record_passed(scene: Scene, told: Told) -> None:
    (PASSED / f"{scene.name}.txt").write_text(_anywhere("\n".join(told.lines)) + "\n")


def _anywhere(text: str) -> str:
    """Without the registry of the machine that recorded it: no rule may go by its name."""
    return _PACKAGE_URL.sub("https://registry.example/", text)


def read(scene: Scene) -> Sample:
    head: dict[str, object] = {}
    lines = path(scene).read_text().splitlines()
    while lines and lines[0].startswith("# "):
        name, _, value = lines.pop(0)[2:].partition(": ")
        head[name] = json.loads(value)
    files = {".gitignore": "", "server.js": SERVER, **scene.files}
    contents = {
        name: text for name, text in files.items() if text is not None and name not in scene.ignored
    }
    contents["package.json"] = json.dumps(head["package.json"])
    exit_ = head["exit"]
    return Sample(
        step=str(head["step"]),
        exit=exit_ if isinstance(exit_, int) else None,
        manager=str(head["manager"]),
        tree=Files(**contents),
        output="\n".join(lines),
    )
