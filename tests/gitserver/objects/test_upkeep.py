"""What must hold over months: few packs, a warm process that comes back, nothing left by a kill."""

import asyncio
import fcntl
import os
import signal
import threading
from pathlib import Path

import pytest

import gitserver
from gitserver import Limits, trees
from gitserver.jobs import JobDied, Jobs
from gitserver.objects.tidying import PACKS_MAX
from gitserver.paths import parse
from tests.gitserver.conftest import Git, Server, Serving, children, wait_for, warm_processes
from tests.processes import has_ended

JOBS = {"check": 2, "fetch": 2, "tidy": 1}


def packs(server: Server) -> int:
    return len(list((server.path() / "objects" / "pack").glob("*.pack")))


def test_many_pushes_leave_few_packs_and_readers_notice_nothing(
    server: Server, git: Git, tmp_path: Path
) -> None:
    git.commit({f"file{n}.js": f"{n}\n" for n in range(30)})
    git.run("push", "-q", server.url(), "main")
    stop, failures, reads = threading.Event(), [], []

    def read() -> None:
        while not stop.is_set():
            try:
                tip = trees.resolve(server.path(), "main") or ""
                reads.append(len(list(trees.entries(server.path(), tip))))
                trees.tree_bytes(server.path(), tip)
            except Exception as error:
                failures.append(error)
                raise

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(PACKS_MAX + 5):
        git.commit({"server.js": f"{number}\n"})
        git.run("push", "-q", server.url(), "main")
    wait_for(lambda: packs(server) < PACKS_MAX // 2)
    stop.set()
    reader.join(20)

    assert failures == []
    assert reads
    copy = git.at(tmp_path / "copy")
    copy.run("clone", "-q", server.url(), ".")
    assert copy.text("rev-list", "main") == git.text("rev-list", "main")


def test_the_warm_process_comes_back_after_a_kill(server: Server, git: Git) -> None:
    git.run("push", "-q", server.url(), "main")
    (warm,) = warm_processes()
    os.kill(warm, signal.SIGKILL)
    wait_for(lambda: has_ended(warm))
    git.commit({"server.js": "two\n"})
    git.run("push", "-q", server.url(), "main")
    assert trees.resolve(server.path(), "main") == git.text("rev-parse", "main")


def test_a_killed_check_refuses_the_push_and_the_next_one_works(
    server: Server, git: Git, tmp_path: Path
) -> None:
    killed: list[int] = []
    (warm,) = warm_processes()

    def kill() -> None:
        while not killed:
            for job in children(warm):
                os.kill(job, signal.SIGKILL)
                killed.append(job)

    git.commit({"random.bin": os.urandom(20_000_000)})
    killer = threading.Thread(target=kill)
    killer.start()
    shown = git.error("push", server.url(), "main")
    killer.join(20)
    assert "unpacker error" in shown
    git.run("push", "-q", server.url(), "main")


def test_a_start_removes_what_a_killed_server_left(tmp_path: Path) -> None:
    server = Server(tmp_path / "repositories")
    left = server.repositories / ".incoming" / "push-x"
    left.mkdir(parents=True)
    (left / "received.pack").write_bytes(b"half")
    with Serving(server, Limits()):
        assert not left.exists()


def test_the_warm_process_ends_with_its_owner(tmp_path: Path) -> None:
    async def run() -> None:
        jobs = Jobs(JOBS)
        await jobs.start()
        assert len(warm_processes()) == 1
        await jobs.aclose()
        assert warm_processes() == []

    asyncio.run(run())


def test_a_job_over_its_time_ends(tmp_path: Path) -> None:
    trees.init(tmp_path / "a.git")
    request = {"job": "tidy", "repository": str(tmp_path / "a.git"), "folder": str(tmp_path)}
    request |= {"memory_bytes": 2**30, "cpu_s": 10, "wall_s": 60}

    async def run() -> None:
        jobs = Jobs(JOBS)
        async with jobs.job(request) as job:
            await job.wait()
        with (tmp_path / "a.git" / "gitserver.tidy.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(JobDied):
                async with asyncio.timeout(30):
                    async with jobs.job(request | {"wall_s": 1}) as job:
                        await job.wait()
        await jobs.aclose()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/hello.git/info/refs", True),
        ("/hello/git-upload-pack", True),
        ("/my-app-2.git/git-receive-pack", True),
        ("/hello", False),
        ("/apps/hello", False),
        ("/apps/hello/info/refs", False),
        ("/.git/info/refs", False),
        ("/../info/refs", False),
        ("/a%2e/info/refs", False),
        ("/hello.git/info/refs/x", False),
        ("/hello.git/info/refs\n", False),
    ],
)
def test_paths_of_others_are_left_to_them(path: str, expected: bool) -> None:
    assert gitserver.matches(path) is expected


def test_names_do_not_keep_the_suffix() -> None:
    for path in ("/hello.git/info/refs", "/hello/info/refs"):
        target = parse(path)
        assert target is not None and target.name == "hello"
