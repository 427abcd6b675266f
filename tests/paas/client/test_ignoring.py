"""`.gitignore` as git itself understands it: every case is asked of the real git as well."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from paas.client import ignoring

PATHS = [
    b"a", b"b", b"ab", b"a.js", b"a/b", b"a/b/c", b"a/x/b", b"a/b.js", b"x/a", b"x/a/b", b"-", b"]",
    b"a b", b"a ", b"#a", b"!a", b"[a]", b"a]", b"*", b"a\\b", b"B", b"1", b".a", b"x/y/a.js", b"^",
]  # fmt: skip
PIECES = [
    "a", "b", "x", "/", "*", "**", "?", ".js", "[", "]", "!", "^", "-", "\\", " ", "#", "[a-b]",
    ".", "[!a]", "[^b]",
    "[[:alpha:]]", "[[:digit:]]", "[]a]", "[a-]", "**/", "/**", "/**/", "[b-a]",
    "\r", "[[:nope:]]", "[:alpha:]", "[\\]]", "1",
]  # fmt: skip
PATTERNS = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True, timeout=30)
    return folder


def git_says(repository: Path, text: str) -> set[bytes]:
    (repository / ".gitignore").write_bytes(text.encode())
    command = ["git", "-c", "core.excludesFile=/dev/null", "check-ignore", "--no-index", "-z"]
    done = subprocess.run(
        [*command, "--stdin"],
        cwd=repository, input=b"".join(path + b"\0" for path in PATHS), capture_output=True,
        timeout=30,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr
    return set(done.stdout.split(b"\0")) - {b""}


def we_say(text: str) -> set[bytes]:
    groups = [ignoring.rules(text.encode(), b"")]
    found = set()
    for path in PATHS:
        parts = path.split(b"/")
        steps = [(b"/".join(parts[:end]), end < len(parts)) for end in range(1, len(parts) + 1)]
        if any(ignoring.is_ignored(step, folder, groups) for step, folder in steps):
            found.add(path)
    return found


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(PATTERNS, min_size=1, max_size=3).map("\n".join))
@example("a/\n!a/b")
@example("*\n!a.js")
@example("a\\ ")
@example("\\#a\n\\!a")
@example("**/b")
@example("a/**/b")
@example("x/**")
@example("a**/b")
@example("***/b")
@example("[a")
@example("/a\n")
@example("﻿a")
@example("a\\")
@example("[\\]]")
def test_every_pattern_means_what_git_says(repository: Path, text: str) -> None:
    assert we_say(text) == git_says(repository, text)


def test_a_file_further_down_has_the_last_word() -> None:
    outer = ignoring.rules(b"*.log\n", b"")
    inner = ignoring.rules(b"!kept.log\n/only.txt\n", b"app/")
    groups = [inner, outer]
    assert ignoring.is_ignored(b"app/other.log", False, groups)
    assert not ignoring.is_ignored(b"app/kept.log", False, groups)
    assert ignoring.is_ignored(b"app/only.txt", False, groups)
    assert not ignoring.is_ignored(b"app/below/only.txt", False, groups)


def test_no_pattern_tries_places_again_and_again() -> None:
    """Each of these would take longer than the world stands, if it did."""
    for pattern, path in (
        (b"*a" * 30 + b"*b", b"a" * 250),
        (b"**/a/" * 30 + b"b", b"a/" * 200 + b"c"),
        (b"**/*a*/" * 20 + b"*b", b"aaaaaaaa/" * 100 + b"c"),
    ):
        assert not ignoring.is_ignored(path, False, [ignoring.rules(pattern, b"")])
