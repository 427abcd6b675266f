"""Which names a deployed branch may have: git itself is the judge."""

import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paas.apps import branches
from paas.errors import UserError

PIECES = ["a", "b", "/", ".", "..", "-", "@", "{", "@{", ".lock", "~", "^", ":", "?", "*", "[",
          "\\", "é", "refs", "HEAD", "_", "1"]  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join))
@example("release/2026-11")
@example("a.lock/b")
@example("a.")
def test_a_name_is_taken_where_git_takes_it(name: str) -> None:
    command = ["git", "check-ref-format", f"refs/heads/{name}"]
    gits = subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    try:
        ours = branches.check(name) == name
    except UserError:
        ours = False
    # What a command line takes for an option, or for what is checked out, names no branch.
    assert ours == (gits and not name.startswith("-") and name not in ("@", "HEAD"))


def test_nothing_means_the_usual_ones() -> None:
    assert branches.check("") == ""
    assert branches.deployed("") == ("refs/heads/main", "refs/heads/master")
    assert branches.check("refs/heads/release") == "release"
    assert branches.deployed("release") == ("refs/heads/release",)


@pytest.mark.parametrize("name", ["a b", "a\nb", "a" * 201, "..", "-x"])
def test_what_can_not_name_a_branch_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="can't name a branch"):
        branches.check(name)
