"""Control beside a damaged database: everybody is answered, and a restored one is taken up."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from paas.control import damaged
from paas.settings import Settings

SETTINGS = Settings(installation="test-damaged")
SENTENCE = "the database /x is damaged; its newest backup is /y"


async def ask(settings: Settings, path: str, *, owner: bool) -> tuple[int, bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {
        "type": "http", "method": "GET", "path": path, "headers": [],
        "query_string": b"service=git-receive-pack",
        "server": ("/run/x.sock", None) if owner else ("127.0.0.1", 8081),
    }  # fmt: skip
    await damaged.application(settings, SENTENCE)(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def test_the_owner_hears_the_sentence_and_others_that_there_is_one() -> None:
    status, body = asyncio.run(ask(SETTINGS, "/apps", owner=True))
    assert status == 503 and json.loads(body)["message"] == f"{SENTENCE}."
    status, body = asyncio.run(ask(SETTINGS, "/apps", owner=False))
    assert status == 503 and json.loads(body)["message"] == f"{damaged.FOR_OTHERS}."


def test_git_says_it_in_words() -> None:
    status, body = asyncio.run(ask(SETTINGS, "/hello.git/info/refs", owner=False))
    assert status == 200 and b"ERR " + damaged.FOR_OTHERS.encode() in body


def test_another_file_in_its_place_ends_the_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(damaged, "LOOK_EVERY_S", 0.01)
    path = tmp_path / "platform.db"
    path.write_text("damaged")

    async def story() -> None:
        served = asyncio.Event()

        async def serving() -> None:
            served.set()
            await asyncio.Event().wait()

        waiting = asyncio.create_task(damaged.until_replaced(path, serving))
        await served.wait()
        (tmp_path / "new").write_text("restored")
        (tmp_path / "new").rename(path)
        await waiting

    asyncio.run(story())


def test_control_that_is_told_to_end_leaves_one_file(tmp_path: Path) -> None:
    """uvicorn raises the signal once more, which must not end control before its database."""
    state = tmp_path / "state"
    listening = socket.create_server(("127.0.0.1", 0))
    listening.set_inheritable(True)
    port = listening.getsockname()[1]
    script = (
        "import asyncio, os, socket, sys\n"
        "from pathlib import Path\n"
        "from paas.control import main as control\n"
        "from paas.host.sockets import CONTROL, Listener\n"
        "from paas.settings import Settings\n"
        "listening = socket.socket(fileno=int(sys.argv[2]))\n"
        "control._listeners = lambda: [Listener(CONTROL, listening)]\n"
        "Settings.state = Path(sys.argv[1])\n"
        "Settings.run = Path(sys.argv[1]) / 'run'\n"
        "asyncio.run(control.serve(Settings(installation='test-damaged')))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(state), str(listening.fileno())],
        pass_fds=[listening.fileno()],
        cwd=Path(__file__).parents[3],
    ) as process:
        listening.close()
        # It waits in the socket until control serves; whoever has no token is refused.
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/account", timeout=120)
        database = state / "control" / "platform.db"
        assert database.exists()
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0
    assert [file.name for file in database.parent.glob("platform.db*")] == ["platform.db"]
