"""Reading commits that the real git made, and making, pointing and deleting repositories."""

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from gitserver import trees
from gitserver.trees import Changes, Entry
from tests.gitserver.conftest import Git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    path = tmp_path / "bare.git"
    trees.init(path)
    return path


def store(git: Git, repository: Path) -> str:
    """Puts main into the bare repository without a server."""
    git.run("push", "-q", "-f", f"file://{repository}", "main")
    return git.text("rev-parse", "main")


def test_init_makes_a_repository_that_git_takes(repository: Path) -> None:
    subprocess.run(["git", "-C", str(repository), "fsck", "--strict"], check=True, timeout=20)
    assert (repository / "HEAD").read_text() == "ref: refs/heads/main\n"
    trees.set_ref(repository, "refs/heads/none", None)


def test_init_can_be_repeated_and_delete_too(repository: Path, git: Git) -> None:
    commit = store(git, repository)
    trees.init(repository)
    assert trees.resolve(repository, "main") == commit
    trees.delete(repository)
    trees.delete(repository)
    assert list(repository.parent.glob("*bare*")) == []


def test_refs_tags_and_ids_are_resolved_to_commits(repository: Path, git: Git) -> None:
    git.run("tag", "-a", "v1", "-m", "One")
    commit = store(git, repository)
    git.run("push", "-q", f"file://{repository}", "v1")
    names = ("main", "refs/heads/main", "HEAD", "v1", "refs/tags/v1", commit, commit[:7])
    assert {trees.resolve(repository, name) for name in names} == {commit}
    tree = git.text("rev-parse", "main^{tree}")
    for name in (
        "nope",
        "../../etc/passwd",
        "",
        "a..b",
        "0" * 40,
        tree,
        commit[:3],
        tree[:7],
        "config",
    ):
        assert trees.resolve(repository, name) is None


def test_set_ref_points_creates_and_deletes(repository: Path, git: Git) -> None:
    commit = store(git, repository)
    trees.set_ref(repository, "refs/heads/other", commit)
    assert trees.resolve(repository, "other") == commit
    trees.set_ref(repository, "refs/heads/other", None)
    assert trees.resolve(repository, "other") is None


def test_the_subject_is_the_first_line(repository: Path, git: Git) -> None:
    git.commit({"a": "a"}, "Größer und schöner\n\nDetails")
    commit = store(git, repository)
    assert trees.commit_subject(repository, commit) == "Größer und schöner"
    with pytest.raises(KeyError):
        trees.commit_subject(repository, "1" * 40)


def test_files_are_read_by_name_and_nothing_else_is(repository: Path, git: Git) -> None:
    (git.folder / "link").symlink_to("server.js")
    commit = store_commit(git, repository, {"package.json": "{}", "lib/deep/x": "x"})
    assert trees.read_file(repository, commit, "package.json", 10) == b"{}"
    assert trees.read_file(repository, commit, "lib/deep/x", 10) == b"x"
    for name in ("nope", "lib", "link", "link/x", "package.json/x", "", "/", "../x", "lib//deep"):
        assert trees.read_file(repository, commit, name, 10) is None
    with pytest.raises(ValueError, match="over the limit of 1"):
        trees.read_file(repository, commit, "package.json", 1)


def store_commit(git: Git, repository: Path, files: dict[str, bytes | str]) -> str:
    git.commit(files)
    return store(git, repository)


def test_entries_are_those_of_ls_tree(repository: Path, git: Git) -> None:
    (git.folder / "link").symlink_to("/etc/passwd")
    (git.folder / os.fsdecode(b"caf\xe9")).write_text("x")
    (git.folder / "run.sh").write_text("x")
    (git.folder / "run.sh").chmod(0o755)
    commit = store_commit(git, repository, {"a-b/c": "1", "a/b/c": "2", "a.txt": "3"})
    raw = git.run("ls-tree", "-r", "-z", commit).stdout.split(b"\0")[:-1]
    expected = []
    for line in raw:
        head, path = line.split(b"\t", 1)
        mode, _, id = head.split()
        expected.append(Entry(path, int(mode, 8), id.decode()))
    assert list(trees.entries(repository, commit)) == expected


def test_changes_turn_one_commit_into_another(repository: Path, git: Git) -> None:
    old = store_commit(git, repository, {"same": "s", "edit": "1", "gone/x": "x", "kind": "file",
                                         "folder/a": "a", "mode": "m"})  # fmt: skip
    git.run("rm", "-q", "-r", "gone", "kind", "folder")
    (git.folder / "mode").chmod(0o755)
    (git.folder / "folder").write_text("now a file")
    (git.folder / "link").symlink_to("edit")
    new = store_commit(git, repository, {"edit": "2", "new/y": "y", "kind/now": "folder"})

    found = trees.changes(repository, old, new)
    assert sorted(entry.path for entry in found.changed) == [
        b"edit", b"folder", b"kind/now", b"link", b"mode", b"new/y",
    ]  # fmt: skip
    assert sorted(found.deleted) == [b"folder/a", b"gone/x", b"kind"]
    assert apply(repository, list(trees.entries(repository, old)), found) == {
        entry.path: entry for entry in trees.entries(repository, new)
    }


def apply(repository: Path, before: list[Entry], changes: Changes) -> dict[bytes, Entry]:
    files = {entry.path: entry for entry in before if entry.path not in changes.deleted}
    return files | {entry.path: entry for entry in changes.changed}


def test_without_an_old_commit_everything_changed(repository: Path, git: Git) -> None:
    commit = store(git, repository)
    found = trees.changes(repository, None, commit)
    assert {e.path for e in found.changed} == {b"server.js", b"lib/a.js"}
    assert found.deleted == []
    assert trees.changes(repository, commit, commit) == Changes([], [])


def test_a_file_that_became_a_link_is_deleted_first(repository: Path, git: Git) -> None:
    old = store_commit(git, repository, {"x": "x"})
    (git.folder / "x").unlink()
    (git.folder / "x").symlink_to("server.js")
    found = trees.changes(repository, old, store_commit(git, repository, {}))
    assert (found.deleted, [e.path for e in found.changed]) == ([b"x"], [b"x"])


def test_a_tar_unpacks_to_the_commit(repository: Path, git: Git, tmp_path: Path) -> None:
    long = "d" * 120 + "/" + "f" * 120
    (git.folder / "link").symlink_to("lib/a.js")
    (git.folder / os.fsdecode(b"caf\xe9")).write_text("latin")
    (git.folder / "run.sh").write_text("#!/bin/sh\n")
    (git.folder / "run.sh").chmod(0o755)
    commit = store_commit(git, repository, {long: "long", "größe": "utf-8", "empty": ""})
    with (tmp_path / "out.tar").open("wb") as out:
        submodules = trees.write_tar(
            repository, trees.entries(repository, commit), out, modified_s=1_700_000_000
        )
    assert submodules == []
    target = tmp_path / "unpacked"
    target.mkdir()
    subprocess.run(["tar", "-xf", tmp_path / "out.tar", "-C", target], check=True, timeout=20)
    subprocess.run(
        ["diff", "-r", "--no-dereference", "-x", ".git", git.folder, target], check=True, timeout=20
    )
    assert (target / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (target / "empty").stat().st_mtime == 1_700_000_000
    assert (target / "link").is_symlink()


def test_submodules_are_reported_and_left_out(repository: Path, git: Git) -> None:
    git.run("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/lib")
    git.run("commit", "-q", "-m", "Submodule")
    commit = store(git, repository)
    out = io.BytesIO()
    assert trees.write_tar(repository, trees.entries(repository, commit), out) == [b"vendor/lib"]
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as tar:
        assert sorted(tar.getnames()) == ["lib/a.js", "server.js"]


def test_the_size_of_a_tree_is_the_sum_of_its_files(repository: Path, git: Git) -> None:
    lines = "".join(f"line {n}\n" for n in range(5000))
    git.commit({"a/long.txt": lines})
    commit = store_commit(git, repository, {"a/long.txt": lines + "x", "b": "12345"})
    git.run("--git-dir", str(repository), "repack", "-q", "-a", "-d", "-f")
    expected = sum(
        path.stat().st_size
        for path in git.folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    )
    assert trees.tree_bytes(repository, commit) == expected
    assert trees.tree_bytes(repository, commit, limit_bytes=10) > 10
