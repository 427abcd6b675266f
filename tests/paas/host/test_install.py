"""The systemd unit: what is written, and that systemd accepts it."""

import shutil
import subprocess
from pathlib import Path

import pytest

from paas.cli import main
from paas.host import units
from paas.host.install import START_TIMEOUT_S, install
from paas.settings import Settings
from paas.supervisor.supervise import READY_TIMEOUT_S, REASON_TIMEOUT_S


def test_install_writes_a_unit_below_the_given_root_and_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAAS_INSTALLATION", "test-install")
    assert main(["install", "--root", str(tmp_path)]) == 0
    unit = tmp_path / "etc/systemd/system/paas-test-install.service"
    assert capsys.readouterr().err == f"wrote {unit}\n"
    text = unit.read_text()
    assert "KillMode=process\n" in text
    assert "PAAS_INSTALLATION=test-install PAAS_ROUTER_PORT=80\n" in text


def test_systemd_waits_for_the_platform_and_keeps_its_sockets() -> None:
    lines = units.service(Settings(), Path("/bin/paas")).splitlines()
    assert "Type=notify" in lines
    keeps = next(line for line in lines if line.startswith("FileDescriptorStoreMax="))
    assert int(keeps.partition("=")[2]) >= 7, "two families each of http, https, control; its file"
    asked_for_s = READY_TIMEOUT_S + REASON_TIMEOUT_S
    assert units.START_TIMEOUT_S + asked_for_s < START_TIMEOUT_S, "systemd's reason comes first"


def test_the_default_installation_has_the_short_name() -> None:
    assert units.unit_name(Settings()) == "paas.service"


def test_a_program_path_with_blanks_and_signs_is_quoted() -> None:
    text = units.service(Settings(), Path('/opt/a "b" %h $HOME/paas'))
    assert 'ExecStart="/opt/a \\"b\\" %%h $$HOME/paas" up\n' in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    settings = Settings(installation="test-install")
    list(install(settings, Path("/bin/true"), tmp_path))
    unit = tmp_path / "etc/systemd/system" / units.unit_name(settings)
    answer = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_LOG_LEVEL": "warning"},
    )
    ours = [line for line in answer.stderr.splitlines() if unit.name in line]
    assert ours == []
