"""Contents that Git LFS keeps: found for a build, or named with the command that sends them."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import pytest

from gitserver import trees
from gitserver.lfs import store
from paas.builder import large_files
from paas.builder.work import BuildFailed
from tests.paas.builder.repositories import Repository

FILTER = "*.bin filter=lfs diff=lfs merge=lfs -text\n"


def find(repository: Repository) -> Mapping[bytes, Path]:
    entries = list(trees.entries(repository.path, repository.commit()))
    return large_files.find(repository.path, entries, repository.commit())


def pointer(content: bytes) -> str:
    oid = hashlib.sha256(content).hexdigest()
    spec = "https://git-lfs.github.com/spec/v1"
    return f"version {spec}\noid sha256:{oid}\nsize {len(content)}\n"


def put(repository: Repository, content: bytes) -> Path:
    oid = hashlib.sha256(content).hexdigest()
    received = repository.work.parent / oid
    received.write_bytes(content)
    store.put(received, repository.path, oid)
    return store.place_of(repository.path, oid)


def test_what_was_pushed_is_found(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(".gitattributes", FILTER)
    repository.write("lib/model.bin", pointer(b"large"))
    place = put(repository, b"large")
    assert find(repository) == {b"lib/model.bin": place}


def test_what_was_not_pushed_is_named_with_the_command_that_sends_it(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(".gitattributes", FILTER)
    for number in range(7):
        repository.write(f"m{number}.bin", pointer(b"large %d" % number))
    put(repository, b"large 0")
    with pytest.raises(BuildFailed) as raised:
        find(repository)
    assert raised.value.message.endswith("m1.bin, m2.bin, m3.bin, m4.bin, m5.bin and 1 more")
    assert "git lfs push --all paas" in raised.value.hint


def test_a_pointer_of_another_size_is_not_what_is_here(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(".gitattributes", FILTER)
    repository.write("a.bin", pointer(b"large").replace("size 5", "size 6"))
    put(repository, b"large")
    with pytest.raises(BuildFailed):
        find(repository)


def test_one_file_at_many_paths_has_a_limit(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write(".gitattributes", FILTER)
    size = 2 * 1024**3
    for number in range(3):
        text = pointer(b"sparse").replace("size 6", f"size {size}")
        repository.write(f"{number}.bin", text)
    place = put(repository, b"sparse")
    place.chmod(0o644)
    with place.open("r+b") as file:
        file.truncate(size)
    with pytest.raises(BuildFailed) as raised:
        find(repository)
    assert "6.0 GiB together" in raised.value.message


def test_an_app_without_large_files_is_let_pass(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write("a.bin", pointer(b"large"))
    assert find(repository) == {}
