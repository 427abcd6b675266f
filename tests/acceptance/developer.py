"""What a developer does: edits, commits, `git push`, asks the app. With the system's own git."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.acceptance.installation import Finished, Installation, run

PUSH_TIMEOUT_S = 120.0
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@localhost")
SAMPLES = Path(__file__).parent.parent / "samples"
PROBE = Path(__file__).parent / "samples" / "probe"


@dataclass(frozen=True)
class Developer:
    """A working copy of an app, and the platform that it is pushed to."""

    installation: Installation
    app: str
    folder: Path

    @property
    def address(self) -> str:
        return self.installation.address(self.app)

    def git(self, *words: str, check: bool = True, timeout_s: float = PUSH_TIMEOUT_S) -> Finished:
        done = run(
            ["git", *IDENTITY, *words],
            self.installation.developer,
            folder=self.folder,
            timeout_s=timeout_s,
        )
        assert done.status == 0 or not check, f"git {words}: {done.text}\n{self.installation.log()}"
        return done

    def paas(self, *words: str, check: bool = True) -> Finished:
        return self.installation.paas(*words, "--app", self.app, folder=self.folder, check=check)

    def copy(self, sample: Path) -> None:
        """Make the working copy equal to the sample, but for git's own folder."""
        for path in self.folder.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        # With the time of now: git takes a file of the same size, time and inode for the same.
        shutil.copytree(sample, self.folder, dirs_exist_ok=True, copy_function=shutil.copy)

    def write(self, **files: str) -> None:
        """File names with `__` for the dot, as Python has no dots in names."""
        for name, text in files.items():
            (self.folder / name.replace("__", ".")).write_text(text)

    def version(self, text: str) -> None:
        """Change the probe's one line."""
        path = self.folder / "server.js"
        found = re.sub(r"const version = '.*';", f"const version = '{text}';", path.read_text())
        path.write_text(found)

    def commit(self, message: str = "Change") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD").out.strip()

    def push(self, *words: str, check: bool = True, options: Sequence[str] = ()) -> Finished:
        return self.git(*options, "push", *(words or ("paas", "HEAD:main")), check=check)

    def release(self, version: str) -> Finished:
        """Commit and push another version of the probe."""
        self.version(version)
        self.commit(version)
        return self.push()

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a git command that goes on while the test does something else."""
        return subprocess.Popen(
            ["git", *IDENTITY, *words],
            cwd=self.folder,
            env=self.installation.developer,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def get(self, path: str = "/", *, timeout_s: float = 20.0) -> httpx.Response:
        return self._ask("GET", path, "", timeout_s)

    def post(self, path: str, body: str = "", *, timeout_s: float = 30.0) -> httpx.Response:
        """Unlike a GET, the router never sends it twice."""
        return self._ask("POST", path, body, timeout_s)

    def inside(self, script: str) -> dict[str, object]:
        """Run a shell script as the app, in the app's own zone: {status, stdout, stderr}."""
        answer = self.post("/run", script)
        assert answer.status_code == 200, answer.text
        result: dict[str, object] = answer.json()
        return result

    def _ask(self, method: str, path: str, body: str, timeout_s: float) -> httpx.Response:
        url = f"http://127.0.0.1:{self.installation.settings.router_port}{path}"
        headers = {"host": f"{self.app}.localhost"}
        with httpx.Client(trust_env=False, timeout=timeout_s) as client:
            return client.request(method, url, content=body, headers=headers)


def read_until(process: subprocess.Popen[str], text: str) -> str:
    """What a command writes on its standard error up to a line that has `text`."""
    assert process.stderr is not None
    seen = ""
    for line in process.stderr:
        seen += line
        if text in line:
            return seen
    raise AssertionError(f"{text!r} was never printed: {seen}")


def interrupt(process: subprocess.Popen[str]) -> str:
    """Ctrl-C: SIGINT to the whole foreground group; the rest of what it wrote."""
    os.killpg(process.pid, signal.SIGINT)
    _, rest = process.communicate(timeout=30)
    return rest


def remote_lines(done: Finished) -> list[str]:
    """What the platform printed, without git's `remote: ` and trailing blanks."""
    lines = [line for line in done.err.splitlines() if line.startswith("remote:")]
    return [line.removeprefix("remote:").removeprefix(" ").rstrip() for line in lines]
