"""Images over real pools: their life, their pins, and what a kill between any two lines leaves."""

import contextlib
import errno
import io
import os
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from paas.node.errors import ImageError
from paas.node.images.store import Images
from paas.node.pools import sparse_file
from paas.node.pools.btrfs import BtrfsPool
from paas.node.pools.dir import DirPool
from paas.node.pools.interface import Pool

IMAGE, OTHER, MACHINE = (str(uuid.UUID(int=number)) for number in (1, 2, 3))
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts and subvolumes")
DRIVERS = ["dir", pytest.param("btrfs", marks=[pytest.mark.root, as_root])]


@contextlib.contextmanager
def opened(driver: str, folder: Path) -> Iterator[Pool]:
    if driver == "dir":
        yield DirPool(folder / "zones")
        return
    sparse_file.open_file(folder / "pool.img", folder / "zones", 256 * 1024**2)
    try:
        yield BtrfsPool(folder / "zones")
    finally:
        sparse_file.close(folder / "zones", folder / "pool.img")


@pytest.fixture(params=DRIVERS)
def pool(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pool]:
    with opened(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def images(pool: Pool) -> Images:
    return Images(pool)


def given(image: str = IMAGE, **fields: Any) -> dict[str, Any]:
    return {"uuid": image, "name": "hello", **fields}


def fill(root: Path) -> None:
    (root / "app").mkdir()
    (root / "app/server.js").write_text("one")


def make_machine(pool: Pool) -> None:
    pool.clone(IMAGE, MACHINE)
    (pool.path(MACHINE) / "beside").write_text("no part of the userland")
    (pool.path(MACHINE) / "config").mkdir()
    (pool.path(MACHINE) / "root/app/built").write_text("yes")


def archive(**files: bytes) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    stream.seek(0)
    return stream


def test_an_image_is_listed_with_its_whole_manifest(images: Images) -> None:
    made = images.create(given(tags={"smartplatform:role": "app"}), fill)
    assert images.list() == [made]
    assert images.get(IMAGE) == made
    assert (made["v"], made["type"], made["os"], made["state"]) == (
        2,
        "lx-dataset",
        "linux",
        "active",
    )


def test_clones_carry_the_userland_and_nothing_else(images: Images) -> None:
    images.create(given(), fill)
    images.pool.clone(IMAGE, MACHINE)
    assert [entry.name for entry in images.pool.path(MACHINE).iterdir()] == ["root"]
    assert (images.pool.path(MACHINE) / "root/app/server.js").read_text() == "one"


def test_the_same_image_again_is_that_image_and_another_is_refused(images: Images) -> None:
    made = images.create(given(), fill)
    assert images.create(given(), lambda root: pytest.fail("it was made twice")) == made
    with pytest.raises(ImageError) as refused:
        images.create(given(name="other"), fill)
    assert refused.value.code == "ImageUuidAlreadyExists"


def test_an_image_that_is_being_made_is_not_made_twice(images: Images) -> None:
    def meanwhile(root: Path) -> None:
        with pytest.raises(ImageError, match="being made"):
            images.create(given(), fill)

    images.create(given(), meanwhile)
    assert len(images.list()) == 1


def test_an_image_is_not_made_on_one_that_is_gone(images: Images) -> None:
    with pytest.raises(ImageError, match=f"needs image {IMAGE}") as refused:
        images.create(given(OTHER, tags={"smartplatform:stack": IMAGE}), fill)
    assert refused.value.code == "ImageNotInstalled"
    assert (images.list(), images.pool.list()) == ([], [])


def test_an_image_that_one_being_made_needs_is_not_deleted(images: Images) -> None:
    images.create(given(), fill)

    def meanwhile(root: Path) -> None:
        with pytest.raises(ImageError, match=f"needed by image {OTHER}"):
            images.delete(IMAGE)

    images.create(given(OTHER, tags={"smartplatform:stack": IMAGE}), meanwhile)
    assert {image["uuid"] for image in images.list()} == {IMAGE, OTHER}


class Failing:
    """A pool whose device fails at one call."""

    def __init__(self, pool: Pool, method: str) -> None:
        self._pool, self._method = pool, method

    def __getattr__(self, name: str) -> Any:
        if name != self._method:
            return getattr(self._pool, name)
        self._method = ""
        raise OSError(errno.EIO, f"{name} failed")


def test_a_deletion_that_failed_is_finished_by_the_next(images: Images) -> None:
    images.create(given(), fill)
    whole, images.pool = images.pool, Failing(images.pool, "destroy")  # type: ignore[assignment]
    with pytest.raises(OSError, match="destroy failed"):
        images.delete(IMAGE)
    images.pool = whole
    assert whole.list() == [IMAGE]
    images.delete(IMAGE)
    assert (whole.list(), images.sweep()) == ([], [])


def test_an_image_made_again_after_its_deletion_failed_outlives_a_restart(images: Images) -> None:
    images.create(given(), fill)
    whole, images.pool = images.pool, Failing(images.pool, "destroy")  # type: ignore[assignment]
    with pytest.raises(OSError, match="destroy failed"):
        images.delete(IMAGE)
    images.pool = whole
    made = images.create(given(name="again"), lambda root: (root / "two").touch())  # type: ignore[arg-type]
    again = Images(whole)
    again.sweep()
    assert again.list() == [made]
    assert [path.name for path in (whole.path(IMAGE) / "root").iterdir()] == ["two"]


@pytest.mark.parametrize("method", ["rename", "snapshots", "snapshot", "set_quota"])
def test_a_machine_whose_conversion_failed_becomes_the_image_at_the_next_try(
    images: Images, method: str
) -> None:
    images.create(given(), fill)
    make_machine(images.pool)
    whole, images.pool = images.pool, Failing(images.pool, method)  # type: ignore[assignment]
    with pytest.raises(OSError, match=f"{method} failed"):
        images.create_from_machine(MACHINE, given(OTHER), keep_machine=False)
    images.pool = whole
    made = images.create_from_machine(MACHINE, given(OTHER), keep_machine=False)
    assert images.get(OTHER) == made
    assert whole.list() == [IMAGE, OTHER]
    assert (whole.path(OTHER) / "root/app/built").read_text() == "yes"
    assert whole.snapshots(OTHER) == ["final"]


def test_a_failure_leaves_nothing_and_can_be_tried_again(images: Images) -> None:
    with pytest.raises(ZeroDivisionError):
        images.create(given(), lambda root: print(1 // 0))
    assert (images.list(), images.pool.list()) == ([], [])
    images.create(given(), fill)


def test_a_manifest_that_is_not_valid_is_refused_in_words(images: Images) -> None:
    with pytest.raises(ImageError, match="name can't be 'ä'") as refused:
        images.create(given(name="ä"), fill)
    assert refused.value.code == "InvalidManifest"


@pytest.mark.parametrize("name", [IMAGE, "../../etc/passwd", "x", ""])
def test_an_unknown_image_is_not_installed(images: Images, name: str) -> None:
    for call in (images.get, images.delete):
        with pytest.raises(ImageError) as refused:
            call(name)
        assert refused.value.code == "ImageNotInstalled"


def test_an_image_of_a_machine_that_runs_on(images: Images) -> None:
    images.create(given(), fill)
    make_machine(images.pool)
    images.create_from_machine(MACHINE, given(OTHER), keep_machine=True)
    (images.pool.path(MACHINE) / "root/app/built").write_text("later")
    images.pool.clone(OTHER, "copy")
    assert (images.pool.path("copy") / "root/app/built").read_text() == "yes"
    assert [entry.name for entry in images.pool.path("copy").iterdir()] == ["root"]
    assert (images.pool.path(MACHINE) / "beside").exists()
    assert images.pool.snapshots(MACHINE) == []


def test_a_machine_becomes_an_image_without_a_copy(images: Images) -> None:
    images.create(given(), fill)
    make_machine(images.pool)
    inode = (images.pool.path(MACHINE) / "root/app/built").stat().st_ino
    images.create_from_machine(MACHINE, given(OTHER), keep_machine=False)
    assert (images.pool.path(OTHER) / "root/app/built").stat().st_ino == inode
    assert images.pool.list() == [IMAGE, OTHER]
    images.create_from_machine(MACHINE, given(OTHER), keep_machine=False)
    with pytest.raises(ImageError) as refused:
        images.create_from_machine(MACHINE, given(str(uuid.UUID(int=9))), keep_machine=False)
    assert refused.value.code == "VmNotFound"
    assert len(images.list()) == 2


def test_an_image_that_another_needs_is_not_deleted(images: Images) -> None:
    images.create(given(), fill)
    images.create(given(OTHER, tags={"smartplatform:runtime": IMAGE}), fill)
    with pytest.raises(ImageError) as refused:
        images.delete(IMAGE)
    assert refused.value.code == "ImageHasDependentImages"
    images.delete(OTHER)
    images.delete(IMAGE)


def test_a_strangers_archive_becomes_an_image(images: Images) -> None:
    images.import_tar(given(), archive(readme=b"hello"), 1, "opt/thing")
    assert (images.pool.path(IMAGE) / "root/opt/thing/readme").read_bytes() == b"hello"


def test_a_bad_archive_leaves_nothing(images: Images) -> None:
    with pytest.raises(ImageError):
        images.import_tar(given(), io.BytesIO(b"no archive"), 1, "opt/thing")
    assert (images.list(), images.pool.list()) == ([], [])


def killed_at(step: int, action: Callable[[], object]) -> bool:
    """Whether a child that runs the action came to its n-th line, where it ends at once."""
    child = os.fork()
    if child == 0:
        count = 0

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            nonlocal count
            if "/paas/node/" not in frame.f_code.co_filename:
                return None
            if event == "line":
                count += 1
                if count == step:
                    os._exit(9)
            return trace

        try:
            sys.settrace(trace)
            action()
            os._exit(0)
        finally:
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in {0, 9}
    return code == 9


def check_whole(images: Images) -> None:
    """Every dataset is an image with its @final or a machine with its file; no other records."""
    known = {image["uuid"] for image in images.list()}
    for name in images.pool.list():
        machine = (images.pool.path(name) / "beside").exists()
        assert (name in known) != machine, name
        assert images.pool.snapshots(name) == ([] if machine else ["final"])
    assert known <= set(images.pool.list())
    records = {entry.name for entry in (images.pool.root / ".images").iterdir()}
    assert records == {f"{image}.json" for image in known}


STRIDES = {"btrfs": 3, "dir": 5}
"""A part of the lines must do where every one takes long; all of them with `PAAS_KILL_POINTS`."""
ACTIONS: dict[str, tuple[Callable[[Images], object], set[str]]] = {
    "create": (lambda images: images.create(given(OTHER), fill), {MACHINE}),
    "copy": (lambda images: images.create_from_machine(MACHINE, given(OTHER), True), {MACHINE}),
    "convert": (lambda images: images.create_from_machine(MACHINE, given(OTHER), False), set()),
    "delete": (lambda images: images.delete(IMAGE), {MACHINE}),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_a_kill_between_any_two_lines_leaves_all_or_nothing(images: Images, name: str) -> None:
    """The step grows until the action gets through, so that lines were the last one in turn."""
    action, kept = ACTIONS[name]
    stride = 1 if "PAAS_KILL_POINTS" in os.environ else STRIDES[images.pool.driver]
    step = 1 - stride
    while True:
        step += stride
        for leftover in images.pool.list():
            images.pool.destroy(leftover)
        for record in (images.pool.root / ".images").iterdir():
            record.unlink()
        images.create(given(), fill)
        make_machine(images.pool)
        killed = killed_at(step, lambda: action(images))
        images.sweep()
        check_whole(images)
        gone = not images.pool.exists(MACHINE)
        assert not gone or (MACHINE not in kept and images.get(OTHER)["uuid"] == OTHER)
        if not killed:
            break
    assert step > 20
