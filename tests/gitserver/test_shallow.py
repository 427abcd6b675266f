"""Pushes from clones whose history is cut off, beside git's own server that takes them too."""

import asyncio
import itertools
import random
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitserver import collecting, trees
from gitserver.interface import Limits
from gitserver.objects import shallow
from tests.gitserver import wire
from tests.gitserver.conftest import Git, Server

SEEDS = (*range(6), 20, 45)


@dataclass(frozen=True)
class Story:
    """One developer's whole repository, clones of it, and two servers: ours and git's own."""

    server: Server
    peer: Path
    git: Git
    folder: Path
    count: "itertools.count[int]"

    def clone(self, *words: str) -> Git:
        """A new clone of the developer's repository, as a CI system makes it."""
        target = self.folder / f"clone{next(self.count)}"
        self.git.run("clone", "-q", *words, f"file://{self.git.folder}", str(target))
        return self.git.at(target)

    def push(self, git: Git, *words: str) -> None:
        """The same to both; both have to take it."""
        assert self.try_push(git, *words)

    def try_push(self, git: Git, *words: str) -> bool:
        """Whether git took it. Then we do; otherwise we do or say what helps."""
        theirs, ours = (
            git.run("push", "-q", *words[:-1], url, words[-1], code=None)
            for url in (f"file://{self.peer}", self.server.url())
        )
        if theirs.returncode == 0:
            assert ours.returncode == 0, ours.stderr
            assert refs(self.server.path()) == refs(self.peer)
            self.check()
        elif ours.returncode != 0:
            assert b"pushed from a shallow clone" in ours.stderr, (theirs.stderr, ours.stderr)
        return theirs.returncode == 0

    def check(self) -> None:
        """The repository is sound, and of its history at least as much is here as at git's."""
        path = self.server.path()
        fsck(path)
        for ref in refs(path).split():
            ours, theirs = (lines(where, "rev-list", ref) for where in (path, self.peer))
            assert ours >= theirs, ref
        for id in shallow.read(path):
            parents = lines(path, "log", "-1", "--format=%P", id.decode())
            assert not parents, "git itself sees none"

    def fetched(self, *words: str) -> Git:
        """A clone of ours, which is sound and has the files of the branch."""
        target = self.folder / f"clone{next(self.count)}"
        self.git.run("clone", "-q", *words, self.server.url(), str(target))
        clone = self.git.at(target)
        clone.run("fsck", "--full", "--strict")
        return clone


def fsck(path: Path) -> None:
    found = subprocess.run(
        ["git", "-C", str(path), "fsck", "--full", "--strict", "--no-dangling"],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert found.returncode == 0, found.stderr


def refs(path: Path) -> str:
    command = ["git", "-C", str(path), "for-each-ref", "--format=%(refname) %(objectname)"]
    return subprocess.run(
        command, capture_output=True, check=True, timeout=60, text=True
    ).stdout.replace(" ", "\n")


def lines(path: Path, *words: str) -> set[str]:
    command = ["git", "-C", str(path), *words]
    done = subprocess.run(command, capture_output=True, check=True, timeout=60, text=True)
    return set(done.stdout.split())


@pytest.fixture
def story(server: Server, git: Git, tmp_path: Path) -> Story:
    """Five commits and a merge: `git log` of both sides has a length worth cutting."""
    peer = tmp_path / "peer.git"
    git.run("init", "-q", "--bare", "-b", "main", str(peer))
    git.run("-C", str(peer), "config", "receive.shallowUpdate", "true")
    git.run("-C", str(peer), "config", "receive.unpackLimit", "1")
    grow(git)
    return Story(server, peer, git, tmp_path, itertools.count())


def grow(git: Git) -> None:
    git.commit({"server.js": "two\n"})
    git.run("checkout", "-q", "-b", "side")
    git.commit({"side.js": "1\n"})
    git.commit({"side.js": "2\n"})
    git.run("checkout", "-q", "main")
    git.commit({"server.js": "three\n"})
    git.run("merge", "-q", "--no-edit", "side")
    git.commit({"server.js": "four\n"})


def begins(server: Server) -> set[str]:
    return {id.decode() for id in shallow.read(server.path())}


@pytest.mark.parametrize("depth", ["1", "2", "3", "100"])
def test_a_clone_of_any_depth_pushes_into_an_empty_repository(story: Story, depth: str) -> None:
    clone = story.clone(f"--depth={depth}")
    story.push(clone, "HEAD:main")
    cut = clone.folder / ".git" / "shallow"
    assert begins(story.server) == (set(cut.read_text().split()) if cut.exists() else set())
    assert shallow.read(story.peer) == shallow.read(story.server.path())


def test_the_files_of_the_tip_are_all_there(story: Story) -> None:
    story.push(story.clone("--depth=1"), "HEAD:main")
    tip = trees.resolve(story.server.path(), "main")
    assert tip is not None
    names = {entry.path for entry in trees.entries(story.server.path(), tip)}
    assert names == {b"server.js", b"lib/a.js", b"side.js"}


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_a_clone_of_such_a_repository_is_shallow_as_gits_is(story: Story, version: str) -> None:
    story.push(story.clone("--depth=2"), "HEAD:main")
    option = ("-c", f"protocol.version={version}")
    ours = story.fetched(*option)
    theirs = story.folder / "theirs"
    story.git.run(*option, "clone", "-q", f"file://{story.peer}", str(theirs))
    assert ours.text("rev-list", "HEAD") == story.git.at(theirs).text("rev-list", "HEAD")
    cut = [folder / ".git" / "shallow" for folder in (ours.folder, theirs)]
    assert cut[0].read_text() == cut[1].read_text()


@pytest.mark.parametrize("version", ["0", "2"])
@pytest.mark.parametrize("depth", [None, "1", "2"])
def test_work_goes_on_from_such_a_clone(story: Story, version: str, depth: str | None) -> None:
    """Fetch, deepen to all there is, commit, push, and fetch what somebody else pushed."""
    story.push(story.clone("--depth=3"), "HEAD:main")
    words = ["-c", f"protocol.version={version}"] + ([f"--depth={depth}"] if depth else [])
    one, two = story.fetched(*words), story.fetched(*words)
    one.commit({"one.js": "1\n"})
    story.push(one, "main")
    two.run("pull", "-q", "--ff-only", story.server.url(), "main")
    two.commit({"two.js": "2\n"})
    story.push(two, "main")
    if depth:
        two.run("fetch", "-q", "--unshallow", "--update-shallow", story.server.url(), "main")
        two.run("fsck", "--full", "--strict")
        reached = two.text("rev-list", "HEAD").split()
        assert set(reached) == lines(story.server.path(), "rev-list", "main")


def test_a_later_clone_of_depth_one_joins_the_history_that_is_here(story: Story) -> None:
    story.push(story.git, "main")
    story.git.commit({"server.js": "five\n"})
    story.push(story.clone("--depth=1"), "--force", "HEAD:main")
    assert begins(story.server) == set(), "its parent was here: nothing is cut off"
    whole = story.git.text("rev-list", "HEAD").split()
    assert lines(story.server.path(), "rev-list", "main") == set(whole)


def test_the_whole_history_mends_what_was_cut_off(story: Story) -> None:
    story.push(story.clone("--depth=1"), "HEAD:main")
    assert begins(story.server)
    story.git.run("checkout", "-q", "--orphan", "empty")
    story.git.commit({"server.js": "none\n"})
    # git's own server would keep it cut off; what both have in the end are the same refs.
    story.git.run("push", "-q", "-f", story.server.url(), "empty:main")
    story.git.run("push", "-q", "-f", story.server.url(), "main:main")
    assert begins(story.server) == set()
    fsck(story.server.path())
    assert lines(story.server.path(), "rev-list", "main") == set(
        story.git.text("rev-list", "main").split()
    )


def test_a_push_that_leaves_out_what_is_not_here_is_told_how_to_send_it(story: Story) -> None:
    """A whole clone takes the server to have all that comes before what it shows."""
    story.push(story.clone("--depth=1"), "HEAD:main")
    said = story.git.error("push", "-f", story.server.url(), "main~2:main")
    assert "was not sent" in said
    advice = [line.strip() for line in said.replace("remote:", "").splitlines() if " -f " in line]
    story.git.run("remote", "add", "paas", story.server.url())
    story.git.run("checkout", "-q", "main~2")
    for command in advice:
        subprocess.run(
            ["sh", "-c", command],
            cwd=story.git.folder,
            env=story.git.environment,
            capture_output=True,
            check=True,
            timeout=60,
        )
    assert trees.resolve(story.server.path(), "main") == story.git.text("rev-parse", "HEAD")
    assert lines(story.server.path(), "rev-list", "main") == set(
        story.git.text("rev-list", "HEAD").split()
    )


@pytest.mark.parametrize("seed", SEEDS)
def test_any_row_of_pushes_leaves_what_gits_own_server_has(story: Story, seed: int) -> None:
    """Clones of every depth, whole ones, merges, grafted roots, branches, tags and deletions."""
    choose = random.Random(seed)
    for step in range(6):
        random_history(story.git, choose, step)
        depth = [f"--depth={choose.randrange(1, 6)}"]
        clone = story.clone(*choose.choice([depth, depth, ["--no-single-branch", *depth]]))
        if choose.random() < 0.3:
            clone.commit({"in-ci.js": f"{step}\n"})
        branch = choose.choice(["main", "main", "other"])
        if not story.try_push(clone, "--force", f"HEAD:{branch}"):
            break
        if choose.random() < 0.3:
            clone.run("tag", "-a", f"t{step}", "-m", "x")
            story.push(clone, f"t{step}")
    fsck(story.server.path())
    for version in ("0", "2"):
        story.fetched("-c", f"protocol.version={version}")
        story.fetched("-c", f"protocol.version={version}", "--depth=2", "--no-single-branch")


@pytest.mark.parametrize("version", ["0", "2"])
@pytest.mark.parametrize("seed", SEEDS[:3])
def test_fetches_end_as_those_from_gits_own_server_do(
    story: Story, version: str, seed: int
) -> None:
    """The same repository, given by us and by git's upload-pack, to the same clones."""
    choose, clones = random.Random(seed), list[Git]()
    for step in range(5):
        random_history(story.git, choose, step)
        branch = choose.choice(["main", "main", "other"])
        clone = story.clone(f"--depth={choose.randrange(1, 6)}")
        if not story.try_push(clone, "--force", f"HEAD:{branch}"):
            break
        if choose.random() < 0.3:
            asyncio.run(collecting.collect(story.server.path(), []))
        depth = choose.choice([[], ["--depth=1"], ["--depth=2"]])
        clones.append(story.fetched("--no-single-branch", *depth))
        for clone in list(clones):
            options = [[], ["--depth=1"], ["--depth=3"], ["--deepen=1"]]
            if (clone.folder / ".git" / "shallow").exists():
                options.append(["--unshallow"])
            words = ["-c", f"protocol.version={version}", "fetch", "-q", "--force", "--prune"]
            words += ["--update-shallow", "--no-tags", *choose.choice(options)]
            if not fetch_alike(story, clone, *words):
                clones.remove(clone)


def fetch_alike(story: Story, clone: Git, *words: str) -> bool:
    """Fetch from us, and with a copy of the clone from git; whether that went well."""
    twin = clone.at(story.folder / f"twin{next(story.count)}")
    shutil.copytree(clone.folder, twin.folder, symlinks=True, dirs_exist_ok=True)
    refspec = "+refs/heads/*:refs/remotes/origin/*"
    theirs = twin.run(*words, f"file://{story.server.path()}", refspec, code=None)
    ours = clone.run(*words, story.server.url(), refspec, code=None)
    if theirs.returncode != 0:
        return False
    assert ours.returncode == 0, (words, ours.stderr)
    states = [
        (git.text("for-each-ref", "refs/remotes"), shallow.read(git.folder / ".git"))
        for git in (clone, twin)
    ]
    # From where --deepen counts git does not say, and in merged histories it is not where we do.
    assert states[0] == states[1] or "--deepen=1" in words, words
    fsck(clone.folder)
    return True


def random_history(git: Git, choose: random.Random, step: int) -> None:
    for number in range(choose.randrange(3)):
        git.commit({choose.choice(["server.js", "b.js"]): f"{step} {number}\n"})
    if choose.random() < 0.3:
        git.run("checkout", "-q", "-B", "side", f"HEAD~{choose.randrange(1, 3)}")
        git.commit({f"side{step}.js": "1\n"})
        git.run("checkout", "-q", "main")
        git.run("merge", "-q", "--no-edit", "side")


def test_collection_keeps_it_sound(story: Story) -> None:
    story.push(story.clone("--depth=1"), "HEAD:old")
    story.git.commit({"server.js": "five\n"})
    story.push(story.clone("--depth=2"), "HEAD:main")
    story.push(story.git, ":old")
    path = story.server.path()
    (path / "shallow.lock").touch()
    asyncio.run(collecting.collect(path, []))
    story.check()
    assert begins(story.server) <= lines(path, "rev-list", "main")
    story.fetched()


def test_a_beginning_whose_commit_never_came_is_no_hindrance(story: Story) -> None:
    """What a server leaves that was killed before the pack was in its place."""
    shallow.add(story.server.path(), [shallow.ObjectID(b"1" * 40)])
    story.git.run("push", "-q", story.server.url(), "main")
    for version in ("0", "2"):
        clone = story.fetched("-c", f"protocol.version={version}")
        assert not (clone.folder / ".git" / "shallow").exists()
    fsck(story.server.path())


class TestHostile:
    def test_only_commits_that_are_said_to_be_cut_off_may_lack_parents(
        self, server: Server
    ) -> None:
        id, pack = alone(b"\x11" * 20)
        line = f"{wire.ZERO} {id} refs/heads/main\0report-status side-band-64k"
        answer = wire.post(server.url(), wire.encode(line) + wire.FLUSH + pack).text
        assert f"the commit {'11' * 20} is missing" in answer
        assert "git fetch --unshallow" in answer, "not every program says that a clone is shallow"

    def test_a_tree_may_never_be_absent(self, server: Server) -> None:
        content = wire.commit(b"\x22" * 20, b"\x11" * 20)
        id = wire.object_id(wire.COMMIT, content).hex()
        pack = wire.pack([wire.entry(wire.COMMIT, content)])
        answer = wire.post(server.url(), shallow_body(id, pack)).text
        assert f"the tree {'22' * 20} is missing" in answer
        assert begins(server) == set()

    def test_a_parent_that_is_a_file_is_no_parent(self, server: Server) -> None:
        blob = wire.object_id(wire.BLOB, b"x")
        id, pack = alone(blob, wire.entry(wire.BLOB, b"x"))
        answer = wire.post(server.url(), shallow_body(id, pack)).text
        assert "ok refs/heads/main" in answer
        assert begins(server) == {id}
        server.fsck = ("--connectivity-only", "--no-dangling")

    @pytest.mark.parametrize("line", ["shallow", "shallow x", f"shallow {'1' * 39}"])
    def test_what_is_no_commit_is_refused(self, server: Server, line: str) -> None:
        id, pack = alone(b"\x11" * 20)
        body = wire.encode(line) + wire.push_body(id, pack)
        assert "is no ref update" in wire.post(server.url(), body).text


class TestLimit:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(shallow=1)

    def test_so_many_beginnings_are_enough(self, story: Story) -> None:
        story.push(story.clone("--depth=1"), "HEAD:main")
        story.git.commit({"server.js": "five\n"})
        story.git.commit({"server.js": "six\n"})
        said = story.clone("--depth=1").error("push", "-f", story.server.url(), "HEAD:main")
        assert "cut off at over 1 commits" in said


def alone(parent: bytes, *others: bytes) -> tuple[str, bytes]:
    """A commit of an empty tree, in a pack; its parent is elsewhere."""
    content = wire.commit(wire.object_id(wire.TREE, b""), parent)
    entries = [wire.entry(wire.TREE, b""), wire.entry(wire.COMMIT, content), *others]
    return wire.object_id(wire.COMMIT, content).hex(), wire.pack(entries)


def shallow_body(id: str, pack: bytes) -> bytes:
    return wire.encode(f"shallow {id}") + wire.push_body(id, pack)
