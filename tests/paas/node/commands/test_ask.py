"""The commands' own way to ask the node: whole answers, each within its time, and no event loop."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paas.node import protocol
from paas.node.commands import ask
from paas.node.commands.ask import Node
from paas.node.errors import NodeError
from router.wire import frames

NOT_LOADED = ("asyncio", "concurrent", "logging", "ssl", "uuid")


@contextmanager
def a_node(path: Path, answer: Callable[[socket.socket], None]) -> Iterator[Node]:
    """One that reads one request and answers it so."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(30)
            size_bytes = frames.length(connection.recv(frames.HEADER_BYTES, socket.MSG_WAITALL))
            connection.recv(size_bytes, socket.MSG_WAITALL)
            answer(connection)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(30)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield Node(path)
        finally:
            thread.join(60)


def test_an_answer_that_comes_in_pieces_is_whole(tmp_path: Path) -> None:
    machines = [{"uuid": "u", "alias": "a" * 3_000_000}]

    def answer(connection: socket.socket) -> None:
        connection.sendall(protocol.result(machines))

    with a_node(tmp_path / "s", answer) as node:
        assert node.ask("list") == machines


def test_what_the_node_refuses_keeps_its_code(tmp_path: Path) -> None:
    refused = NodeError("VmNotFound", "there is none", "Look with vmadm list.")

    def answer(connection: socket.socket) -> None:
        connection.sendall(protocol.refusal(refused))

    with a_node(tmp_path / "s", answer) as node, pytest.raises(NodeError) as caught:
        node.ask("get", uuid="u")
    assert (caught.value.code, str(caught.value)) == ("VmNotFound", refused.advice)


def test_events_come_until_the_node_goes(tmp_path: Path) -> None:
    def answer(connection: socket.socket) -> None:
        connection.sendall(protocol.event({"type": "ready"}) + protocol.event({"type": "modify"}))

    with a_node(tmp_path / "s", answer) as node:
        stream = node.events()
        assert [next(stream)["type"], next(stream)["type"]] == ["ready", "modify"]
        with pytest.raises(NodeError, match="closed the connection"):
            next(stream)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (b"\xff\xff\xff\xff", "is over"),
        (b"\0\0\0\x02ab", "not JSON"),
        (b"\0\0\0\x09{", "closed the connection"),
    ],
)
def test_what_is_no_answer_is_a_node_that_is_not_there(
    tmp_path: Path, words: bytes, said: str
) -> None:
    with (
        a_node(tmp_path / "s", lambda connection: connection.sendall(words)) as node,
        pytest.raises(NodeError, match=said) as caught,
    ):
        node.ask("list")
    assert caught.value.code == "Unavailable"


def test_a_node_that_does_not_answer_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ask, "ANSWER_TIMEOUT_S", 0.05)
    given_up = threading.Event()

    def answer(_connection: socket.socket) -> None:
        given_up.wait(30)

    with a_node(tmp_path / "s", answer) as node:
        with pytest.raises(NodeError, match="did not answer") as caught:
            node.ask("list")
        given_up.set()
    assert caught.value.code == "Unavailable"


def test_no_node_is_said(tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="no node answers") as caught:
        Node(tmp_path / "none").ask("list")
    assert caught.value.code == "Unavailable"


@pytest.mark.parametrize("command", ["vmadm", "imgadm"])
def test_a_command_loads_nothing_that_it_does_not_use(command: str) -> None:
    program = f"import sys, paas.node.commands.{command}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded & {*NOT_LOADED} == set()
    ours = {name for name in done.stdout.split() if name.startswith("paas.node.")}
    assert not any(name.startswith(("paas.node.zone", "paas.node.server")) for name in ours)
