"""Which files of a commit are large: as git reads `.gitattributes`."""

from pathlib import Path

import pytest

from gitserver import trees
from gitserver.lfs import commits
from tests.gitserver.conftest import Git

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12\n"
FILTER = "filter=lfs diff=lfs merge=lfs -text"

CASES: dict[str, tuple[dict[str, str], set[str]]] = {
    "none says so": ({"a.bin": POINTER}, set()),
    "by its ending": (
        {".gitattributes": f"*.bin {FILTER}", "d/a.bin": POINTER, "a.js": POINTER},
        {"d/a.bin"},
    ),
    "not what is no pointer": (
        {".gitattributes": f"*.bin {FILTER}", "a.bin": "itself", "b.bin": POINTER + "x" * 1000},
        set(),
    ),
    "by a folder's own file": (
        {"d/.gitattributes": f"a* {FILTER}", "d/e/a": POINTER, "a": POINTER},
        {"d/e/a"},
    ),
    "but for what is taken out": (
        {
            ".gitattributes": f"*.bin {FILTER}\nd/*.bin !filter",
            "d/a.bin": POINTER,
            "a.bin": POINTER,
        },
        {"a.bin"},
    ),
    "by a macro": (
        {".gitattributes": f"[attr]large {FILTER}\n*.bin large", "a.bin": POINTER},
        {"a.bin"},
    ),
    "with a quoted name": (
        {".gitattributes": f'"a b/*" {FILTER}', "a b/é": POINTER},
        {"a b/é"},
    ),
    "another filter": ({".gitattributes": "*.bin filter=crypt", "a.bin": POINTER}, set()),
}


@pytest.mark.parametrize("name", CASES)
def test_attributes_say_which(tmp_path: Path, git: Git, name: str) -> None:
    files, expected = CASES[name]
    path = tmp_path / "repository.git"
    trees.init(path)
    commit = git.commit(files)
    git.run("push", "-q", f"file://{path}", "main")
    found = commits.large_files(path, list(trees.entries(path, commit)))
    assert {file.path.decode() for file in found} == expected
    assert all(file.pointer.size_bytes == 12 for file in found)


def test_links_are_never_large(tmp_path: Path, git: Git) -> None:
    path = tmp_path / "repository.git"
    trees.init(path)
    (git.folder / ".gitattributes").symlink_to("attributes")
    (git.folder / "a.bin").symlink_to(POINTER)
    commit = git.commit({"attributes": f"*.bin {FILTER}", "b.bin": POINTER})
    git.run("push", "-q", f"file://{path}", "main")
    assert commits.large_files(path, list(trees.entries(path, commit))) == []
