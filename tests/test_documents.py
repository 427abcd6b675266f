"""What documents and comments say of the code's places is true: every path and folder is there."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.test_imports import LAYERS

CHECKOUT = Path(__file__).parent.parent
DOCUMENTS = ("ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "docs")
PATH = re.compile(
    r"(?<![\w./<{-])(?:paas|router|gitserver|buildpacks|tests|docs)/[\w./-]*\w(?![\w<{*])"
)


def documents() -> list[Path]:
    roots = [CHECKOUT / name for name in DOCUMENTS]
    return [path for root in roots for path in (sorted(root.rglob("*.md")) or [root])]


def sources() -> list[Path]:
    named = ["git", "ls-files", "*.py", "script/*", "benchmarks/*"]
    done = subprocess.run(
        named, cwd=CHECKOUT, capture_output=True, text=True, check=True, timeout=60
    )
    return [CHECKOUT / name for name in done.stdout.split()]


def is_there(name: str) -> bool:
    """`paas/node/pools`, `paas/settings.py`, or a module without its ending."""
    path = CHECKOUT / name
    return path.exists() or path.with_name(f"{path.name}.py").exists()


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_every_path_in_a_document_is_there(document: Path) -> None:
    assert [
        name
        for name in PATH.findall(document.read_text())
        if not name.endswith(".sock") and not is_there(name)
    ] == []


def test_every_python_file_that_the_code_speaks_of_is_there() -> None:
    bad = {
        (path.name, name)
        for path in sources()
        if path.is_file() and path != Path(__file__)
        for name in PATH.findall(path.read_text())
        if name.endswith((".py", ".md")) and not is_there(name)
    }
    assert bad == set()


@pytest.mark.parametrize("package", LAYERS)
def test_the_map_has_every_folder(package: str) -> None:
    text = (CHECKOUT / "ARCHITECTURE.md").read_text()
    assert [name for row in LAYERS[package] for name in row if f"{name}/" not in text] == []
