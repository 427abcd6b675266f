"""A router that begins again without its certificates is given them, though nothing changed."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.paas.certificates.conftest import Installation
from tests.paas.certificates.test_keeping import Platform, careless, shown
from tests.router.conftest import Router


@pytest.fixture
def began(tmp_path: Path) -> Any:
    (tmp_path / "router").mkdir()
    (tmp_path / "control").mkdir()
    router = Router(tmp_path / "router")
    yield router
    router.stop()


def test_a_router_that_lost_its_certificates_is_given_them_again(
    began: Router, tmp_path: Path, call: Any
) -> None:
    settings = Installation(
        installation="test-certificates",
        folder=tmp_path,
        router_port=began.address[1],
        router_tls_port=began.secure_address[1],
    )

    async def story() -> None:
        async with Platform(settings).running() as platform:
            await platform.add()
            before = await shown(settings, "shop.localhost", careless())
            await asyncio.to_thread(began.process.kill)
            await asyncio.to_thread(began.process.wait)
            (began.folder / "certificates.json").unlink()
            await asyncio.to_thread(began.start)
            assert await shown(settings, "shop.localhost", careless()) == before

    call(story())
