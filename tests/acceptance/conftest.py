"""The real product under an installation of its own, for all acceptance tests together."""

import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from paas.settings import Settings
from tests.acceptance.developer import PROBE, Developer
from tests.acceptance.installation import Installation
from tests.names import new_name
from tests.ports import free_ports

NewApp = Callable[..., Developer]
BOOT_TIMEOUT_S = "12"
"""Long enough for a busy machine, short enough to wait for in a test."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.root)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="the platform is started by root only"))


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A running platform. Afterwards nothing of it may be left, whatever the tests did."""
    found = make_installation(tmp_path_factory.mktemp("home"), PAAS_BOOT_TIMEOUT_S=BOOT_TIMEOUT_S)
    try:
        found.up()
        yield found
    finally:
        removed = found.uninstall()
        left = found.leftovers()
    assert removed.status == 0, removed.text
    assert not left, "\n".join(left)


@pytest.fixture
def new_app(platform: Installation, tmp_path: Path) -> Iterator[NewApp]:
    """`new_app()` is an app that nothing was pushed to yet, with the probe as its working copy."""
    made: list[Developer] = []

    def make(sample: Path = PROBE, prefix: str = "app") -> Developer:
        name = f"{prefix}-{secrets.token_hex(3)}"
        folder = tmp_path / name
        folder.mkdir()
        developer = Developer(platform, name, folder)
        developer.git("init", "--quiet", "--initial-branch=main")
        platform.paas("create", name, folder=folder)
        made.append(developer)
        developer.copy(sample)
        developer.commit("First version")
        return developer

    yield make
    for developer in made:
        platform.paas("destroy", developer.app, "--confirm", developer.app, check=False)
        shutil.rmtree(developer.folder, ignore_errors=True)
    platform.settled()


@pytest.fixture
def app(new_app: NewApp) -> Developer:
    """The probe, deployed and answering."""
    developer = new_app()
    developer.push()
    assert developer.get().text == "one"
    return developer


@pytest.fixture
def other_installation(tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    """Further installations beside the shared one, removed afterwards."""
    made: list[Installation] = []

    def make(**extra: str) -> Installation:
        made.append(make_installation(tmp_path, **extra))
        return made[-1]

    yield make
    for installation in made:
        installation.uninstall()
    left = [line for installation in made for line in installation.leftovers()]
    assert not left, "\n".join(left)


def make_installation(home: Path, **extra: str) -> Installation:
    router, control = free_ports(2)
    name = new_name("test")
    settings = Settings(installation=name, router_port=router, control_port=control)
    return Installation(settings, home, extra)
