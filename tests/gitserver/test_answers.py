"""What a client is told: every refusal reaches the person in words, and no answer is a lie."""

import asyncio
from collections.abc import Mapping

import pytest

from gitserver import Limits, Push, trees
from gitserver.protocol.commands import HeadParser
from gitserver.protocol.packets import FLUSH, encode
from gitserver.refchanges import Names
from tests.gitserver import wire
from tests.gitserver.conftest import Git, Server, wait_for
from tests.gitserver.test_push import refs

BANDED = "report-status side-band-64k"


class TestManyRefs:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(updates=50, refs=120)

    def test_too_many_refs_of_one_push_are_refused_in_words(self, server: Server, git: Git) -> None:
        said = git.error("push", server.url(), *(f"main:t{n}" for n in range(51)))
        assert "a push may change at most 50 refs" in said
        assert said.count("[remote rejected]") == 51
        assert "git push paas main" in said
        assert server.pushes == []
        git.run("push", server.url(), *(f"main:t{n}" for n in range(50)))

    def test_too_many_refs_of_a_repository_are_refused_in_words(
        self, server: Server, git: Git
    ) -> None:
        for start in (0, 50):
            git.run("push", server.url(), *(f"main:t{n + start}" for n in range(50)))
        said = git.error("push", server.url(), *(f"main:u{n}" for n in range(50)))
        assert "a repository may have 120 refs" in said
        assert len(refs(server)) == 100


def test_over_a_thousand_tags_can_be_pushed_and_deleted(server: Server, git: Git) -> None:
    names = [f"v1.{number}" for number in range(1100)]
    tip = git.text("rev-parse", "HEAD")
    lines = "".join(f"create refs/tags/{name} {tip}\n" for name in names)
    git.run("update-ref", "--stdin", stdin=lines.encode())
    git.run("push", "-q", server.url(), "main", "--tags")
    assert len(refs(server)) == 1101
    lines = "".join(f"delete refs/tags/{name}\n" for name in names[100:])
    git.run("update-ref", "--stdin", stdin=lines.encode())
    git.run("push", "-q", "--prune", server.url(), "refs/tags/*:refs/tags/*")
    assert len(refs(server)) == 101


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([b"nonsense"], "is no ref update"),
        ([f"{wire.ZERO} {'1' * 39} refs/heads/b".encode()], "is no ref update"),
        ([b"0001"], "a push has no such packet"),
        ([b"zzzz"], "is not the length of a packet"),
        ([b"0003"], "is not the length of a packet"),
    ],
)
def test_what_is_wrong_in_a_head_is_said_within_the_side_band(
    server: Server, lines: list[bytes], words: str
) -> None:
    first = encode(f"{wire.ZERO} {'1' * 40} refs/heads/a\0{BANDED}\n")
    raw = [b"0001", b"zzzz", b"0003"]
    rest = b"".join(line if line in raw else encode(line) for line in lines)
    answer = wire.post(server.url(), first + rest + FLUSH).content
    assert answer[4:5] in (b"\x01", b"\x02"), answer
    assert words.encode() in answer
    assert b"ng refs/heads/a unpacker error" in answer


def test_a_head_that_ends_too_soon_is_said_within_the_side_band(server: Server) -> None:
    body = encode(f"{wire.ZERO} {'1' * 40} refs/heads/a\0{BANDED}\n")
    answer = wire.post(server.url(), body).content
    assert answer[4:5] == b"\x02" and b"ends before its list of refs" in answer


def test_a_head_that_never_ends_is_refused_within_the_side_band(server: Server) -> None:
    body = encode(f"{wire.ZERO} {'1' * 40} refs/heads/a\0{BANDED}\n")
    body += encode(b"shallow " + b"1" * 40) * 200_000
    answer = wire.post(server.url(), body).content
    assert answer[4:5] == b"\x02" and b"the list of refs is too long" in answer


def test_too_many_push_options_are_refused_in_words(server: Server, git: Git) -> None:
    options = [word for number in range(101) for word in ("-o", str(number))]
    said = git.error("push", *options, server.url(), "main")
    assert "too many or too long push options" in said
    assert "[remote rejected] main -> main" in said


def test_a_repository_that_vanishes_while_git_sends_is_said_in_words(
    server: Server, git: Git
) -> None:
    """Between the list of refs and the push: an app that was destroyed."""
    asked = []
    find = server.find

    async def vanishing(name: str, user: str) -> object:
        asked.append(name)
        return await find(name if len(asked) == 1 else "gone", user)

    server.find = vanishing  # type: ignore[method-assign, assignment]
    server.serving.app._find = vanishing  # type: ignore[assignment]
    said = git.error("push", server.url(), "main")
    assert "There is no app gone" in said
    assert "[remote rejected] main -> main" in said


def test_a_tag_pushed_to_a_branch_is_told_how_to_push_its_commit(server: Server, git: Git) -> None:
    git.run("tag", "-a", "v1.0", "-m", "One")
    said = git.error("push", server.url(), "v1.0:refs/heads/main")
    assert "v1.0 is an annotated tag" in said
    hint = "git push paas 'v1.0^{}:refs/heads/main'"
    assert hint in said
    git.run("remote", "add", "paas", server.url())
    words = [word.strip("'") for word in hint.split()[1:]]
    git.run(*words)
    assert refs(server) == {"refs/heads/main": git.text("rev-parse", "HEAD")}


def test_a_tag_of_an_odd_name_is_not_repeated_to_a_shell(server: Server, git: Git) -> None:
    git.run("tag", "-a", "$(x)", "-m", "One")
    said = git.error("push", server.url(), "$(x):refs/heads/main")
    assert "git push paas 'TAG^{}:refs/heads/main'" in said


class TestAtomic:
    def test_what_would_be_refused_in_the_end_is_refused_before_anything_is_judged(
        self, server: Server, git: Git
    ) -> None:
        git.run("push", server.url(), "main:taken")
        said = git.error("push", "--atomic", server.url(), "main", "main:taken/below")
        assert "would be a folder of another's" in said
        assert "main -> main (atomic push failed)" in said
        assert len(server.pushes) == 1

    def test_a_ref_of_an_atomic_push_stays_as_it_is_while_that_is_judged(
        self, server: Server, git: Git
    ) -> None:
        """Whoever accepts may have released already what can't be taken back."""
        git.run("push", server.url(), "main:beside")
        first, second = git.text("rev-parse", "main"), git.commit({"server.js": "two\n"})
        begun, go_on = asyncio.Event(), asyncio.Event()
        loop: list[asyncio.AbstractEventLoop] = []

        async def judge(push: Push) -> Mapping[str, str | None]:
            if push.atomic:
                trees.set_ref(push.path, "refs/heads/main", second)
                loop.append(asyncio.get_running_loop())
                begun.set()
                await go_on.wait()
            return {update.name: None for update in push.updates}

        server.judge = judge
        atomic = git.begin("push", "--atomic", server.url(), "main", "main:beside")
        wait_for(begun.is_set)
        other = git.at(git.folder.parent / "other")
        other.run("clone", "-q", str(git.folder), ".")
        for words in (["--force", "main:beside"], ["main:beside/x"], ["--atomic", "main:beside"]):
            said = other.error("push", *words[:-1], server.url(), words[-1])
            assert "rejected" in said, said
            assert "another push is changing it" in said or "folder of another" in said, said
        assert refs(server)["refs/heads/beside"] == first
        loop[0].call_soon_threadsafe(go_on.set)
        assert atomic.wait(60) == 0
        assert refs(server) == {"refs/heads/main": second, "refs/heads/beside": second}
        other.run("push", server.url(), "main:beside")

    def test_a_ref_that_was_set_already_is_never_reported_as_refused(
        self, server: Server, git: Git
    ) -> None:
        """Something beside the server moved the other ref: what is so, is said."""
        git.run("push", server.url(), "main:beside")
        first, second = git.text("rev-parse", "main"), git.commit({"server.js": "two\n"})
        third = git.commit({"server.js": "three\n"})
        git.run("push", server.url(), f"{third}:refs/heads/stored")

        async def judge(push: Push) -> Mapping[str, str | None]:
            trees.set_ref(push.path, "refs/heads/main", second)
            trees.set_ref(push.path, "refs/heads/beside", third)
            return {update.name: None for update in push.updates}

        server.judge = judge
        shown = git.error(
            "push", "--atomic", server.url(), f"{second}:refs/heads/main",
            f"{second}:refs/heads/beside", f"{first}:refs/heads/third",
        )  # fmt: skip
        assert "-> main (" not in shown
        assert "-> beside (the ref has changed meanwhile" in shown
        assert "-> third (atomic push failed)" in shown, shown


def test_names_clash_where_one_is_a_folder_of_the_other() -> None:
    names = Names(["refs/heads/a/b", "refs/heads/c"])
    assert [names.clash(name) for name in ("refs/heads/a", "refs/heads/c/d/e", "refs/heads/a/b",
            "refs/heads/a/bc", "refs/heads/ab")] == [True, True, False, False, False]  # fmt: skip
    assert names.touch("refs/heads/c")


def test_a_head_notes_its_first_fault_and_all_refs() -> None:
    parser = HeadParser(1)
    for number in range(3):
        line = f"{wire.ZERO} {str(number) * 40} refs/heads/{number}"
        assert not parser.feed(encode(line + ("\0" + BANDED if not number else "")))
    assert parser.feed(FLUSH + b"PACK")
    assert [update.name[-1] for update in parser.head.updates] == ["0", "1", "2"]
    assert parser.head.fault and "at most 1 refs" in parser.head.fault
    assert parser.rest == b"PACK"
