"""A real server on loopback and the real `git` command, each with a home and folders of its own."""

import asyncio
import base64
import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import uvicorn

import gitserver
from gitserver import Found, Limits, NotFoundMessage, Push, trees
from gitserver.interface import Receive, Scope, Send

TOKEN = "secret-token"
GIT_TIMEOUT_S = 60
_CLOCK_S = count(1_750_000_000)
"""No two commits of a test in one second: in which order git walks those is nowhere said, and with
it what a fetch tells the server first."""

Judge = Callable[[Push], Awaitable[Mapping[str, str | None]]]


async def accept_all(push: Push) -> Mapping[str, str | None]:
    return {update.name: None for update in push.updates}


@dataclass
class Server:
    """`judge` may be replaced by a test; `pushes` are those that were judged; `fsck` is how git
    itself looks at the repositories in the end."""

    repositories: Path
    port: int = 0
    judge: Judge = accept_all
    pushes: list[Push] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    fsck: tuple[str, ...] = ("--full", "--strict", "--no-dangling")
    serving: "Serving" = field(init=False)

    def url(self, name: str = "hello", credentials: str = f"any:{TOKEN}@") -> str:
        return f"http://{credentials}127.0.0.1:{self.port}/{name}.git"

    def path(self, name: str = "hello") -> Path:
        return self.repositories / f"{name}.git"

    async def authenticate(
        self, authorization: str | None, scope: Scope, pushes: bool
    ) -> str | None:
        expected = base64.b64encode(f"any:{TOKEN}".encode()).decode()
        return "dev" if authorization == f"Basic {expected}" else None

    async def find(self, name: str, user: str) -> Found | NotFoundMessage:
        if self.path(name).exists():
            return Found(self.path(name))
        return NotFoundMessage(
            f"There is no app {name}. Did you mean hello?\nTo make it:\n\n    paas create {name}\n"
        )

    async def accept(self, push: Push) -> Mapping[str, str | None]:
        self.pushes.append(push)
        return await self.judge(push)


@dataclass
class Git:
    """The command, in one folder."""

    folder: Path
    home: Path

    def run(
        self,
        *arguments: str | bytes,
        code: int | None = 0,
        stdin: bytes | None = None,
        timeout_s: float = GIT_TIMEOUT_S,
        **variables: str,
    ) -> subprocess.CompletedProcess[bytes]:
        result = subprocess.run(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment | variables,
            input=stdin,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
        assert code is None or result.returncode == code, result.stderr.decode(errors="replace")
        return result

    def begin(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one that goes on while the test does something else."""
        return subprocess.Popen(
            ["git", *arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def text(self, *arguments: str, **variables: str) -> str:
        return self.run(*arguments, **variables).stdout.decode(errors="surrogateescape").strip()

    def error(self, *arguments: str, code: int = 1, **variables: str) -> str:
        return self.run(*arguments, code=code, **variables).stderr.decode(errors="replace")

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_COMMITTER_DATE": f"{next(_CLOCK_S)} +0000",
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.com",
            "LC_ALL": "C.UTF-8",
        }

    def commit(self, files: Mapping[str, bytes | str], message: str = "A change") -> str:
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.run("add", "-A")
        self.run("commit", "-q", "--allow-empty", "-m", message)
        return self.text("rev-parse", "HEAD")

    def at(self, folder: Path) -> "Git":
        folder.mkdir(parents=True, exist_ok=True)
        return Git(folder, self.home)


@pytest.fixture
def limits() -> Limits:
    """Overridden by tests of limits."""
    return Limits(keep_alive_s=0.2, progress_wait_s=0.5)


@pytest.fixture
def server(tmp_path: Path, limits: Limits) -> Iterator[Server]:
    """Serves `hello.git`; afterwards every repository must be sound and nothing left over."""
    server = Server(tmp_path / "repositories")
    trees.init(server.path())
    with Serving(server, limits):
        yield server
    assert list((server.repositories / ".incoming").glob("*")) == []
    for repository in server.repositories.glob("*.git"):
        fsck = subprocess.run(
            ["git", "-C", str(repository), "fsck", *server.fsck],
            capture_output=True,
            timeout=GIT_TIMEOUT_S,
            check=False,
        )
        assert fsck.returncode == 0, fsck.stderr


class Serving:
    """Runs the server in a thread with a loop of its own."""

    def __init__(self, server: Server, limits: Limits) -> None:
        self.app = gitserver.application(
            repositories=server.repositories,
            authenticate=server.authenticate,
            find=server.find,
            accept=server.accept,
            limits=limits,
        )
        self.server = server
        server.serving = self
        config = uvicorn.Config(
            self._asgi, port=0, log_level="warning", interface="asgi3", lifespan="off"
        )
        self.uvicorn = uvicorn.Server(config)
        self.thread = threading.Thread(target=self._run)

    async def _asgi(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.server.requests.append(f"{scope['method']} {scope['path']}")
        await self.app(scope, receive, send)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        await self.app.start()
        try:
            await self.uvicorn.serve()
        finally:
            await self.app.aclose()

    def __enter__(self) -> None:
        self.thread.start()
        deadline = time.monotonic() + 60
        while not self.uvicorn.started:
            assert self.thread.is_alive() and time.monotonic() < deadline
            time.sleep(0.01)
        self.server.port = self.uvicorn.servers[0].sockets[0].getsockname()[1]

    def __exit__(self, *_: object) -> None:
        self.uvicorn.should_exit = True
        self.thread.join(60)
        assert not self.thread.is_alive()


@pytest.fixture
def git(tmp_path: Path) -> Git:
    """A work tree with one commit on main."""
    home = tmp_path / "home"
    home.mkdir()
    git = Git(tmp_path / "work", home)
    git.folder.mkdir()
    git.run("init", "-q", "-b", "main")
    git.commit({"server.js": "console.log('one')\n", "lib/a.js": "a\n"}, "First")
    return git


def wait_for(condition: Callable[[], bool], timeout_s: float = 60) -> None:
    """Polls, because the other side is a thread with a loop of its own."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def warm_processes() -> list[int]:
    """Those of this process: other tests may have children of their own."""
    return [pid for pid in children(os.getpid()) if b"gitserver.jobserver" in _command(pid)]


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def children(parent: int) -> list[int]:
    """The processes that have this parent."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, ppid = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(ppid) == parent and state != "Z":
                found.append(int(folder.name))
    return found
