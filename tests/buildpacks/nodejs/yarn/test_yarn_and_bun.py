"""Yarn and Bun: whose an app is, which version it gets, and what its commands mean."""

from datetime import date
from typing import Any

import pytest

from buildpacks.findings import Refused
from buildpacks.nodejs import needs, plan
from buildpacks.nodejs.package_manager import ManagerOffer
from buildpacks.nodejs.versions import Offer
from buildpacks.plan import Plan
from tests.buildpacks.nodejs.trees import Files, app

CLASSIC = '# yarn lockfile v1\n\n\nms@2.1.3:\n  version "2.1.3"\n'
BERRY = '__metadata:\n  version: {}\n\n"lib@workspace:packages/lib":\n'
BERRY += '  resolution: "lib@workspace:packages/lib"\n'
BUN = (
    '{\n  "lockfileVersion": 1,\n  "packages": {\n    "ms": ["ms@2.1.3", "", {}, "sha"],\n  },\n}\n'
)
AVAILABLE = {
    "yarn": ["1.22.4", "1.22.22", "2.4.3"],
    "berry": ["2.4.2", "3.0.2", "3.1.1", "3.8.7", "4.9.2", "4.13.0", "4.14.1", "4.18.1"],
    "bun": ["1.1.45", "1.4.5"],
}


def tree(**files: Any) -> Files:
    package = files.pop("package", {})
    return app({"server.js": "", **files}, **{"dependencies": {"ms": "2.1.3"}, **package})


def planned(files: Files, nodejs: str = "24.19.0") -> Plan:
    return plan(
        files,
        offer=Offer([nodejs], [nodejs], date(2026, 11, 22)),
        managers=ManagerOffer(available=AVAILABLE[needs(files).manager]),
        architecture="x64",
    )


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"yarn.lock": CLASSIC}, "yarn"),
        ({"yarn.lock": BERRY.format(8)}, "berry"),
        ({"bun.lock": BUN}, "bun"),
        ({"bun.lockb": b"\0"}, "bun"),
        ({"yarn.lock": CLASSIC, "package": {"packageManager": "yarn@4.9.2"}}, "berry"),
        ({"yarn.lock": CLASSIC, "package": {"packageManager": "yarn@stable"}}, "yarn"),
        ({"package": {"packageManager": "yarn@1.22.22+sha512.0f"}}, "yarn"),
        ({"package": {"engines": {"yarn": "1.x", "npm": ">=8"}}}, "yarn"),
        ({"package": {"engines": {"npm": ">=8"}}}, "npm"),
        ({"bun.lock": BUN, "package": {"engines": {"yarn": "1.x"}}}, "bun"),
    ],
)
def test_whose_an_app_is(files: dict[str, Any], name: str) -> None:
    assert needs(tree(**files)).manager == name


@pytest.mark.parametrize(
    ("lock", "version"),
    [
        ("4", "3.0.2"), ("5", "3.1.1"), ("6", "3.8.7"), ("8", "4.13.0"), ("9", "4.14.1"),
        ("10", "4.18.1"), ("99", "4.18.1"),
    ],
)  # fmt: skip
def test_the_form_of_its_lock_file_says_which_berry_it_is(lock: str, version: str) -> None:
    assert planned(tree(**{"yarn.lock": BERRY.format(lock)})).manager.version == version


def test_classic_never_becomes_the_second_major_of_its_package() -> None:
    assert planned(tree(**{"yarn.lock": CLASSIC})).manager.version == "1.22.22"


@pytest.mark.parametrize(
    ("settings", "archives", "told"),
    [
        ("nodeLinker: node-modules", {}, {"YARN_ENABLE_GLOBAL_CACHE": "true"}),
        ("", {}, {"YARN_ENABLE_GLOBAL_CACHE": "false"}),
        ("nodeLinker: node-modules", {".yarn/cache/ms.zip": "x"},
         {"YARN_ENABLE_GLOBAL_CACHE": "false", "YARN_ENABLE_IMMUTABLE_CACHE": "true"}),
    ],
)  # fmt: skip
def test_archives_stay_with_the_app_where_it_runs_from_them(
    settings: str, archives: dict[str, str], told: dict[str, str]
) -> None:
    files = {"yarn.lock": BERRY.format(8), ".yarnrc.yml": settings, **archives}
    made = planned(tree(**files, package={"devDependencies": {"a": "1"}}))
    assert told.items() <= made.install.environment.items()
    assert (".pnp.cjs" in made.installed) is (settings == "")
    assert bool(made.prune.skip) is (settings == "")


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("yarn start", ("node", "server.js")),
        ("yarn web", ("node", "web.js")),
        ("yarn run web --port 1", ("node", "web.js", "--port", "1")),
        ("bun run web", ("node", "web.js")),
        ("yarn workspace api start", ("yarn", "workspace", "api", "start")),
        ("yarn next start", ("yarn", "next", "start")),
        ("bun server.ts", ("bun", "server.ts")),
    ],
)
def test_a_script_that_they_would_run_is_run_itself(command: str, argv: tuple[str, ...]) -> None:
    scripts = {"start": "node server.js", "web": "node web.js"}
    files = {"yarn.lock": CLASSIC, "Procfile": f"web: {command}", "package": {"scripts": scripts}}
    assert planned(tree(**files)).processes["web"].argv == argv


@pytest.mark.parametrize(
    ("lock", "read"),
    [
        ({"yarn.lock": CLASSIC}, {".yarnrc": "a"}),
        ({"yarn.lock": BERRY.format(8)}, {".yarnrc.yml": "a: b"}),
        ({"yarn.lock": BERRY.format(8)}, {".yarn/patches/a.patch": "a"}),
        ({"yarn.lock": BERRY.format(8)}, {"packages/lib/package.json": '{"dependencies": {}}'}),
        ({"bun.lock": BUN}, {"bunfig.toml": "a"}),
    ],
)
def test_what_they_read_is_in_the_key(lock: dict[str, str], read: dict[str, str]) -> None:
    before = planned(tree(**lock)).dependencies_key
    assert planned(tree(**lock, README="x")).dependencies_key == before
    assert planned(tree(**lock, **read)).dependencies_key != before


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("yarn@1.22.22", "yarn install"),
        ("yarn@4.9.2", "yarn install"),
        ("bun@1.4.5", "bun install"),
    ],
)
def test_a_lock_file_that_is_missing_is_made_by_the_right_tool(manager: str, command: str) -> None:
    with pytest.raises(Refused) as raised:
        planned(tree(package={"packageManager": manager}))
    assert raised.value.failure.id == "missing_lock_file"
    assert raised.value.failure.hint.startswith(f"{command} && git add ")


@pytest.mark.parametrize("name", ["yarn.lock", "bun.lock"])
def test_a_lock_file_in_conflict_is_refused(name: str) -> None:
    content = {"yarn.lock": CLASSIC, "bun.lock": BUN}[name]
    with pytest.raises(Refused, match="conflicts of a merge"):
        planned(tree(**{name: f"{content}\n<<<<<<< HEAD\n"}))


def test_a_program_of_a_dev_dependency_is_not_there_at_the_start() -> None:
    package = {"scripts": {"start": "nodemon server.js"}, "devDependencies": {"nodemon": "3"}}
    with pytest.raises(Refused) as raised:
        planned(tree(**{"yarn.lock": CLASSIC}, package=package))
    assert raised.value.failure.id == "start_needs_dev_dependency"
