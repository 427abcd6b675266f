"""Client and server over a real socket, events, and vmadm's words; without root."""

import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from paas.node import client, protocol
from paas.node.client import Node
from paas.node.commands import vmadm
from paas.node.errors import NodeError
from paas.node.machines import lookup
from paas.node.server import events, requests

UUID = "11111111-2222-4333-8444-555555555555"


def _with_server(
    path: Path,
    answer: Callable[[socket.socket], Awaitable[None]],
    story: Callable[[], Awaitable[Any]],
) -> Any:
    async def run() -> Any:
        listener = requests.listen(path)
        task = asyncio.ensure_future(requests.serve(listener, answer))
        try:
            return await asyncio.wait_for(story(), 60)
        finally:
            task.cancel()
            listener.close()

    return asyncio.run(run())


def test_descriptors_travel_with_a_large_request(tmp_path: Path) -> None:
    async def answer(connection: socket.socket) -> None:
        request = await requests.read(connection)
        assert request is not None
        os.write(request.descriptors[1], b"hello")
        request.close()
        connection.send(protocol.result({"code": len(request.message["command"][0]) % 256}))
        connection.close()

    async def story() -> None:
        read, write = os.pipe()
        status = await Node(tmp_path / "s").exec(
            "u", ["x" * 300_001], stdin=read, stdout=write, stderr=write
        )
        assert status.code == 300_001 % 256
        assert os.read(read, 10) == b"hello"
        os.close(read)
        os.close(write)

    _with_server(tmp_path / "s", answer, story)


def test_an_answer_counts_that_is_there_before_the_caller_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung_up = threading.Event()

    class Slow(socket.socket):
        """Of a caller that gets no processor between sending its request and all that follows."""

        def sendmsg(self, *arguments: Any) -> int:
            sent = super().sendmsg(*arguments)
            assert hung_up.wait(30)
            return sent

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            _, descriptors, _, _ = socket.recv_fds(connection, 1000, 3)
            for descriptor in descriptors:
                os.close(descriptor)
            connection.sendall(protocol.result({"code": 7}))
        hung_up.set()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        thread = threading.Thread(target=answer)
        thread.start()
        monkeypatch.setattr(client.socket, "socket", Slow)
        status = asyncio.run(Node(tmp_path / "s").exec("u", ["x"], stdin=0, stdout=1, stderr=2))
        thread.join(30)
    assert status.code == 7


@pytest.mark.parametrize("mib", [9, 65])
def test_a_request_that_is_too_large_is_not_taken_for_a_missing_node(
    tmp_path: Path, mib: int
) -> None:
    with pytest.raises(NodeError, match="bytes") as caught:
        asyncio.run(Node(tmp_path / "none").create({"alias": "a" * mib * 1024 * 1024}))
    assert caught.value.code == "InvalidRequest"


def test_vmadm_says_when_its_output_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def answer(connection: socket.socket) -> None:
        await requests.read(connection)
        connection.send(protocol.result({"uuid": "u"}))
        connection.close()

    async def story() -> int:
        return await asyncio.to_thread(vmadm.main, ["get", UUID])

    monkeypatch.setattr(vmadm, "load", lambda: SimpleNamespace(node_socket=tmp_path / "s"))
    with contextlib.suppress(OSError), Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert _with_server(tmp_path / "s", answer, story) == 1
        assert full.closed
    assert capsys.readouterr().err == "output: No space left on device\n"


def test_an_error_keeps_its_code_and_a_missing_node_is_said(tmp_path: Path) -> None:
    async def answer(connection: socket.socket) -> None:
        await requests.read(connection)
        connection.send(protocol.refusal(NodeError("VmNotFound", "No such zone configured")))
        connection.close()

    async def story() -> None:
        await Node(tmp_path / "s").delete("u")
        with pytest.raises(NodeError) as caught:
            await Node(tmp_path / "s").get("u")
        assert caught.value.code == "VmNotFound"
        with pytest.raises(NodeError) as caught:
            await Node(tmp_path / "none").list()
        assert caught.value.code == "Unavailable"

    _with_server(tmp_path / "s", answer, story)


def test_an_event_tells_what_changed_in_vminfods_form() -> None:
    old = {"uuid": "u", "state": "stopped", "tags": {"a": "1"}}
    new = {"uuid": "u", "state": "running", "tags": {"a": "1", "b": "2"}, "pid": 7}
    event = events.between(old, new)
    assert event is not None
    assert (event["type"], event["zonename"]) == ("modify", "u")
    actions = {change["prettyPath"]: change["action"] for change in event["changes"]}
    assert actions == {"pid": "added", "state": "changed", "tags.b": "added"}
    assert events.between(new, new) is None


def test_a_key_with_dots_is_found() -> None:
    assert lookup.value({"tags": {"a.b": 1}, "nics": [{"ip": "x"}]}, "tags.a.b") == 1
