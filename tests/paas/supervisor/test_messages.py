"""Where a failed start sends people to read: the file, or systemd's journal where it watches."""

import pytest

from paas.settings import Settings
from paas.supervisor import messages


def test_the_journal_is_named_where_systemd_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    assert messages.place(Settings()) == "journalctl -u paas.service"
    other = Settings(installation="second")
    assert messages.place(other) == "journalctl -u paas-second.service"


def test_the_file_is_named_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NOTIFY_SOCKET", "INVOCATION_ID"):
        monkeypatch.delenv(name, raising=False)
    assert messages.place(Settings()) == "/var/lib/smartplatform/logs/platform.log"
