"""Which npm a build uses, and what is refused."""

from typing import Any

import pytest

from buildpacks.findings import Refused
from buildpacks.nodejs import manifest
from buildpacks.nodejs.npm.versions import for_runtime, resolve
from buildpacks.nodejs.package_manager import ManagerOffer
from buildpacks.plan import ManagerVersion
from tests.buildpacks.nodejs.trees import app

AVAILABLE = [
    *("6.14.18", "7.24.2", "8.19.4", "9.9.4", "10.2.4", "10.9.9", "11.17.0", "11.21.2", "12.2.0"),
]
OFFER = ManagerOffer("11.17.0", "^20.17.0 || >=22.9.0", AVAILABLE, {"24.19.0": "11.17.0"})


def resolved(
    offer: ManagerOffer = OFFER, nodejs: str = "24.19.0", **package: Any
) -> tuple[str, list[str]]:
    found, notices = resolve(manifest.read(app(**package)), nodejs, offer)
    return found.version, [notice.id for notice in notices]


def refusal(offer: ManagerOffer = OFFER, **package: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as raised:
        resolve(manifest.read(app(**package)), "24.19.0", offer)
    assert raised.value.failure.hint
    return raised.value.failure.id, raised.value.failure.message


@pytest.mark.parametrize(
    ("package", "version", "notices"),
    [
        ({}, "", []),
        ({"engines": {"npm": ">=9"}}, "", []),
        ({"engines": {"npm": "*"}}, "", []),
        ({"engines": {"npm": "latest"}}, "", []),
        ({"engines": {"npm": "11.x"}}, "", []),
        ({"engines": {"npm": "10.x"}}, "10.9.9", []),
        ({"engines": {"npm": "~10.2"}}, "10.2.4", []),
        ({"engines": {"npm": ">=11.18"}}, "12.2.0", []),
        ({"engines": {"npm": "6.x"}}, "6.14.18", ["npm_too_old"]),
        ({"packageManager": "npm@10.2.4"}, "10.2.4", []),
        ({"packageManager": "npm@11.17.0"}, "", []),
        ({"packageManager": "yarn@4.0.0"}, "", []),
        ({"packageManager": "npm@10.9.9", "engines": {"npm": ">=10"}}, "10.9.9", []),
        ({"devEngines": {"packageManager": {"name": "npm", "version": "9"}}}, "9.9.4", []),
        ({"devEngines": {"packageManager": {"name": "pnpm", "version": "9"}}}, "", []),
    ],
)
def test_the_npm_that_is_asked_for_is_used(package: Any, version: str, notices: list[str]) -> None:
    assert resolved(**package) == (version, notices)


def test_corepacks_checksum_is_kept() -> None:
    package = manifest.read(app(packageManager="npm@10.2.4+sha512.0abc"))
    found, _ = resolve(package, "24.19.0", OFFER)
    source = "packageManager in package.json"
    assert found == ManagerVersion("npm", "10.2.4", source, "10.2.4", "sha512.0abc")


@pytest.mark.parametrize(
    ("nodejs", "version"),
    [
        ("24.19.0", "11.17.0"),
        ("20.11.1", "10.9.9"),
        ("18.12.0", "9.9.4"),
        ("16.20.2", "9.9.4"),
        ("16.3.0", "8.19.4"),
        ("12.0.0", "7.24.2"),
    ],
)
def test_an_older_nodejs_gets_the_newest_npm_that_supports_it(nodejs: str, version: str) -> None:
    assert for_runtime(nodejs, OFFER) == version


def test_a_runtimes_own_npm_is_the_one_that_it_brings() -> None:
    offer = ManagerOffer("11.17.0", "^20.17.0 || >=22.9.0", AVAILABLE, {"20.11.1": "10.9.9"})
    assert resolved(offer, "20.11.1", engines={"npm": "10.x"}) == ("", [])
    assert resolved(offer, "20.11.1", engines={"npm": "11.x"}) == ("11.21.2", ["npm_too_old"])


def test_without_the_registry_an_exact_version_is_tried_and_a_range_refused() -> None:
    away = ManagerOffer("11.17.0", "*", [], {"24.19.0": "11.17.0"})
    assert resolved(away, packageManager="npm@10.2.4")[0] == "10.2.4"
    assert refusal(away, engines={"npm": "10.x"}) == (
        "npm_version_unavailable",
        "package.json asks for npm 10.x (engines.npm in package.json), and none such is on offer: "
        "the npm registry can't be reached",
    )


@pytest.mark.parametrize(
    ("package", "id_", "why"),
    [
        ({"engines": {"npm": "99"}}, "npm_version_unavailable", "the newest is 12.2.0"),
        ({"engines": {"npm": "ten"}}, "invalid_semver_requirement", "no version range"),
        ({"packageManager": "npm@ten"}, "invalid_package_manager", "names no version"),
        ({"packageManager": "npm@10.2.4", "engines": {"npm": "9.x"}},
         "npm_version_unavailable", "no version satisfies both"),
    ],
)  # fmt: skip
def test_a_request_that_can_not_be_met_is_refused(package: Any, id_: str, why: str) -> None:
    found, message = refusal(**package)
    assert (found, message.endswith(why)) == (id_, True), message
