"""The builder that pushes meet."""

from collections.abc import Callable

import pytest

from paas.deploys import deploy
from tests.paas.deploys.pushing import Builder


@pytest.fixture
def builder(monkeypatch: pytest.MonkeyPatch) -> Callable[[Builder], None]:
    return lambda function: monkeypatch.setattr(deploy, "build_image", function)
