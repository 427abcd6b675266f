"""The same push to this server and to git's own `receive-pack`: the same answer, the same refs."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitserver import trees
from gitserver.objects.tidying import PACKS_MAX
from tests.gitserver import wire
from tests.gitserver.conftest import Git, Server, wait_for


@dataclass(frozen=True)
class Both:
    """The server, git's own repository, and one developer who pushes to both."""

    server: Server
    peer: Path
    git: Git
    app: str = "hello"

    def fresh(self, name: str) -> "Both":
        """The same with repositories of their own."""
        trees.init(self.server.path(name))
        peer = new_peer(self.git, self.peer.with_name(f"{name}-peer.git"))
        return Both(self.server, peer, self.git, name)

    def push(self, *words: str | bytes, same: bool = True) -> tuple[int, str]:
        """Our answer; unless said otherwise git's own has to be the same."""
        options = [word for word in words if word[:1] in ("-", b"-")]
        refs = [word for word in words if word not in options]
        theirs = self._push(f"file://{self.peer}", options, refs)
        ours = self._push(self.server.url(self.app), options, refs)
        if same:
            assert ours[:2] == theirs[:2], (self.app, words, ours, theirs)
            assert self.refs(self.server.path(self.app)) == self.refs(self.peer), self.app
        return ours[0], ours[2]

    def _push(
        self, url: str, options: list[str | bytes], refs: list[str | bytes]
    ) -> tuple[int, list[tuple[str, str]], str]:
        done = self.git.run("push", "--porcelain", *options, url, *refs, code=None)
        rows = [line.split("\t") for line in done.stdout.decode(errors="replace").splitlines()]
        told = sorted((row[0], row[1]) for row in rows if len(row) == 3)
        said = done.stdout.decode(errors="replace") + done.stderr.decode(errors="replace")
        return done.returncode, told, said

    def refs(self, path: Path) -> bytes:
        command = ["git", "-C", str(path), "for-each-ref", "--format=%(refname) %(objectname)"]
        return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout


def new_peer(git: Git, path: Path) -> Path:
    git.run("init", "-q", "--bare", "-b", "main", str(path))
    git.run("-C", str(path), "config", "receive.advertisePushOptions", "true")
    return path


@pytest.fixture
def both(server: Server, git: Git, tmp_path: Path) -> Both:
    peer = new_peer(git, tmp_path / "peer.git")
    # What git accepts is its own business; that nothing is missing or corrupt is ours.
    server.fsck = ("--connectivity-only", "--no-dangling")
    return Both(server, peer, git)


def branches(git: Git) -> None:
    for name in ("one", "two", "deep/three"):
        git.run("branch", name)
    git.run("tag", "light")
    git.run("tag", "-a", "annotated", "-m", "One")
    git.run("tag", "-a", "of-a-tag", "annotated", "-m", "Two")
    git.run("tag", "of-a-blob", "HEAD:server.js")
    git.run("tag", "of-a-tree", "HEAD^{tree}")


SEQUENCES: dict[str, list[list[str]]] = {
    "all branches": [["--all"]],
    "everything, then less": [["--mirror"], ["--mirror"]],
    "tags of all kinds": [["main", "--tags"]],
    "tags that follow": [["--follow-tags", "main"]],
    "create and delete": [["main", "one"], [":one"], [":one"]],
    "delete what is not there": [["main"], [":nothing"]],
    "delete and create in its folder": [["one"], [":one", "main:one/below"]],
    "a ref within another": [["one"], ["main:one/below"]],
    "two new ones of which one is within the other": [["main:a", "main:a/b"]],
    "atomic, with one within another": [["one"], ["--atomic", "main", "main:one/below"]],
    "atomic and fine": [["--atomic", "main", "one", "two"]],
    "atomic deletion": [["main", "one", "two"], ["--atomic", ":one", ":two"]],
    "prune": [["--all"], ["--prune", "refs/heads/main:refs/heads/main"]],
    "options": [["-o", "x", "main"]],
    "no thin pack": [["--no-thin", "main"], ["--no-thin", "one"]],
    "a tag moved by force": [["light"], ["--force", "one:refs/tags/light"]],
    "a lease that holds": [["main"], ["--force-with-lease=main", "main"]],
    "a lease that does not": [["main"], ["--force-with-lease=main:one", "other:main"]],
    "names at the edge": [["main:refs/x/y", "main:refs/heads/-a", "main:refs/heads/@"]],
    "notes": [["refs/notes/commits"]],
    "the same commit to many": [["main", "main:a", "main:b", "main:c/d"]],
    "dry": [["--dry-run", "main"]],
    "quiet": [["--quiet", "main"]],
}


def test_refs_change_and_are_refused_as_by_git(both: Both) -> None:
    branches(both.git)
    both.git.run("notes", "add", "-m", "A note")
    both.git.run("branch", "other", "main")
    for number, (name, pushes) in enumerate(SEQUENCES.items()):
        fresh = both.fresh(f"app{number}-{name.split()[0].strip(',')}")
        for words in pushes:
            fresh.push(*words)


def test_histories_that_do_not_follow_are_refused_or_forced(both: Both) -> None:
    git = both.git
    both.push("main")
    git.run("checkout", "-q", "--orphan", "other")
    git.commit({"x.txt": "x"}, "From nothing")
    assert both.push("other:main")[0] == 1
    assert both.push("--force", "other:main")[0] == 0


def test_a_merge_of_many_parents_arrives(both: Both) -> None:
    git = both.git
    for number in range(5):
        git.run("checkout", "-q", "-b", f"b{number}", "main")
        git.commit({f"f{number}.txt": str(number)})
    git.run("checkout", "-q", "main")
    git.run("merge", "-q", "-m", "All", *(f"b{number}" for number in range(5)))
    assert both.push("main")[0] == 0


Odd = Callable[[Git], str]
"""Makes a commit that is out of the ordinary; its id."""
WHO = "Ada <ada@example.com> 1700000000 +0000"


def raw(git: Git, type: str, text: str | bytes) -> str:
    data = text.encode() if isinstance(text, str) else text
    made = git.run("hash-object", "-w", "--literally", "-t", type, "--stdin", stdin=data)
    return made.stdout.decode().strip()


def with_head(head: str | bytes) -> Odd:
    """A commit of the present tree, with these lines after the tree's."""

    def make(git: Git) -> str:
        line = b"tree " + git.text("rev-parse", "HEAD^{tree}").encode() + b"\n"
        return raw(git, "commit", line + (head.encode() if isinstance(head, str) else head))

    return make


def with_entry(mode: str, name: bytes, what: str = "HEAD:server.js") -> Odd:
    """A commit of a tree with one entry of that mode."""

    def make(git: Git) -> str:
        id = bytes.fromhex(what if len(what) == 40 else git.text("rev-parse", what))
        tree = raw(git, "tree", mode.encode() + b" " + name + b"\0" + id)
        lines = f"tree {tree}\nauthor {WHO}\ncommitter {WHO}\n\nOdd\n"
        return raw(git, "commit", lines)

    return make


def signed(key: str) -> str:
    return f"{key} -----BEGIN PGP SIGNATURE-----\n \n iQ==\n -----END PGP SIGNATURE-----\n"


ODD_COMMITS: dict[str, Odd] = {
    "no date": with_head("author Ada <a@b>\ncommitter Ada <a@b>\n\nx\n"),
    "no author": with_head(f"committer {WHO}\n\nx\n"),
    "one byte after the tree": with_head("\n"),
    "no message": with_head(f"author {WHO}\ncommitter {WHO}\n\n"),
    "no empty line": with_head(f"author {WHO}\ncommitter {WHO}\n"),
    "no mail address": with_head("author Ada 1 +0000\ncommitter Ada 1 +0000\n\nx\n"),
    "a date before 1970": with_head("author A <a> -1 +0000\ncommitter A <a> -1 +0000\n\nx\n"),
    "a date after 2500": with_head(f"author A <a> {10**13} +0\ncommitter A <a> {10**13} +0\n\nx\n"),
    "a date beyond 64 bits": with_head(f"author A <a> {10**30} +0\ncommitter A <a> 1 +0\n\nx\n"),
    "a zone of words": with_head("author A <a> 1 GMT+1\ncommitter A <a> 1 GMT+1\n\nx\n"),
    "a zone of days": with_head("author A <a> 1 +518400\ncommitter A <a> 1 +518400\n\nx\n"),
    "two authors": with_head(f"author {WHO}\nauthor {WHO}\ncommitter {WHO}\n\nx\n"),
    "Latin-1": with_head(f"author {WHO}\ncommitter {WHO}\nencoding ISO-8859-1\n\n".encode()
                         + b"caf\xe9\n"),
    "an unknown encoding": with_head(f"author {WHO}\ncommitter {WHO}\nencoding bogus\n\nx\n"),
    "bytes that are no text": with_head(b"author \xff\xfe <\xff> 1 +0000\ncommitter "
                                        + WHO.encode() + b"\n\n\xff\xfe\n"),
    "a NUL in the message": with_head(f"author {WHO}\ncommitter {WHO}\n\na\0b\n"),
    "a signature": with_head(f"author {WHO}\ncommitter {WHO}\n{signed('gpgsig')}\nx\n"),
    "a signature by SHA-256": with_head(
        f"author {WHO}\ncommitter {WHO}\n{signed('gpgsig-sha256')}\nx\n"
    ),
    "a merged tag": with_head(
        f"author {WHO}\ncommitter {WHO}\nmergetag object {'1' * 40}\n type commit\n tag v1\n"
        f" tagger {WHO}\n \n x\n\nx\n"
    ),
    "unknown headers": with_head(f"author {WHO}\ncommitter {WHO}\nHG:rename a\nx y\n\nx\n"),
    "a very long line": with_head(f"author {'x' * 100_000} <a> 1 +0\ncommitter {WHO}\n\nx\n"),
    "mode 100664": with_entry("100664", b"server.js"),
    "mode 100640": with_entry("100640", b"server.js"),
    "mode 100777": with_entry("100777", b"server.js"),
    "mode 0100644": with_entry("0100644", b"server.js"),
    "folder 040000": with_entry("040000", b"lib", "HEAD:lib"),
    "folder 40755": with_entry("40755", b"lib", "HEAD:lib"),
    "symbolic link 120777": with_entry("120777", b"link"),
    "a submodule": with_entry("160000", b"vendor", "1" * 40),
    "a submodule of nothing": with_entry("160000", b"vendor", "0" * 40),
    "an empty folder": with_entry("40000", b"empty", "4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
    "a name that is not UTF-8": with_entry("100644", b"caf\xe9"),
    "a name of control bytes": with_entry("100644", b"a\x01\x1b[31m\n"),
    "a backslash": with_entry("100644", b"a\\b"),
    ".gitmodules as a link": with_entry("120000", b".gitmodules"),
    ".gitattributes": with_entry("100644", b".gitattributes"),
}  # fmt: skip


def test_commits_that_git_takes_are_taken_read_and_given_back(both: Both, tmp_path: Path) -> None:
    git, path = both.git, both.server.path()
    raw(git, "tree", b"")
    commits = {name: make(git) for name, make in ODD_COMMITS.items()}
    updates = [f"{commit}:refs/heads/odd{n}" for n, commit in enumerate(commits.values())]
    status, said = both.push(*updates)
    assert status == 0, said
    for number, (name, commit) in enumerate(commits.items()):
        assert trees.resolve(path, f"odd{number}") == commit, name
        trees.commit_subject(path, commit)
        found = list(trees.entries(path, commit))
        changed = trees.changes(path, None, commit).changed
        assert {entry.path: entry for entry in changed} == {e.path: e for e in found}
        listed = git.run("ls-tree", "-r", "-z", "--name-only", commit).stdout.split(b"\0")[:-1]
        assert [entry.path for entry in found] == listed, name
        with (tmp_path / "files.tar").open("wb") as out:
            trees.write_tar(path, trees.entries(path, commit), out)
    back = git.at(tmp_path / "back")
    back.run("init", "-q")
    back.run("fetch", "-q", both.server.url(), "refs/heads/*:refs/heads/*")
    given = back.text("for-each-ref", "--format=%(objectname)").splitlines()
    assert set(given) == set(commits.values())


class TestOddTags:
    def test_tags_that_git_takes_are_taken_and_given_back(self, both: Both, tmp_path: Path) -> None:
        git, head = both.git, both.git.text("rev-parse", "HEAD")
        rests = ["tag v1\n", "tag v1\n\nno tagger\n", "tag v1\ntagger Ada\n\nno date\n",
                 f"tag \ntagger {WHO}\n\nno name\n", f"tag v1\ntagger {WHO}\n"]  # fmt: skip
        ids = [raw(git, "tag", f"object {head}\ntype commit\n{rest}") for rest in rests]
        status, said = both.push("main", *(f"{id}:refs/tags/v{n}" for n, id in enumerate(ids)))
        assert status == 0, said
        assert {trees.resolve(both.server.path(), f"v{n}") for n in range(len(ids))} == {head}
        back = git.at(tmp_path / "back")
        back.run("clone", "-q", both.server.url(), ".")
        assert [back.text("rev-parse", f"v{n}") for n in range(len(ids))] == ids

    @pytest.mark.parametrize("rest", ["", "tag", "type commit\n", "type nothing\ntag v1\n"])
    def test_a_tag_that_git_can_not_read_is_refused(self, server: Server, rest: str) -> None:
        content = b"object %s\n" % wire.object_id(wire.BLOB, b"x").hex().encode() + rest.encode()
        id = wire.object_id(wire.TAG, content).hex()
        pack = wire.pack([wire.entry(wire.BLOB, b"x"), wire.entry(wire.TAG, content)])
        answer = wire.post(server.url(), wire.push_body(id, pack, "refs/tags/v1")).text
        assert f"tag {id} is malformed" in answer


@pytest.mark.parametrize(
    "head",
    ["", "parent 123\n", f"parent {'z' * 40}\n", f"parent {'1' * 40} \n", f"parent {'1' * 40}\n",
     f"parent {'1' * 40}\n\n"],
)  # fmt: skip
def test_a_commit_that_git_can_not_read_is_refused(server: Server, head: str) -> None:
    tree = wire.object_id(wire.TREE, b"")
    content = f"tree {tree.hex()}\n{head}".encode()
    commit = wire.object_id(wire.COMMIT, content).hex()
    pack = wire.pack([wire.entry(wire.TREE, b""), wire.entry(wire.COMMIT, content)])
    answer = wire.post(server.url(), wire.push_body(commit, pack)).text
    assert "ng refs/heads/main" in answer
    assert any(words in answer for words in ("malformed parent", "is missing", "has no tree"))


def test_odd_commits_are_put_together_with_others(both: Both) -> None:
    """What can't be parsed must not keep a repository from ever being tidied."""
    odd = with_head("author A <a> 1 GMT+1\ncommitter A\n\nx\n")(both.git)
    both.push(f"{odd}:refs/heads/odd")
    for number in range(PACKS_MAX + 1):
        commit = both.git.commit({"server.js": f"{number}\n"})
        both.git.run("push", "-q", both.server.url(), f"{commit}:refs/heads/b{number}")
    packs = both.server.path() / "objects" / "pack"
    wait_for(lambda: len(list(packs.glob("*.pack"))) <= PACKS_MAX)
    assert odd in both.git.text("ls-remote", both.server.url())


class TestChangesOfRefs:
    def test_a_lock_that_a_killed_server_left_is_no_hindrance(
        self, server: Server, git: Git
    ) -> None:
        git.run("push", server.url(), "main")
        for name in ("refs/heads/main.lock", "refs/heads/two.lock", "packed-refs.lock"):
            (server.path() / name).touch()
        git.commit({"server.js": "two\n"})
        git.run("push", server.url(), "main", "main:two")
        git.run("push", server.url(), ":two", *(f"main:t{n}" for n in range(30)))

    def test_packed_refs_are_refs_like_others(self, both: Both) -> None:
        names = [f"main:refs/tags/deep/t{n}" for n in range(30)]
        both.push(*names)
        assert (both.server.path() / "packed-refs").exists()
        both.push("main:refs/tags/deep")
        both.push("main:refs/tags/deep/t1/below")
        both.git.commit({"server.js": "two\n"})
        both.push("--force", *names[:25])
        both.push(*(f":refs/tags/deep/t{n}" for n in range(30)))
        both.push("main:refs/tags/deep")

    def test_refs_that_are_packed_and_replaced_at_once_all_change(self, both: Both) -> None:
        both.push("main:one", "main:two", "main:deep/a")
        both.git.commit({"server.js": "two\n"})
        new = [f"main:t{n}" for n in range(30)]
        both.push("main:one", ":two", ":deep/a", "main:deep", *new)
