"""Bare repositories with commits of sample apps, made by git itself."""

import os
import shutil
import subprocess
from pathlib import Path

from gitserver import trees

SAMPLES = Path(__file__).parents[2] / "samples"
PLAIN = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null"}
"""Whatever the host's own git is set up to do, as git-lfs sets it up."""
IDENTITY = ("-c", "user.name=test", "-c", "user.email=test@localhost")


class Repository:
    """A work tree, and the bare repository that a push would have filled."""

    def __init__(self, folder: Path, sample: str | None = None) -> None:
        self.work = folder / "work"
        self.path = folder / "app.git"
        if sample is None:
            self.work.mkdir(parents=True)
        else:
            skipped = shutil.ignore_patterns("node_modules", "dist")
            shutil.copytree(SAMPLES / sample, self.work, ignore=skipped)
        self._git("init", "--quiet", "--initial-branch=main")
        trees.init(self.path)

    def write(self, path: str, content: str) -> None:
        self.write_bytes(path, content.encode())

    def write_bytes(self, path: str, content: bytes) -> None:
        file = self.work / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def replace(self, path: str, old: str, new: str) -> None:
        text = (self.work / path).read_text()
        assert old in text
        self.write(path, text.replace(old, new))

    def remove(self, path: str) -> None:
        (self.work / path).unlink()

    def add_submodule(self, path: str) -> None:
        """As git records one: the commit of another repository at a path."""
        self._git("add", "--all")
        self._git(*IDENTITY, "commit", "--quiet", "-m", "before")
        head = self._git("rev-parse", "HEAD").strip()
        (self.work / path).mkdir(parents=True)
        self._git("update-index", "--add", "--cacheinfo", f"160000,{head},{path}")

    def commit(self) -> str:
        """Everything as it is; the commit's id, once the bare repository has it."""
        self._git("add", "--all")
        self._git(*IDENTITY, "commit", "--quiet", "--allow-empty", "-m", "change")
        self._git("push", "--quiet", "--force", str(self.path), "HEAD:refs/heads/main")
        return self._git("rev-parse", "HEAD").strip()

    def clear(self) -> None:
        """Nothing of the work tree is left."""
        for entry in self.work.iterdir():
            if entry.name != ".git":
                is_folder = entry.is_dir() and not entry.is_symlink()
                shutil.rmtree(entry) if is_folder else entry.unlink()

    def check_out(self, folder: Path) -> None:
        """The last commit's files as git itself writes them into a new folder."""
        folder.mkdir()
        self._git("checkout-index", "--all", f"--prefix={folder}/")

    def _git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.work,
            env=os.environ | PLAIN,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
