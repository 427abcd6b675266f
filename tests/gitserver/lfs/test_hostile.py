"""Requests for large files that no git-lfs would make."""

import base64
import gzip
import hashlib
import json
import os
import socket
from collections.abc import Iterator

import httpx
import pytest

from gitserver.interface import Limits
from gitserver.lfs import store
from tests.gitserver.conftest import TOKEN, Server, wait_for

CONTENT = b"content"
OID = hashlib.sha256(CONTENT).hexdigest()
TIMEOUT_S = 60


def put(
    server: Server, content: bytes | Iterator[bytes] = CONTENT, oid: str = OID, **headers: str
) -> httpx.Response:
    url = f"{server.url()}/info/lfs/objects/{oid}"
    return httpx.put(url, content=content, headers=headers, timeout=TIMEOUT_S)


def ask(server: Server, body: object) -> httpx.Response:
    url = f"{server.url()}/info/lfs/objects/batch"
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(url, content=content, timeout=TIMEOUT_S)


def stored(server: Server) -> list[str]:
    return store.older_than(server.path(), -1)


def test_what_is_sent_is_kept_and_given(server: Server) -> None:
    assert put(server).status_code == 200
    assert put(server).status_code == 200
    got = httpx.get(f"{server.url()}/info/lfs/objects/{OID}", timeout=TIMEOUT_S)
    assert got.content == CONTENT
    verify = f"{server.url()}/info/lfs/verify"
    for size, status in ((len(CONTENT), 200), (1, 404)):
        question = {"oid": OID, "size": size}
        assert httpx.post(verify, json=question, timeout=TIMEOUT_S).status_code == status
    assert store.place_of(server.path(), OID).stat().st_mode & 0o777 == 0o444


def test_content_that_is_not_its_name_is_refused(server: Server) -> None:
    answer = put(server, b"another")
    assert answer.status_code == 422 and OID in answer.json()["message"]
    assert stored(server) == []


@pytest.mark.parametrize(
    "oid", ["..", "../../config", "A" * 64, "a" * 63, "a" * 65, "%2e%2e", "a" * 64 + "/x", "batch"]
)
def test_only_64_digits_name_a_file(server: Server, oid: str) -> None:
    assert put(server, oid=oid).status_code in (403, 404, 422)
    assert stored(server) == []
    assert not (server.path() / "lfs").exists()


def test_the_length_has_to_be_said(server: Server) -> None:
    def parts() -> Iterator[bytes]:
        yield CONTENT

    assert put(server, parts()).status_code == 411
    assert stored(server) == []


def test_a_compressed_bomb_ends_at_the_length_that_was_said(server: Server) -> None:
    bomb = gzip.compress(bytes(50 * 1024 * 1024))
    answer = put(server, bomb, **{"content-encoding": "gzip"})
    assert answer.status_code == 422 and "longer than was said" in answer.json()["message"]
    assert stored(server) == []


def test_nothing_stays_of_a_client_that_goes(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(
            f"PUT /hello.git/info/lfs/objects/{OID} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: Basic {_basic()}\r\nContent-Length: 5000000\r\n\r\n".encode()
            + os.urandom(2_000_000)
        )
        incoming = server.repositories / ".incoming"
        wait_for(lambda: bool(list(incoming.glob("lfs-*"))))
    wait_for(lambda: not list(incoming.glob("lfs-*")))
    assert stored(server) == []
    assert put(server).status_code == 200, "its place is free again"


def test_a_repository_that_is_gone_is_not_made_again(server: Server) -> None:
    url = server.url("gone")
    answer = httpx.put(f"{url}/info/lfs/objects/{OID}", content=CONTENT, timeout=TIMEOUT_S)
    assert answer.status_code == 404 and "no app gone" in answer.json()["message"]
    assert not server.path("gone").exists()


@pytest.mark.parametrize("method", ["POST", "PUT", "GET"])
def test_nobody_is_let_in_without_credentials(server: Server, method: str) -> None:
    url = server.url(credentials="")
    service = "batch" if method == "POST" else OID
    answer = httpx.request(method, f"{url}/info/lfs/objects/{service}", timeout=TIMEOUT_S)
    assert answer.status_code == 401 and "Basic" in answer.headers["www-authenticate"]


def entry(**changes: object) -> dict[str, object]:
    return {"oid": OID, "size": 7, **changes}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"[" * 100_000, {}, {"operation": "delete", "objects": []},
        {"operation": "upload"}, {"operation": "upload", "objects": [1]},
        {"operation": "upload", "objects": [entry(oid="../x")]},
        {"operation": "upload", "objects": [entry(size=-1)]},
        {"operation": "upload", "objects": [entry(size=True)]},
        {"operation": "upload", "objects": [entry(size=2**60)]},
        {"operation": "upload", "objects": [entry(size=1.5)]},
        {"operation": "upload", "objects": [entry()] * 1001},
        {"operation": "upload", "objects": [], "hash_algo": "md5"},
        {"operation": "upload", "objects": [], "transfers": ["tus"]},
        b"x" * (2 * 1024 * 1024),
    ],
)  # fmt: skip
def test_a_request_that_is_no_batch_is_answered_in_words(server: Server, body: object) -> None:
    answer = ask(server, body)
    assert answer.status_code == 422 and answer.json()["message"]


def test_a_batch_says_what_to_send_and_what_to_fetch(server: Server) -> None:
    base = f"http://127.0.0.1:{server.port}/hello.git/info/lfs"
    [first] = ask(server, {"operation": "upload", "objects": [entry()]}).json()["objects"]
    assert first["actions"]["upload"]["href"] == f"{base}/objects/{OID}"
    [absent] = ask(server, {"operation": "download", "objects": [entry()]}).json()["objects"]
    assert absent["error"]["code"] == 404
    put(server)
    [here] = ask(server, {"operation": "upload", "objects": [entry()]}).json()["objects"]
    assert "actions" not in here
    [there] = ask(server, {"operation": "download", "objects": [entry()]}).json()["objects"]
    assert there["actions"]["download"]["href"] == f"{base}/objects/{OID}"


class TestDisk:
    @pytest.fixture
    def limits(self) -> Limits:
        return Limits(lfs_free_bytes=2**60)

    def test_a_full_disk_takes_no_more(self, server: Server) -> None:
        answer = put(server)
        assert answer.status_code == 507 and "nearly full" in answer.json()["message"]


def _basic() -> str:
    return base64.b64encode(f"any:{TOKEN}".encode()).decode()
