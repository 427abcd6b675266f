"""A node for the module's builds, and a folder whose builds are swept away afterwards."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from paas import builder
from tests.paas.node.conftest import RunningNode, running_node

__all__ = ["running_node"]


@pytest.fixture
def folder(running_node: RunningNode, tmp_path: Path) -> Iterator[Path]:
    running_node.settings.control_state.mkdir(parents=True, exist_ok=True)
    yield tmp_path
    asyncio.run(builder.sweep(running_node.client, nothing_claimed))


async def nothing_claimed() -> set[str]:
    return set()
