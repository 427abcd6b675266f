"""Images derived from trees that a tenant wrote: confined, bounded, all or nothing."""

import asyncio
import contextlib
import os
import resource
import signal
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from paas.node.errors import NodeError
from paas.node.images.base import APP_ID
from paas.node.images.store import Images
from paas.node.machines import derive
from paas.node.machines.derive import Derivation
from paas.node.pools import sparse_file
from paas.node.pools.btrfs import BtrfsPool
from paas.node.pools.interface import explain
from paas.node.zone import cgroups, classes
from paas.settings import Settings
from paas.system.processes import wait_exit
from tests.names import own_name
from tests.paas.node.images.streams import file, link, stream
from tests.processes import has_ended

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: pools, namespaces and cgroups"),
    pytest.mark.timeout(60),
]
ORIGIN, IMAGE = (str(uuid.UUID(int=number)) for number in (1, 2))
GIVEN = {"uuid": IMAGE, "name": "derived"}
QUOTA_BYTES = 8 * 1024**2


class Deriving:
    """A pool with an origin, and what is derived from it."""

    def __init__(self, settings: Settings, images: Images) -> None:
        self.settings = settings
        self.images = images

    @property
    def app(self) -> Path:
        return self.images.pool.path(IMAGE) / "root/app"

    def origin(self, fill: Callable[[Path], None] = lambda app: None) -> None:
        def whole(root: Path) -> None:
            app = root / "app"
            app.mkdir()
            fill(app)
            for base, folders, files in os.walk(app):
                for name in [".", *folders, *files]:
                    os.lchown(Path(base, name), APP_ID, APP_ID)

        self.images.create({"uuid": ORIGIN, "name": "origin"}, whole)

    async def run(self, descriptor: int) -> dict[str, Any]:
        derivation = Derivation(ORIGIN, GIVEN, QUOTA_BYTES, descriptor)
        return await derive.run(self.settings, self.images, derivation)

    def derive(self, data: bytes) -> dict[str, Any]:
        async def story() -> dict[str, Any]:
            reading, writing = os.pipe()
            sending = asyncio.ensure_future(asyncio.to_thread(send, writing, data))
            try:
                return await self.run(reading)
            finally:
                os.close(reading)
                await sending

        return asyncio.run(story())

    def left(self) -> list[str]:
        """What is in the pool beside the origin."""
        root = self.images.pool.root
        folders = (root, root / ".snapshots", root / ".images")
        names = [entry.name for folder in folders for entry in folder.iterdir()]
        return [name for name in names if not name.startswith((".", ORIGIN))]


def send(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(descriptor, "wb") as pipe:
        pipe.write(data)


@pytest.fixture
def deriving(tmp_path: Path) -> Iterator[Deriving]:
    settings = Settings(installation=own_name("test-derive"))
    sparse_file.open_file(tmp_path / "pool.img", tmp_path / "zones", 256 * 1024**2)
    try:
        yield Deriving(settings, Images(BtrfsPool(tmp_path / "zones")))
    finally:
        sparse_file.close(tmp_path / "zones", tmp_path / "pool.img")
        cgroups.remove(f"/{settings.installation}/builds")
        classes.remove(settings.installation)


def test_an_image_is_another_one_with_the_differences(deriving: Deriving) -> None:
    deriving.origin(lambda app: (app / "gone").write_text("1"))
    made = deriving.derive(stream([b"gone"], [file(b"a/b", b"2", 0o755), link(b"l", b"/x")]))
    assert made["name"] == "derived"
    assert sorted(path.name for path in deriving.app.rglob("*")) == ["a", "b", "l"]
    status = (deriving.app / "a/b").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (APP_ID, APP_ID, 0o755)
    assert deriving.images.pool.snapshots(IMAGE) == ["final"]
    assert (deriving.images.pool.path(ORIGIN) / "root/app/gone").exists()


def test_the_same_again_reads_nothing_and_is_the_same(deriving: Deriving) -> None:
    deriving.origin()
    made = deriving.derive(stream([], [file(b"a")]))
    assert deriving.derive(b"") == made


def test_an_origin_that_is_not_there_leaves_nothing(deriving: Deriving) -> None:
    with pytest.raises(NodeError, match="is not installed"):
        deriving.derive(stream())
    assert deriving.left() == []


def hostile(app: Path) -> None:
    for name, target in (
        ("etc", "/etc"),
        ("up", "../../../../../../../../tmp"),
        ("proc", "/proc/1/root"),
        ("self", "/proc/self/fd/2"),
    ):
        (app / name).symlink_to(target)
    os.mkfifo(app / "pipe")
    (app / "locked/in").mkdir(parents=True)
    (app / "locked").chmod(0)
    (app / "many").mkdir()
    for number in range(5000):
        (app / f"many/{number}").touch()
    (app / "one").write_text("one")
    os.link(app / "one", app / "other")


def test_a_hostile_tree_is_written_inside_or_not_at_all(deriving: Deriving, tmp_path: Path) -> None:
    outside = Path("/tmp/derived")
    deriving.origin(hostile)
    names = (b"etc", b"up", b"proc", b"self", b"pipe", b"locked/in", b"many")
    members = [file(name + b"/derived", b"1") for name in names]
    deriving.derive(stream([b"up/derived", b"one"], [*members, file(b"other", b"2")]))
    for name in names:
        assert (deriving.app / os.fsdecode(name) / "derived").read_text() == "1"
    assert (deriving.app / "other").read_text() == "2"
    assert not outside.exists()
    assert not Path("/etc/derived").exists()
    assert (deriving.images.pool.path(ORIGIN) / "root/app/one").read_text() == "one"


@pytest.mark.parametrize(
    "data",
    [
        stream([b"../../../etc/hosts"]),
        stream([], [file(b"/etc/derived")]),
        stream([], [file(b"a/../../b")]),
        stream([], [file(b"a")])[:700],
        b"nonsense",
        b"",
    ],
)
def test_a_stream_that_is_none_leaves_nothing(deriving: Deriving, data: bytes) -> None:
    deriving.origin()
    with pytest.raises(NodeError) as refused:
        deriving.derive(data)
    assert refused.value.code == "DeriveFailed"
    assert deriving.left() == []


def test_what_belongs_to_others_in_the_tree_stays_theirs(deriving: Deriving) -> None:
    deriving.origin()
    deriving.images.delete(ORIGIN)

    def root_owned(root: Path) -> None:
        (root / "app/ours").mkdir(parents=True)
        os.chown(root / "app", APP_ID, APP_ID)

    deriving.images.create({"uuid": ORIGIN, "name": "origin"}, root_owned)
    with pytest.raises(NodeError, match=r"Permission denied|not permitted"):
        deriving.derive(stream([], [file(b"ours/x")]))
    assert deriving.left() == []


def test_no_more_than_the_quota_is_written(deriving: Deriving) -> None:
    deriving.origin()
    with pytest.raises((NodeError, OSError)) as refused:
        deriving.derive(stream([], [file(b"a", os.urandom(QUOTA_BYTES + 1))]))
    error = refused.value
    assert isinstance(error, NodeError) or explain(error, deriving.images.pool) is not None
    assert deriving.left() == []


def test_who_writes_is_shut_in_and_ends_with_its_caller(deriving: Deriving) -> None:
    deriving.origin()
    asyncio.run(look_at_the_writer(deriving))
    assert deriving.left() == []


def test_who_writes_ends_with_the_node(deriving: Deriving) -> None:
    deriving.origin()
    reading, writing = unending()
    node = os.fork()
    if node == 0:
        with contextlib.suppress(BaseException):
            asyncio.run(deriving.run(reading))
        os._exit(1)
    try:
        outer, inner = asyncio.run(writer(deriving))
        os.kill(node, signal.SIGKILL)
        os.waitpid(node, 0)

        async def end() -> None:
            async with asyncio.timeout(10):
                await asyncio.gather(wait_exit(outer), wait_exit(inner))

        asyncio.run(end())
    finally:
        os.close(reading)
        os.close(writing)
    assert Images(deriving.images.pool).sweep() != []
    assert deriving.left() == []


async def look_at_the_writer(deriving: Deriving) -> None:
    reading, writing = unending()
    task = asyncio.ensure_future(deriving.run(reading))
    try:
        outer, inner = await writer(deriving)
        assert_shut_in(inner, deriving.settings)
    finally:
        task.cancel()
        await asyncio.wait({task})
        os.close(reading)
        os.close(writing)
    assert task.cancelled()
    assert has_ended(outer)
    assert has_ended(inner)


def assert_shut_in(pid: int, settings: Settings) -> None:
    status = {
        name: value.split()
        for name, _, value in (line.partition(":") for line in told(pid, "status").splitlines())
    }
    assert (set(status["Uid"]), set(status["Gid"])) == ({str(APP_ID)}, {str(APP_ID)})
    assert status["Groups"] == []
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[kind][0], 16) == 0, kind
    assert (status["NoNewPrivs"], status["NSpid"][-1]) == (["1"], "1")
    for kind in ("mnt", "net", "ipc", "uts", "pid", "cgroup"):
        ours, its = (Path(f"/proc/{of}/ns/{kind}").readlink() for of in ("self", pid))
        assert ours != its, kind
    (mount,) = (line.split() for line in told(pid, "mountinfo").splitlines())
    assert mount[4] == "/"
    assert {"nosuid", "nodev", "noexec"} <= set(mount[5].split(","))
    kinds = open_files(pid)
    pipes = [name for name in kinds if name.startswith("pipe:")]
    assert len(pipes) == 2, kinds
    assert set(kinds) - set(pipes) <= {"null", "app", "a"}
    assert f"/{settings.installation}/builds/images" in told(pid, "cgroup")


def told(pid: int, name: str) -> str:
    return Path(f"/proc/{pid}/{name}").read_text()


def test_a_node_with_many_descriptors_gives_none_away(deriving: Deriving) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 10_000:
        pytest.skip("no so many descriptors are allowed here")

    deriving.origin()
    resource.setrlimit(resource.RLIMIT_NOFILE, (10_000, hard))
    many = [os.open(os.devnull, os.O_RDONLY) for _ in range(6000)]
    try:
        asyncio.run(look_at_the_writer(deriving))
    finally:
        for descriptor in many:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def unending() -> tuple[int, int]:
    """A stream whose file `a` has begun, and of which no more comes; both ends."""
    reading, writing = os.pipe()
    os.write(writing, stream([], [file(b"a", b"1" * 600)])[:1000])
    return reading, writing


async def writer(deriving: Deriving) -> tuple[int, int]:
    """The two processes, once the inner one waits for more of the file `a`: shut in by then."""
    (entrance, *_) = cgroups.entrances(f"/{deriving.settings.installation}/builds/images")
    async with asyncio.timeout(40):
        while True:
            with contextlib.suppress(OSError):
                pids = {int(pid) for pid in entrance.read_text().split()}
                for inner in pids:
                    if len(pids) == 2 and "a" in open_files(inner):
                        (outer,) = pids - {inner}
                        return outer, inner
            await asyncio.sleep(0.01)


def open_files(pid: int) -> list[str]:
    return [entry.readlink().name for entry in Path(f"/proc/{pid}/fd").iterdir()]
