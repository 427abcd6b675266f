"""Streams of differences applied to plain folders: right for every commit, and harmless.

That nothing outside is reached when all of this fails is tried in `machines/test_derive.py`.
"""

import contextlib
import os
import stat
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paas.builder import checkout
from paas.node.images import differences
from paas.node.images.differences import Bounds, Refused
from tests.paas.builder.repositories import Repository
from tests.paas.node.images.streams import archive, file, link, stream

BOUNDS = Bounds(1024**2, 1000)


def apply(data: bytes, folder: Path, bounds: Bounds = BOUNDS) -> None:
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    with tempfile.TemporaryFile() as source:
        source.write(data)
        source.seek(0)
        try:
            differences.apply(source.fileno(), opened, bounds)
        finally:
            os.close(opened)


def tree(folder: Path) -> dict[bytes, tuple[str, bytes]]:
    """Path → kind with permissions, and content or target. Names are bytes, and links links."""
    found = {}
    for base, folders, files in os.walk(os.fsencode(folder)):
        for name in [*folders, *files]:
            path = os.path.join(base, name)  # noqa: PTH118
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                content = os.readlink(path)  # noqa: PTH115
            else:
                content = Path(os.fsdecode(path)).read_bytes() if stat.S_ISREG(mode) else b""
            shown = "link" if stat.S_ISLNK(mode) else stat.filemode(mode)
            found[os.path.relpath(path, os.fsencode(folder))] = (shown, content)
    return found


def test_files_links_and_deletions(tmp_path: Path) -> None:
    apply(
        stream([], [file(b"a/b", b"1", 0o755), file(b"a/c"), link(b"l", b"/etc"), file(b"x")]),
        tmp_path,
    )
    assert tree(tmp_path) == {
        b"a": ("drwxr-xr-x", b""),
        b"a/b": ("-rwxr-xr-x", b"1"),
        b"a/c": ("-rw-r--r--", b""),
        b"l": ("link", b"/etc"),
        b"x": ("-rw-r--r--", b""),
    }
    assert (tmp_path / "x").stat().st_mtime == 1_000_000_000
    apply(stream([b"a/b", b"a/c", b"nothing/here"], [file(b"l", b"2")]), tmp_path)
    assert tree(tmp_path) == {b"l": ("-rw-r--r--", b"2"), b"x": ("-rw-r--r--", b"")}


@pytest.mark.parametrize(
    "name",
    [b"", b"/etc/x", b"../x", b"a/../../x", b"a//b", b"./a", b"a/.", b"a/", b"x" * 4097],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: bytes) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    for data in (stream([name]), stream([], [file(name)]), stream([], [link(name, b"/")])):
        with pytest.raises(Refused, match=r"no name inside|a name of"):
            apply(data, inside)
    assert tree(tmp_path) == {b"inside": ("drwxr-xr-x", b"")}


def test_a_name_twice_is_what_it_was_last(tmp_path: Path) -> None:
    members = [file(b"a", b"1"), link(b"a", b"/etc/hosts"), file(b"a/b", b"2"), file(b"a", b"3")]
    apply(stream([b"a", b"a"], members), tmp_path)
    assert tree(tmp_path) == {b"a": ("-rw-r--r--", b"3")}


def test_links_in_the_tree_are_replaced_and_never_followed(tmp_path: Path) -> None:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (outside / "kept").write_text("kept")
    for name, target in (("up", "../outside"), ("whole", str(outside)), ("loop", "loop")):
        (inside / name).symlink_to(target)
    (inside / "file").symlink_to("../outside/kept")
    os.link(outside / "kept", inside / "hard")
    new = [file(b"up/kept", b"1"), file(b"loop/x"), file(b"file", b"2"), file(b"hard", b"3")]
    apply(stream([b"whole/kept", b"up/kept"], new), inside)
    assert (outside / "kept").read_text() == "kept"
    assert [entry.name for entry in outside.iterdir()] == ["kept"]
    assert (inside / "up/kept").read_text() == "1"
    assert (inside / "whole").is_symlink()


def test_pipes_and_locked_folders_hold_nothing_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(tmp_path / "folder")
    (tmp_path / "locked/deep").mkdir(parents=True)
    (tmp_path / "locked/deep/file").touch()
    (tmp_path / "locked/deep").chmod(0)
    (tmp_path / "locked").chmod(0o500)
    apply(stream([b"locked/deep/other"], [file(b"pipe", b"1"), file(b"folder/x", b"2")]), tmp_path)
    apply(stream([], [file(b"locked", b"3")]), tmp_path)
    assert tree(tmp_path) == {
        b"pipe": ("-rw-r--r--", b"1"),
        b"folder": ("drwxr-xr-x", b""),
        b"folder/x": ("-rw-r--r--", b"2"),
        b"locked": ("-rw-r--r--", b"3"),
    }


def test_a_folder_deeper_than_any_path_can_be_removed(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("deep", dir_fd=here)
        below = os.open("deep", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    apply(stream([b"deep"]), tmp_path)
    assert tree(tmp_path) == {}


def test_many_files_where_one_has_to_be(tmp_path: Path) -> None:
    for number in range(3000):
        (tmp_path / f"a/{number % 7}").mkdir(parents=True, exist_ok=True)
        (tmp_path / f"a/{number % 7}/{number}").touch()
    apply(stream([], [file(b"a", b"1")]), tmp_path)
    assert tree(tmp_path) == {b"a": ("-rw-r--r--", b"1")}


def test_no_more_is_written_than_the_bounds_say(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="more than 3 bytes"):
        apply(stream([], [file(b"a", b"12"), file(b"b", b"34")]), tmp_path, Bounds(3, 10))
    with pytest.raises(Refused, match="more than 2 names"):
        apply(stream([b"a"], [file(b"b"), file(b"c")]), tmp_path, Bounds(3, 2))


def test_whatever_ends_too_early_or_not_at_all_is_refused(tmp_path: Path) -> None:
    whole = stream([b"gone"], [file(b"a", b"1" * 600), link(b"b", b"x" * 300)])
    end = whole.rindex(b"ustar") + 255
    for length in range(0, end, 7):
        with pytest.raises(Refused, match="too early"):
            apply(whole[:length], tmp_path)
    with pytest.raises(Refused, match="goes on"):
        apply(whole + b"\0" * 32 * 1024**2, tmp_path)


@pytest.mark.parametrize("kind", [b"1", b"3", b"4", b"5", b"6", b"7", b"S", b"x", b"g", b"V"])
def test_only_files_and_symbolic_links_are_taken(tmp_path: Path, kind: bytes) -> None:
    member = file(b"a")
    member.type = kind
    member.linkname = "b"
    with pytest.raises(Refused, match="entry of type"):
        apply(struct.pack("!I", 0) + archive([member]), tmp_path)


@given(st.binary(max_size=2000))
def test_any_bytes_are_refused_or_harmless(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        inside = Path(name) / "inside"
        inside.mkdir()
        with contextlib.suppress(Refused, OSError):
            apply(struct.pack("!I", 0) + data, inside)
        assert [entry.name for entry in Path(name).iterdir()] == ["inside"]


NAME = st.one_of(
    st.sampled_from([b"a", b"b", b"-rf", b"sp ace\n", b"\xff\xfe", b"x" * 120]),
    st.binary(min_size=1, max_size=6).filter(
        lambda name: not {b"/"[0], 0} & set(name) and name not in (b".", b"..")
    ),
).filter(lambda name: b"git" not in name.lower() and b"~" not in name)
CONTENT = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=40)),
    st.tuples(st.just("run"), st.binary(max_size=3)),
    st.tuples(st.just("link"), st.binary(min_size=1, max_size=120).filter(lambda t: 0 not in t)),
)
TREES = st.dictionaries(st.lists(NAME, min_size=1, max_size=3).map(b"/".join), CONTENT, max_size=8)


def lay(root: Path, wanted: dict[bytes, tuple[str, bytes]]) -> None:
    """A work tree that has as much of this as goes together."""
    for path, (kind, content) in wanted.items():
        place = Path(os.fsdecode(os.fsencode(root) + b"/" + path))
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            if kind == "link":
                place.symlink_to(os.fsdecode(content))
                continue
            with place.open("xb") as out:
                out.write(content)
        except OSError:
            continue
        place.chmod(0o755 if kind == "run" else 0o644)


@settings(max_examples=25, deadline=None)
@given(TREES, TREES)
def test_what_differences_make_is_what_git_checks_out(
    old: dict[bytes, tuple[str, bytes]], new: dict[bytes, tuple[str, bytes]]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        repository = Repository(Path(name))
        lay(repository.work, old)
        first = repository.commit()
        made = Path(name) / "made"
        made.mkdir()
        change(repository, None, first, made)
        before = checked_out(repository, Path(name) / "first")
        assert tree(made) == before
        repository.clear()
        lay(repository.work, new)
        second = repository.commit()
        change(repository, first, second, made)
        assert tree(made) == checked_out(repository, Path(name) / "second")
        change(repository, second, first, made)
        assert tree(made) == before


def change(repository: Repository, old: str | None, new: str, made: Path) -> None:
    prepared = checkout.prepare(
        repository.path, new, old, whole=False, npmrc=b"", modules=None, large={}
    )
    with tempfile.TemporaryFile() as out:
        prepared.write_differences(out)
        out.seek(0)
        apply(out.read(), made)


def checked_out(repository: Repository, folder: Path) -> dict[bytes, tuple[str, bytes]]:
    repository.check_out(folder)
    return tree(folder)
