"""What one commit has and another has not; git itself is the judge."""

import random
from pathlib import Path

import pytest

from gitserver import history, trees
from tests.gitserver.conftest import Git


@pytest.mark.parametrize("seed", range(3))
def test_a_comparison_says_what_git_says(git: Git, tmp_path: Path, seed: int) -> None:
    """Of random histories with merges, also where clocks go backwards."""
    choice = random.Random(seed)
    path = tmp_path / "bare.git"
    trees.init(path)
    tree = git.text("hash-object", "-t", "tree", "-w", "/dev/null")
    commits: list[str] = []
    for number in range(24):
        parents = choice.sample(commits[-6:], min(len(commits), choice.choice((0, 1, 1, 1, 2))))
        moment = f"{1_700_000_000 + choice.randrange(200)} +0000"
        words = ["commit-tree", tree, "-m", f"subject {number}\n\nbody"]
        words += [word for parent in parents for word in ("-p", parent)]
        dates = {"GIT_AUTHOR_DATE": moment, "GIT_COMMITTER_DATE": moment}
        commits.append(git.text(*words, **dates))
    refs = [f"{commit}:refs/heads/c{number}" for number, commit in enumerate(commits)]
    git.run("push", "-q", f"file://{path}", *refs)
    for _ in range(30):
        new, old = choice.choice(commits), choice.choice(commits)
        found = history.compare(path, new, old)
        assert found is not None
        listed = git.text("rev-list", "--left-right", f"{old}...{new}").split()
        assert {commit.id for commit in found.ahead} == {
            line[1:] for line in listed if line.startswith(">")
        }
        assert found.behind == sum(line.startswith("<") for line in listed)
    first = history.compare(path, commits[-1], commits[0])
    assert first is not None
    assert {commit.subject for commit in first.ahead} <= {f"subject {n}" for n in range(24)}
    assert history.compare(path, commits[0], "1" * 40) is None
