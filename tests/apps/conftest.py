"""The platform that real apps are pushed to: that of the acceptance tests, for large apps."""

from collections.abc import Iterator

import pytest

from tests import npm_commands
from tests.acceptance.conftest import make_installation, new_app
from tests.acceptance.installation import Installation

__all__ = ["new_app"]
POOL_BYTES = 16 << 30


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
    return npm_commands.environment(tmp_path_factory.mktemp("npm") / "bin")
