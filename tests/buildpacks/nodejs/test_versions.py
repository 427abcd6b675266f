"""engines.node: which version an app gets, and what it is told."""

import json
import re
from datetime import date

import pytest

from buildpacks.findings import Notice, Refused
from buildpacks.nodejs import manifest, versions
from tests.buildpacks.nodejs.trees import Files, app

AVAILABLE = [
    *("18.20.8", "20.9.0", "20.20.2", "21.7.3", "22.11.0", "22.23.3", "23.11.1", "24.19.0"),
    *("24.21.0", "25.2.1", "26.10.0"),
]


def resolve(
    tree: Files,
    today: date = date(2026, 6, 1),
    installed: tuple[str, ...] = ("24.19.0",),
    default: str = "",
    last_major: int | None = None,
) -> tuple[versions.Runtime, list[Notice]]:
    offer = versions.Offer(AVAILABLE, installed, today, default)
    return versions.resolve(tree, manifest.read(tree), offer, last_major)


@pytest.mark.parametrize(
    ("requested", "version", "notices"),
    [
        ("24.x", "24.21.0", []),
        ("24", "24.21.0", []),
        ("^22.12", "22.23.3", []),
        ("~20.9", "20.9.0", ["end_of_life"]),
        ("22.11.0", "22.11.0", []),
        ("v22.11.0", "22.11.0", []),
        ("18.x", "18.20.8", ["end_of_life"]),
        ("20 || 22", "22.23.3", []),
        ("20 - 22", "22.23.3", []),
        (">=20 <23", "22.23.3", []),
        (">=18", "24.19.0", ["wide_range"]),
        ("*", "24.19.0", ["wide_range"]),
        (">=24.20", "24.21.0", ["wide_range"]),
        (">=25", "26.10.0", []),
        ("25.x", "25.2.1", []),
        ("lts/*", "24.19.0", ["wide_range"]),
        ("lts/jod", "22.23.3", []),
        ("latest", "26.10.0", []),
    ],
)
def test_a_request_is_resolved_with_npms_rules(
    requested: str, version: str, notices: list[str]
) -> None:
    runtime, found = resolve(app(engines={"node": requested}))
    assert (runtime.version, runtime.requested) == (version, requested)
    assert [notice.id for notice in found] == notices


def test_an_open_range_moves_on_when_the_next_major_has_become_lts() -> None:
    tree, installed = app(engines={"node": ">=18"}), ("24.19.0", "26.10.0")
    assert resolve(tree, date(2026, 6, 1), installed)[0].version == "24.19.0"
    assert resolve(tree, date(2026, 11, 22), installed)[0].version == "26.10.0"


def test_without_a_request_an_installed_release_is_taken_and_nothing_downloaded() -> None:
    runtime, found = resolve(app(), installed=("22.11.0", "24.19.0", "25.2.1"))
    assert (runtime.version, runtime.reason) == ("24.19.0", "the platform's default")
    assert found[0].hint == 'Name one, so that it stays: "engines": {"node": "24.x"}'


@pytest.mark.parametrize("requested", ["", ">=18", "*", "lts/*"])
def test_what_others_have_installed_does_not_move_an_app(requested: str) -> None:
    tree = app(engines={"node": requested})
    for installed in (("24.19.0",), ("22.11.0", "24.19.0", "26.10.0"), ("24.19.0", "25.2.1")):
        runtime, _ = resolve(tree, date(2026, 11, 22), installed, default="24.x")
        assert runtime.version == "24.19.0"


@pytest.mark.parametrize("requested", ["", ">=18", "*", "lts/*", "22 || 24", ">=20 <25", "22.x"])
def test_an_app_stays_on_the_major_of_its_last_release(requested: str) -> None:
    runtime, notices = resolve(app(engines={"node": requested}), default="24.x", last_major=22)
    assert runtime.version == "22.23.3"
    stays = [
        notice.message for notice in notices if "the major of its last release" in notice.message
    ]
    assert bool(stays) is (requested != "22.x")


@pytest.mark.parametrize(
    ("requested", "version"),
    [("24.x", "24.21.0"), (">=24", "24.19.0"), ("latest", "26.10.0"), ("22.11.0", "22.11.0")],
)
def test_an_app_moves_when_it_asks_for_another_major(requested: str, version: str) -> None:
    runtime, _ = resolve(app(engines={"node": requested}), default="24.x", last_major=20)
    assert runtime.version == version


def test_the_hints_of_a_wide_range_do_what_they_say() -> None:
    _, (notice,) = resolve(app(engines={"node": ">=20"}), default="24.x", last_major=22)
    move, stay = [
        json.loads("{" + text + "}") for text in re.findall(r'"engines": \{.*?\}', notice.hint)
    ]
    assert resolve(app(**move), default="24.x", last_major=22)[0].major == 26
    assert resolve(app(**stay), default="24.x", last_major=22)[0].major == 22


def test_a_default_that_nothing_satisfies_is_said() -> None:
    with pytest.raises(Refused) as raised:
        resolve(app(), default="99.x")
    assert raised.value.failure.id == "no_runtime"
    assert "99.x" in raised.value.failure.message


def test_the_runtime_of_dev_engines_counts_below_engines() -> None:
    wish = {"runtime": {"name": "node", "version": "22.x"}, "packageManager": [{"name": "npm"}]}
    assert resolve(app(devEngines=wish))[0].version == "22.23.3"
    assert resolve(app(devEngines=wish, engines={"node": "24.x"}))[0].version == "24.21.0"


def test_package_json_wins_over_nvmrc_and_nvmrc_over_node_version() -> None:
    files = {".nvmrc": "v22.11.0 # tried\n", ".node-version": "20"}
    assert resolve(app(files, engines={"node": "24"}))[0].version == "24.21.0"
    runtime, _ = resolve(app(files))
    assert (runtime.version, runtime.source) == ("22.11.0", ".nvmrc")
    assert resolve(app({".node-version": "20\n"}))[0].version == "20.20.2"


def test_the_nearest_versions_are_named_when_none_fits() -> None:
    with pytest.raises(Refused) as raised:
        resolve(app(engines={"node": "24.99.x"}))
    failure = raised.value.failure
    assert failure.id == "node_version_unavailable"
    assert failure.message == (
        "engines.node in package.json asks for Node.js 24.99.x, and no such version is on offer: "
        "the newest of the major 24 is 24.21.0"
    )
    assert failure.hint == (
        'The nearest: 24.21.0, 25.2.1, 23.11.1, 26.10.0. Write e.g. "engines": {"node": "24.x"}'
    )


@pytest.mark.parametrize(
    ("requested", "why"),
    [
        ("24.99.x", "the newest of the major 24 is 24.21.0"),
        ("24.99.0", "the newest of the major 24 is 24.21.0"),
        ("10.x", "releases before 12.0.0 can't be run here"),
        ("<12", "releases before 12.0.0 can't be run here"),
        ("27", "there is no Node.js 27, the newest is 26.10.0"),
        (">=99", "there is no Node.js 99, the newest is 26.10.0"),
        (">=20 <18", "no version at all can satisfy it"),
    ],
)
def test_it_is_said_why_no_version_fits(requested: str, why: str) -> None:
    with pytest.raises(Refused) as raised:
        resolve(app(engines={"node": requested}))
    assert raised.value.failure.message.endswith(f"on offer: {why}")
    named = re.search(r'"engines": (\{.*\})', raised.value.failure.hint)
    assert named, "the hint is a line that helps"
    assert resolve(app(engines=json.loads(named.group(1))))


@pytest.mark.parametrize("requested", ["twenty", "^", "24 and up", "1.2.3.4", "9" * 400])
def test_a_request_that_is_no_range_is_refused(requested: str) -> None:
    with pytest.raises(Refused) as raised:
        resolve(app(engines={"node": requested}))
    assert raised.value.failure.id == "invalid_semver_requirement"
    assert raised.value.failure.hint == 'Write a major, e.g. "engines": {"node": "24.x"}'


@pytest.mark.parametrize(
    ("major", "today", "lts"),
    [
        (24, date(2025, 10, 1), False),
        (24, date(2025, 11, 1), True),
        (25, date(2030, 1, 1), False),
        (26, date(2026, 11, 22), True),
        (27, date(2027, 5, 1), False),
        (27, date(2027, 11, 1), True),
    ],
)
def test_lts_follows_from_the_calendar(major: int, today: date, lts: bool) -> None:
    assert versions.is_lts(major, today) is lts
