"""`run` returns when the daemon is ready, and else says why not with the daemon's last words."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from paas.errors import UserError
from paas.supervisor import background, notify

Ready = Callable[[], None]


def test_it_returns_when_the_daemon_is_ready(tmp_path: Path) -> None:
    def serve(ready: Ready) -> int:
        (tmp_path / "pid").write_text(str(os.getpid()))
        os.write(1, b"it goes on\n")
        ready()
        signal.pause()
        return 0

    background.run(tmp_path / "log", serve)
    pid = int((tmp_path / "pid").read_text())
    try:
        assert os.getsid(pid) != os.getsid(0)
        assert "it goes on" in (tmp_path / "log").read_text()
    finally:
        os.kill(pid, signal.SIGKILL)


def test_a_daemon_that_a_service_started_is_not_watched_by_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVOCATION_ID", "1" * 32)
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")

    def serve(ready: Ready) -> int:
        (tmp_path / "watched").write_text(str(notify.is_watched()))
        ready()
        return 0

    background.run(tmp_path / "log", serve)
    assert (tmp_path / "watched").read_text() == "False"


def test_the_reason_and_the_last_words_are_passed_on(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("of an earlier start\n")

    def serve(_ready: Ready) -> int:
        os.write(2, b"node: the pool is damaged\n")
        raise UserError("not_ready", "node did not become ready", "Ask somebody.")

    with pytest.raises(UserError, match="did not start: node did not become ready") as caught:
        background.run(tmp_path / "log", serve)
    assert "Ask somebody." in caught.value.hint
    assert "node: the pool is damaged" in caught.value.hint
    assert "earlier start" not in caught.value.hint


@pytest.mark.parametrize("end", ["killed", "raises", "returns"])
def test_a_daemon_that_ends_in_any_other_way_is_told_from_a_ready_one(
    tmp_path: Path, end: str
) -> None:
    def serve(_ready: Ready) -> int:
        if end == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if end == "raises":
            raise KeyError("a fault of ours")
        return 0

    with pytest.raises(UserError, match="did not start") as caught:
        background.run(tmp_path / "log", serve)
    if end == "raises":
        assert "a fault of ours" in caught.value.message
        assert "Traceback" in (tmp_path / "log").read_text()
