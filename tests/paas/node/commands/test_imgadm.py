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


def answer(request: dict[str, Any], deleted: list[str]) -> dict[str, Any]:
    if request["verb"] == "images":
        return {"result": [IMAGE]}
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
    assert json.loads(capsys.readouterr().out) == [{"manifest": IMAGE, "zpool": "zones"}]
    assert imgadm.main(["get", str(IMAGE["uuid"])]) == 0
    assert json.loads(capsys.readouterr().out) == {"manifest": IMAGE, "zpool": "zones"}
    assert imgadm.main(["show", str(IMAGE["uuid"])]) == 0
    assert json.loads(capsys.readouterr().out) == IMAGE


def test_delete_says_so(deleted: list[str], capsys: Shown) -> None:
    assert imgadm.main(["delete", str(IMAGE["uuid"])]) == 0
    assert capsys.readouterr().out == f"Deleted image {IMAGE['uuid']}\n"
    assert deleted == [IMAGE["uuid"]]


@pytest.mark.parametrize("verb", ["get", "show", "delete"])
def test_an_image_that_is_not_installed_is_status_3(
    deleted: list[str], capsys: Shown, verb: str
) -> None:
    assert imgadm.main(["-E", verb, "absent"]) == 3
    human, machine = capsys.readouterr().err.splitlines()
    assert human == f"imgadm {verb}: error (ImageNotInstalled): image 'absent' is not installed"
    assert json.loads(machine)["code"] == "ImageNotInstalled"


def test_no_node_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Shown
) -> None:
    monkeypatch.setattr(Settings, "run", property(lambda self: tmp_path))
    assert imgadm.main(["list"]) == 1
    assert "error (Unavailable): no node answers" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["explode"], ["get"], ["list", "nonsense"]])
def test_wrong_usage_is_status_2(arguments: list[str], capsys: Shown) -> None:
    with pytest.raises(SystemExit) as ended:
        imgadm.main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: imgadm")
