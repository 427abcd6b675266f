"""Folders of a repository that nothing says the address of: they are named, and the advice brings
their files."""

import subprocess
from pathlib import Path

from gitserver import trees
from paas.builder import submodules
from tests.paas.builder.repositories import Repository


def note(repository: Repository) -> str:
    return submodules.note(trees.entries(repository.path, repository.commit()))


def test_nothing_is_said_where_there_are_none(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write("index.js", "one")
    assert note(repository) == ""


def test_the_advice_commits_the_files_of_a_repository_within(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    inner = Repository(tmp_path / "inner")
    inner.write("a.js", "inner")
    inner.commit()
    inner.work.rename(repository.work / "my lib")
    said = note(repository)
    assert "which .gitmodules has not fetched: my lib\n" in said
    advice = said.splitlines()[-1]
    subprocess.run(["sh", "-ec", advice], cwd=repository.work, check=True, timeout=60)
    assert note(repository) == ""
    head = trees.resolve(repository.path, "main")
    assert head is not None
    assert trees.read_file(repository.path, head, "my lib/a.js", 100) == b"inner"


def test_few_of_many_are_named(tmp_path: Path) -> None:
    entries = [trees.Entry(b"lib%d" % number, trees.SUBMODULE, "1" * 40) for number in range(9)]
    assert "lib4 and 4 more" in submodules.note(entries)
