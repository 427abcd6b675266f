"""What is read of `.gitmodules`: git's own checks judge which contents are refused."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from gitserver import gitmodules
from gitserver.faults import Fault
from gitserver.gitmodules import Submodule
from tests.paas.builder.repositories import IDENTITY, PLAIN, Repository

LINK = "1" * 40


def of(tmp_path: Path, text: str, *links: str) -> tuple[Repository, str]:
    repository = Repository(tmp_path)
    repository.write(".gitmodules", text)
    git(repository, "add", "--all")
    for path in links:
        git(repository, "update-index", "--add", "--cacheinfo", f"160000,{LINK},{path}")
    git(repository, *IDENTITY, "commit", "--quiet", "-m", "x")
    git(repository, "push", "--quiet", str(repository.path), "HEAD:refs/heads/main")
    return repository, git(repository, "rev-parse", "HEAD").strip()


def git(repository: Repository, *words: str) -> str:
    done = subprocess.run(
        ["git", *words], cwd=repository.work, env={"PATH": "/usr/bin:/bin", **PLAIN},
        check=True, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    return done.stdout


def read(repository: Repository, commit: str) -> tuple[Submodule, ...]:
    return asyncio.run(gitmodules.read(repository.path, commit))


def entry(name: str, path: str, url: str, more: str = "") -> str:
    return f'[submodule "{name}"]\n\tpath = {path}\n\turl = {url}\n\t{more}\n'


def test_those_that_the_commit_has_are_read(tmp_path: Path) -> None:
    text = entry("lib", "vendor/lib", "../lib.git", "branch = x") + "; a comment\n[other]\n\tx\n"
    text += entry("Doc s", '"do cs"', "https://h/docs", "update = none") + entry("gone", "g", "./g")
    found = read(*of(tmp_path, text, "vendor/lib", "do cs", "unnamed"))
    assert found == (
        Submodule("lib", "vendor/lib", LINK, "../lib.git"),
        Submodule("Doc s", "do cs", LINK, "https://h/docs", is_wanted=False),
    )


def test_the_last_value_counts_and_nothing_is_included(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(entry("lib", "lib", "https://h/included"))
    text = entry("lib", "lib", "https://h/1", "url = https://h/2")
    found = read(*of(tmp_path, f"{text}[include]\n\tpath = {secret}\n", "lib"))
    assert [each.url for each in found] == ["https://h/2"]


def test_a_commit_without_the_file_has_none(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write("index.js", "")
    assert read(repository, repository.commit()) == ()


HOSTILE = {
    "a name that leads out": entry("../../x", "lib", "https://h/x"),
    "a name that ends above": entry("x/..", "lib", "https://h/x"),
    "a name with backslashes": entry("a\\\\..\\\\b", "lib", "https://h/x"),
    "an option for a URL": entry("x", "lib", "-u./payload"),
    "a command for an update": entry("x", "lib", "https://h/x", "update = !id"),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_gits_own_check_refuses_is_refused(tmp_path: Path, text: str) -> None:
    repository, commit = of(tmp_path, text, "lib")
    words = ["git", "-C", str(repository.path), "fsck", "--strict", "--no-dangling"]
    judged = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert judged.returncode != 0 and "gitmodules" in judged.stderr
    with pytest.raises(Fault, match=r"\.gitmodules"):
        read(repository, commit)


def test_an_option_for_a_path_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Fault, match="option"):
        read(*of(tmp_path, entry("x", "-u", "https://h/x"), "-u"))


def test_what_is_no_configuration_or_too_large_or_twice_is_refused(tmp_path: Path) -> None:
    for number, (text, said) in enumerate(
        [
            ("[submodule\n", "git can't read"),
            (f"#{'x' * 300_000}\n", "over 256 KiB"),
            (entry("a", "lib", "https://h/a") + entry("b", "lib", "https://h/b"), "two submodules"),
        ]
    ):
        with pytest.raises(Fault, match=said):
            read(*of(tmp_path / str(number), text, "lib"))
