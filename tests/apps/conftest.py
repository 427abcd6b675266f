"""The platform that real apps are pushed to: that of the acceptance tests, for large apps."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import npm_commands
from tests.acceptance.conftest import make_installation, new_app
from tests.acceptance.installation import Installation
from tests.apps import whole
from tests.apps.generated import SELECTED

__all__ = ["new_app"]
POOL_BYTES = 16 << 30
SELECTED_S = 600
"""After so long CI begins with no further app."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--selected"):
        return
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    by_app = {item.name.partition("[")[2].rstrip("]"): item for item in here}
    wanted = [by_app.pop(app.name) for app in SELECTED if app.name in by_app]
    config.hook.pytest_deselected(items=list(by_app.values()))
    items[:] = [item for item in items if item not in here] + wanted


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    extra = {"PAAS_POOL_BYTES": str(POOL_BYTES), "PAAS_BOOT_TIMEOUT_S": "120"}
    found = make_installation(tmp_path_factory.mktemp("home"), **extra)
    try:
        found.up()
        yield found
    finally:
        removed = found.uninstall()
        left = found.leftovers()
    assert removed.status == 0, removed.text
    assert not left, "\n".join(left)


@pytest.fixture(scope="session")
def npm_environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    own = npm_commands.environment(tmp_path_factory.mktemp("npm") / "bin")
    return {**own, **npm_commands.PATIENT}


class Chosen:
    """What CI pushes, and leaves out rather than call it the platform's failure."""

    def __init__(self, *, selected: bool) -> None:
        self._is_selected = selected
        self._began_s = time.monotonic()
        self.left_out = 0

    def check_time(self) -> None:
        if self._is_selected and time.monotonic() - self._began_s > SELECTED_S:
            pytest.skip(f"the {SELECTED_S} s that CI has for real apps are over")

    def leave_out(self, why: str) -> None:
        """For an app that can't be made or built here without the platform either."""
        assert self._is_selected, why
        self.left_out += 1
        pytest.skip(why)


@pytest.fixture(scope="session")
def chosen(pytestconfig: pytest.Config) -> Iterator[Chosen]:
    found = Chosen(selected=pytestconfig.getoption("--selected"))
    yield found
    assert found.left_out <= len(SELECTED) // 2, "most of the apps can't be built here by anybody"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of docs/apps.md, as it is today."""
    reports = terminalreporter.getreports("passed")
    rows = [row for report in reports for name, row in report.user_properties if name == "row"]
    if rows:
        terminalreporter.write_line("\n".join((whole.HEAD, *map(str, rows))))
