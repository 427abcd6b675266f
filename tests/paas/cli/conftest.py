"""`cli("ps", "-a", "hello")` runs the command against a fake API on the installation's socket."""

import io
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from types import ModuleType

import pytest

from paas.cli import main
from paas.settings import Settings


def _load(name: str) -> ModuleType:
    """A module beside this file (tests are no package under --import-mode=importlib)."""
    known = sys.modules.get(name)
    if known is not None:
        return known
    specification = util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert specification is not None and specification.loader is not None
    module = util.module_from_spec(specification)
    sys.modules[name] = module
    specification.loader.exec_module(module)
    return module


fake_api = _load("fake_api")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator["fake_api.FakeApi"]:
    """The fake API, reached as root reaches the real one."""
    folder = Path(tempfile.mkdtemp(prefix="paas-test-"))
    monkeypatch.setattr(Settings, "control_socket", folder / "control.sock")
    fake = fake_api.FakeApi()
    with fake_api.serving(fake, folder / "control.sock"):
        yield fake
    shutil.rmtree(folder)


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command line in an empty folder with an empty home."""
    for name in ("PAAS_API", "PAAS_TOKEN", "PAAS_APP", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PAAS_INSTALLATION", "test-cli")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)

    def run(*words: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capsys.readouterr()
        code = main(list(words))
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run
