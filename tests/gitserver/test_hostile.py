"""Bytes that no honest client sends: each is refused, and the repository stays sound."""

import asyncio
import gzip
import os
import socket
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from gitserver import Limits, Push
from gitserver.protocol.packets import FLUSH, encode
from tests.gitserver import wire
from tests.gitserver.conftest import Git, Server, wait_for
from tests.gitserver.wire import BLOB, COMMIT, OFS_DELTA, REF_DELTA, TREE

BLOB_CONTENT = b"hello\n"
BLOB_ID = wire.object_id(BLOB, BLOB_CONTENT)
HELLO = wire.entry(BLOB, BLOB_CONTENT)
MIB = 1024 * 1024


def push_objects(server: Server, tip: bytes, entries: list[bytes]) -> str:
    body = wire.push_body(tip.hex(), wire.pack(entries))
    return wire.post(server.url(), body).text


def push_tree(server: Server, *trees: bytes) -> str:
    """A commit of the last tree; all are in the pack, and one blob."""
    top = wire.commit(wire.object_id(TREE, trees[-1]))
    entries = [HELLO, *(wire.entry(TREE, tree) for tree in trees)]
    return push_objects(server, wire.object_id(COMMIT, top), [*entries, wire.entry(COMMIT, top)])


def assert_refused(server: Server, answer: str, reason: str) -> None:
    assert reason in answer
    assert "ng refs/heads/main" in answer
    assert server.pushes == []
    assert list((server.path() / "objects" / "pack").iterdir()) == []


def test_a_sound_pack_made_by_hand_is_taken(server: Server) -> None:
    assert "ok refs/heads/main" in push_tree(server, wire.tree(("100644", b"a", BLOB_ID)))


@pytest.mark.parametrize(
    "name",
    [b"..", b".", b".git", b".GIT", b".Git ", b"git~1", b".git.", b".git\\x", b"a/b", b"/etc", b"",
     b".g\xe2\x80\x8cit", b"x" * 300],
)  # fmt: skip
def test_names_that_leave_the_tree_are_refused(server: Server, name: bytes) -> None:
    answer = push_tree(server, wire.tree(("100644", name, BLOB_ID)))
    assert_refused(server, answer, "unpack tree")


@pytest.mark.parametrize(
    "tree",
    [
        wire.tree(("100644", b"b", BLOB_ID), ("100644", b"a", BLOB_ID)),
        wire.tree(("100644", b"a", BLOB_ID), ("100644", b"a", BLOB_ID)),
        wire.tree(("100644", b"a", BLOB_ID), ("100644", b"a-", BLOB_ID), ("40000", b"a", BLOB_ID)),
        wire.tree(("100644", b"a", BLOB_ID))[:-3],
        wire.tree(("020666", b"device", BLOB_ID)),
        wire.tree(("99", b"a", BLOB_ID)),
        b"no tree at all",
    ],
)
def test_malformed_trees_are_refused(server: Server, tree: bytes) -> None:
    assert_refused(server, push_tree(server, tree), "unpack tree")


def test_a_missing_object_is_named(server: Server) -> None:
    missing = b"\x11" * 20
    answer = push_tree(server, wire.tree(("100644", b"a", missing)))
    assert_refused(server, answer, f"the blob {missing.hex()} is missing")


def test_a_tip_that_was_not_sent_is_refused(server: Server) -> None:
    answer = push_objects(server, b"\x22" * 20, [HELLO])
    assert_refused(server, answer, "was not sent")


def test_a_branch_must_be_a_commit(server: Server) -> None:
    answer = push_objects(server, BLOB_ID, [HELLO])
    assert_refused(server, answer, "branches need commits")


def test_an_object_of_two_types_is_refused(server: Server) -> None:
    answer = push_tree(server, wire.tree(("40000", b"a", BLOB_ID)))
    assert_refused(server, answer, BLOB_ID.hex())


def test_an_object_that_is_there_twice_is_refused(server: Server) -> None:
    twice = [HELLO] * 2
    assert_refused(server, push_objects(server, BLOB_ID, twice), "twice")


@pytest.mark.parametrize(
    "pack",
    [
        b"PACK",
        b"JUNK" * 20,
        wire.pack([HELLO])[:-1] + b"x",
        wire.pack([HELLO])[:-4],
        wire.pack([HELLO], count=2),
        wire.pack([HELLO], count=0),
        wire.pack([HELLO], count=2**32 - 1),
        wire.pack([wire.entry(BLOB, BLOB_CONTENT, size=3)]),
        wire.pack([wire.entry(BLOB, BLOB_CONTENT, size=300)]),
        wire.pack([wire.entry(BLOB, BLOB_CONTENT, size=2**40)]),
        wire.pack([wire.entry(5, BLOB_CONTENT)]),
        wire.pack([b"\x36" + b"not zlib at all"]),
        wire.pack([wire.entry(OFS_DELTA, b"\x06\x06\x90\x06", base=b"\x7f")]),
        wire.pack([wire.entry(REF_DELTA, b"\x06\x06\x90\x06", base=b"\x33" * 20)]),
        wire.pack([HELLO, wire.entry(REF_DELTA, b"\x07\x06\x90\x06", base=BLOB_ID)]),
        wire.pack([HELLO, wire.entry(REF_DELTA, b"\x06", base=BLOB_ID)]),
        wire.pack([HELLO, wire.entry(REF_DELTA, b"\x06\x09\xb0\xff\xff", base=BLOB_ID)]),
    ],
)  # fmt: skip
def test_corrupt_packs_are_refused(server: Server, pack: bytes) -> None:
    answer = wire.post(server.url(), wire.push_body(BLOB_ID.hex(), pack)).text
    assert_refused(server, answer, "unpacker error")
    assert "unpack ok" not in answer
    assert "too much work" not in answer


def delta_bomb(size: int) -> list[bytes]:
    """A base of 64 KiB and a delta of a few KiB that copies it until `size` is reached."""
    base = bytes(65536)
    copies = size // 65536
    delta = wire.varint(65536) + wire.varint(size) + b"\x80" * copies
    return [
        wire.entry(BLOB, base),
        wire.entry(REF_DELTA, delta, base=wire.object_id(BLOB, base)),
    ]


def test_a_delta_bomb_is_refused_before_it_explodes(server: Server) -> None:
    """More than its memory would be needed for it: it would be refused for that."""
    answer = push_objects(server, BLOB_ID, delta_bomb(4096 * MIB))
    assert_refused(server, answer, "over the limit of 512 MiB")


def test_a_zlib_bomb_is_refused(server: Server) -> None:
    bomb = wire.entry(BLOB, bytes(200 * MIB), size=10)
    answer = push_objects(server, BLOB_ID, [bomb])
    assert_refused(server, answer, "longer than its header says")


class TestTightLimits:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(
            check_memory_bytes=128 * MIB, check_cpu_s=20, check_s=60, pack_bytes=2 * MIB,
            tree_entries=1000, inflated_bytes=400 * MIB,
        )  # fmt: skip

    def test_memory_is_limited(self, server: Server) -> None:
        answer = push_objects(server, BLOB_ID, delta_bomb(300 * MIB))
        assert_refused(server, answer, "128 MiB of memory")

    def test_all_objects_together_are_limited(self, server: Server) -> None:
        answer = push_objects(server, BLOB_ID, delta_bomb(450 * MIB))
        assert_refused(server, answer, "over 400 MiB when uncompressed")

    def test_a_few_trees_that_name_a_billion_files_are_refused(self, server: Server) -> None:
        trees = [wire.tree(*(("100644", b"%d" % n, BLOB_ID) for n in range(10)))]
        for _ in range(9):
            below = wire.object_id(TREE, trees[-1])
            trees.append(wire.tree(*(("40000", b"%d" % n, below) for n in range(10))))
        assert_refused(server, push_tree(server, *trees), "over 1000 files and folders")

    def test_a_pack_over_the_limit_is_refused_early(self, server: Server, git: Git) -> None:
        git.commit({"random.bin": os.urandom(20_000_000)})
        shown = git.error("push", server.url(), "main")
        assert "over the limit of 2 MiB" in shown
        assert "remote rejected" in shown
        assert server.pushes == []

    def test_an_announced_body_over_the_limit_is_not_read(self, server: Server) -> None:
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            head = encode(f"{wire.ZERO} {'1' * 40} refs/heads/main\0report-status") + FLUSH
            connection.sendall(
                b"POST /hello.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n"
                b"Authorization: Basic YW55OnNlY3JldC10b2tlbg==\r\n"
                b"Content-Type: application/x-git-receive-pack-request\r\n"
                b"Content-Length: 99999999\r\n\r\n" + head
            )
            connection.settimeout(10)
            received = b""
            while b"unpacker error" not in received:
                part = connection.recv(65536)
                assert part
                received += part
            assert b"over the limit of 2 MiB" in received


def test_deep_trees_are_refused_without_a_crash(server: Server) -> None:
    trees = [wire.tree(("100644", b"a", BLOB_ID))]
    for _ in range(5000):
        trees.append(wire.tree(("40000", b"d", wire.object_id(TREE, trees[-1]))))
    assert_refused(server, push_tree(server, *trees), "path longer than 4095 bytes")


def test_long_chains_of_deltas_are_resolved(server: Server) -> None:
    content = os.urandom(1000)
    entries = [wire.entry(BLOB, content)]
    id = wire.object_id(BLOB, content)
    for number in range(3000):
        delta = wire.varint(len(content)) + wire.varint(len(content) + 1)
        delta += b"\xb0" + struct.pack("<H", len(content)) + b"\x01" + bytes([number % 256])
        entries.append(wire.entry(REF_DELTA, delta, base=id))
        content += bytes([number % 256])
        id = wire.object_id(BLOB, content)
    tree = wire.tree(("100644", b"a", id))
    top = wire.commit(wire.object_id(TREE, tree))
    entries += [wire.entry(TREE, tree), wire.entry(COMMIT, top)]
    answer = push_objects(server, wire.object_id(COMMIT, top), entries)
    assert "ok refs/heads/main" in answer


@pytest.mark.parametrize(
    "body",
    [b"", b"zzzz", b"0003", b"0001", b"fff0", b"0010hello", encode("hello") + FLUSH,
     encode(f"{wire.ZERO} {'1' * 39} refs/heads/main\0") + FLUSH],
)  # fmt: skip
def test_nonsense_instead_of_a_push_is_answered(server: Server, body: bytes) -> None:
    answer = wire.post(server.url(), body)
    assert answer.status_code == 200
    assert answer.text[4:].startswith("ERR ")


@pytest.mark.parametrize(
    "ref",
    ["refs/heads/../../x", "HEAD", "refs/heads/a.lock", "refs/heads/a b", "refs/heads/",
     "/etc/passwd", "refs/heads/" + "a" * 300],
)  # fmt: skip
def test_names_of_refs_that_git_forbids_are_refused(server: Server, ref: str) -> None:
    body = wire.push_body("1" * 40, b"", ref=ref)
    assert f"ng {ref} " in wire.post(server.url(), body).text
    assert server.pushes == []


def test_a_compressed_push_is_read(server: Server) -> None:
    body = gzip.compress(wire.push_body(BLOB_ID.hex(), wire.pack([HELLO]), ref="refs/tags/a"))
    answer = wire.post(server.url(), body, content_encoding="gzip")
    assert "ok refs/tags/a" in answer.text


def test_a_gzip_bomb_is_not_swallowed_whole(server: Server) -> None:
    bomb = gzip.compress(bytes(300 * MIB))
    answer = wire.post(server.url(), bomb, service="git-upload-pack", content_encoding="gzip")
    assert "over 16777216 bytes" in answer.text


def test_a_broken_gzip_body_is_answered(server: Server) -> None:
    answer = wire.post(server.url(), b"not gzip", content_encoding="gzip")
    assert "corrupt" in answer.text


def test_the_probe_is_answered(server: Server) -> None:
    answer = wire.post(server.url(), b"0000")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/hello.git/info/refs", 403),
        ("GET", "/hello.git/info/refs?service=git-upload-archive", 403),
        ("GET", "/hello.git/git-receive-pack", 403),
        ("POST", "/hello.git/git-receive-pack", 403),
        ("GET", "/hello.git/HEAD", 404),
        ("GET", "/hello.git/objects/info/packs", 404),
        ("GET", "/a/hello.git/info/refs", 404),
    ],
)
def test_other_requests_are_refused(server: Server, method: str, path: str, status: int) -> None:
    url = server.url().removesuffix("/hello.git") + path
    assert httpx.request(method, url).status_code == status


def test_ctrl_c_is_seen_while_a_push_is_judged(server: Server, git: Git) -> None:
    seen: list[bool] = []

    async def judge(push: Push) -> Mapping[str, str | None]:
        await push.progress("-----> Building\n")
        await asyncio.wait_for(push.cancelled.wait(), 20)
        await push.progress("nobody reads this\n")
        seen.append(True)
        return {"refs/heads/main": "cancelled"}

    server.judge = judge
    with subprocess.Popen(
        ["git", "push", server.url(), "main"],
        cwd=git.folder, env=git.environment, stderr=subprocess.PIPE, process_group=0,
    ) as process:  # fmt: skip
        assert process.stderr
        assert b"Building" in process.stderr.readline()
        os.killpg(process.pid, 2)
    wait_for(lambda: bool(seen))


def test_a_client_that_does_not_read_can_not_stop_the_work(server: Server) -> None:
    done: list[bool] = []

    async def judge(push: Push) -> Mapping[str, str | None]:
        for _ in range(400):  # to wait for each of them would take minutes
            await push.progress("x" * 60_000 + "\n")
        done.append(True)
        return {"refs/tags/a": None}

    server.judge = judge
    pack = wire.pack([HELLO])
    command = f"{wire.ZERO} {BLOB_ID.hex()} refs/tags/a\0report-status side-band-64k"
    body = encode(command) + FLUSH + pack
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(
            b"POST /hello.git/git-receive-pack HTTP/1.1\r\nHost: x\r\n"
            b"Authorization: Basic YW55OnNlY3JldC10b2tlbg==\r\n"
            b"Content-Type: application/x-git-receive-pack-request\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body) + body
        )
        wait_for(lambda: bool(done))


def test_pushes_at_the_same_time_all_arrive(server: Server, git: Git) -> None:
    git.run("push", server.url(), "main")
    clones = []
    for number in range(4):
        clone = git.at(git.folder.parent / f"clone{number}")
        clone.run("clone", "-q", server.url(), ".")
        clone.commit({f"file{number}.txt": "x" * 1000})
        clones.append(clone)
    processes = [
        subprocess.Popen(
            ["git", "push", "-q", server.url(), f"HEAD:refs/heads/b{number}"],
            cwd=clone.folder,
            env=clone.environment,
        )
        for number, clone in enumerate(clones)
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert len(git.text("ls-remote", "--heads", server.url()).splitlines()) == 5


def test_of_two_pushes_to_one_branch_one_wins(server: Server, git: Git, tmp_path: Path) -> None:
    git.run("push", server.url(), "main")
    both = asyncio.Barrier(2)

    async def judge(push: Push) -> Mapping[str, str | None]:
        await asyncio.wait_for(both.wait(), 20)
        return {"refs/heads/main": None}

    server.judge = judge
    processes = []
    for number in range(2):
        clone = git.at(tmp_path / f"racer{number}")
        clone.run("clone", "-q", server.url(), ".")
        clone.commit({"who.txt": str(number)})
        processes.append(
            subprocess.Popen(
                ["git", "push", "-q", server.url(), "main"],
                cwd=clone.folder,
                env=clone.environment,
                stderr=subprocess.PIPE,
            )
        )
    errors = [process.communicate(timeout=60)[1] for process in processes]
    assert sorted(process.returncode for process in processes) == [0, 1]
    assert any(b"meanwhile" in error for error in errors)
