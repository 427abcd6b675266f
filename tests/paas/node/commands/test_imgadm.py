"""imgadm against a node's socket: what it prints where, and its exit status."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from paas.node.commands import imgadm
from paas.settings import Settings
from router.wire import frames

IMAGE = {
    "uuid": "f669428c-a939-11e2-a485-b790efc0f0c1",
    "name": "base",
    "version": "1",
    "os": "linux",
    "type": "lx-dataset",
    "published_at": "2026-11-22T15:04:05.006Z",
    "tags": {"smartplatform:role": "base"},
}

RECORD = {"manifest": IMAGE, "zpool": "zones", "source": "", "machines": ["m"], "images": []}
SHOWN = {"manifest": IMAGE, "zpool": "zones", "clones": 1}
ABSENT = "00000000-0000-4000-8000-000000000000"


def answer(request: dict[str, Any], deleted: list[str]) -> dict[str, Any]:
    if request["verb"] == "image_records":
        return {"result": [RECORD]}
    if request["uuid"] != IMAGE["uuid"]:
        message = f"image {request['uuid']!r} is not installed"
        return {"error": {"code": "ImageNotInstalled", "message": message}}
    if request["verb"] == "delete_image":
        deleted.append(request["uuid"])
    return {"result": IMAGE}


@pytest.fixture
def deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A node that has one image; what it was asked to delete."""
    gone: list[str] = []
    started, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await frames.read(reader)
        assert request is not None
        writer.write(frames.encode(answer(request, gone)))
        await writer.drain()
        writer.close()

    async def serve() -> None:
        async with await asyncio.start_unix_server(handle, tmp_path / "node.sock"):
            started.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert started.wait(10)
    monkeypatch.setattr(Settings, "run", property(lambda self: tmp_path))
    with contextlib.ExitStack() as stack:
        stack.callback(loop.close)
        stack.callback(thread.join, 10)
        stack.callback(loop.call_soon_threadsafe, ended.set)
        yield gone


Shown = pytest.CaptureFixture[str]


def test_list_is_a_table(deleted: list[str], capsys: Shown) -> None:
    assert imgadm.main(["list"]) == 0
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == ["UUID", "NAME", "VERSION", "OS", "TYPE", "PUB"]
    assert row.split() == [IMAGE["uuid"], "base", "1", "linux", "lx-dataset", "2026-11-22"]


def test_list_takes_fields_filters_and_no_header(deleted: list[str], capsys: Shown) -> None:
    arguments = ["list", "-H", "-o", "name,tags.smartplatform:role,origin"]
    assert imgadm.main([*arguments, "os=linux"]) == 0
    assert capsys.readouterr().out == "base  base  -\n"
    assert imgadm.main([*arguments, "os=smartos"]) == 0
    assert capsys.readouterr().out == ""


def test_json_holds_manifest_and_pool(deleted: list[str], capsys: Shown) -> None:
    assert imgadm.main(["list", "-j"]) == 0
    assert json.loads(capsys.readouterr().out) == [SHOWN]
    assert imgadm.main(["get", str(IMAGE["uuid"])]) == 0
    assert json.loads(capsys.readouterr().out) == SHOWN
    assert imgadm.main(["show", str(IMAGE["uuid"])]) == 0
    assert json.loads(capsys.readouterr().out) == IMAGE


def test_delete_says_so(deleted: list[str], capsys: Shown) -> None:
    assert imgadm.main(["delete", str(IMAGE["uuid"])]) == 0
    assert capsys.readouterr().out == f"Deleted image {IMAGE['uuid']}\n"
    assert deleted == [IMAGE["uuid"]]


@pytest.mark.parametrize("verb", ["get", "delete", "ancestry", "update"])
def test_an_image_that_is_not_installed_is_status_3(
    deleted: list[str], capsys: Shown, verb: str
) -> None:
    assert imgadm.main(["-E", verb, ABSENT]) == 3
    human, machine = capsys.readouterr().err.splitlines()
    assert human.startswith(f"imgadm {verb}: error (ImageNotInstalled): image ")
    assert human.endswith("is not installed")
    assert json.loads(machine)["code"] == "ImageNotInstalled"


def test_no_node_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    monkeypatch.setattr(Settings, "run", property(lambda self: tmp_path))
    assert imgadm.main(["list"]) == 1
    assert "error (Unavailable): no node answers" in capsys.readouterr().err


USAGE = [[], ["explode"], ["get"], ["list", "nonsense"], ["list", "-x"], ["install"], ["delete"]]
USAGE += [["sources", "-a", "http://a", "-c"], ["create", ABSENT, "-c", "zstd"], ["list", "-o"]]
USAGE += [
    ["publish", "http://a"],
    ["create"],
    ["create", ABSENT, "-o", "a", "-p", "b"],
    ["help", "x"],
]
USAGE += [["install", "-m", "/absent", "-f", "/absent"], ["sources", "-a", "http://a", "-t", "x"]]


@pytest.mark.parametrize("arguments", USAGE)
def test_wrong_usage_is_status_2(
    arguments: list[str], capsys: Shown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Settings, "state", property(lambda self: tmp_path))
    assert imgadm.main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: imgadm")


REFUSED = [
    ["list", "-o", "colour"],
    ["list", "-s", "colour"],
    ["list", "colour=red"],
    ["list", "--docker"],
    ["get", "x"],
    ["get", "-P", "tank", ABSENT],
    ["show", ABSENT],
    ["import", ABSENT],
    ["import", "-C", "dev", ABSENT],
    ["create", "-s", "x", ABSENT],
    ["sources", "-a", "http://a", "-t", "docker"],
    ["sources", "--add-docker-hub"],
    ["sources", "-a", "file:///etc/passwd"],
    ["sources", "-a", "http://a/?channel=dev"],
    ["sources", "-a", "http://127.0.0.1:1"],
]


@pytest.mark.parametrize("arguments", REFUSED)
def test_what_can_not_be_done_is_refused_by_name(
    deleted: list[str],
    arguments: list[str],
    capsys: Shown,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(Settings, "state", property(lambda self: tmp_path))
    assert imgadm.main(arguments) == 1
    said = capsys.readouterr()
    assert said.err.startswith(f"imgadm {arguments[0]}: error (") and said.out == ""


def test_sources_are_kept(capsys: Shown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(Settings, "state", property(lambda self: tmp_path))

    def said(*words: str) -> str:
        assert imgadm.main(["sources", *words]) == 0
        return capsys.readouterr().out

    assert said() == ""
    assert said("-f", "-a", "http://a/") == 'Added "imgapi" image source "http://a/"\n'
    assert (
        said("-f", "-a", "http://a") == 'Already have "imgapi" image source "http://a", no change\n'
    )
    assert (
        said("-fk", "-a", "https://b", "-t", "imgapi")
        == 'Added "imgapi" image source "https://b"\n'
    )
    assert said() == "http://a\nhttps://b\n"
    assert json.loads(said("-j"))[1] == {"url": "https://b", "type": "imgapi", "insecure": True}
    monkeypatch.setenv("EDITOR", "sed -i 1d")
    assert said("-e") == 'Deleted "imgapi" image source "http://a"\n'
    monkeypatch.setenv("EDITOR", "true")
    assert said("-e") == "No change to image sources\n"
    assert said("-d", "http://a") == 'Do not have image source "http://a", no change\n'
    assert said("-d", "https://b") == 'Deleted "imgapi" image source "https://b"\n'
    (tmp_path / "imgadm/imgadm.conf").write_text("{")
    assert imgadm.main(["sources"]) == 1


def test_help_and_version(capsys: Shown) -> None:
    for words in (["help"], ["-h"], ["help", "import"], ["import", "-h"], ["--version"]):
        assert imgadm.main(words) == 0
        assert "imgadm" in capsys.readouterr().out
