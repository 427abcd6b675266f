"""pnpm: which one an app gets, what its lock file says, and what counts as unchanged."""

from datetime import date
from typing import Any

import pytest

from buildpacks.findings import Refused
from buildpacks.nodejs import plan
from buildpacks.nodejs.package_manager import ManagerOffer
from buildpacks.nodejs.versions import Offer
from buildpacks.plan import Plan
from tests.buildpacks.nodejs.trees import Files, app

AVAILABLE = ["6.35.1", "7.33.7", "8.15.9", "9.15.9", "10.11.0", "10.34.8", "11.28.10", "12.21.0"]
NINE = """lockfileVersion: '9.0'

importers:

  .:
    dependencies:
      ms:
        specifier: 2.1.3
        version: 2.1.3
      lib:
        specifier: workspace:*
        version: link:packages/lib
      local:
        specifier: file:vendor/local.tgz
        version: file:vendor/local.tgz
    devDependencies:
      semver:
        specifier: ^7
        version: 7.6.0

  packages/lib: {}

packages:

  ms@2.1.3: {}
"""


def tree(lock: str = NINE, **files: str) -> Files:
    package = files.pop("package", {})
    assert isinstance(package, dict)
    written = {"pnpm-lock.yaml": lock, "server.js": "", "packages/lib/package.json": "{}", **files}
    return app(written, **{"dependencies": {"ms": "2.1.3"}, **package})


def planned(files: Files, nodejs: str = "24.19.0", in_place: str = "", **config: str) -> Plan:
    return plan(
        files,
        offer=Offer([nodejs], [nodejs], date(2026, 11, 22)),
        managers=ManagerOffer(available=AVAILABLE, in_place=in_place),
        architecture="x64",
        config=config,
    )


@pytest.mark.parametrize(
    ("form", "nodejs", "version"),
    [
        ("5.3", "18.20.8", "6.35.1"),
        ("5.3", "24.19.0", "7.33.7"),
        ("5.4", "24.19.0", "7.33.7"),
        ("'6.0'", "24.19.0", "8.15.9"),
        ("'9.0'", "24.19.0", "10.34.8"),
        ("'9.0'", "18.20.8", "10.34.8"),
        ("'99.0'", "24.19.0", "12.21.0"),
    ],
)
def test_the_lock_file_says_which_pnpm_it_is(form: str, nodejs: str, version: str) -> None:
    files = tree(f"lockfileVersion: {form}\n\ndependencies:\n  ms: 2.1.3\n")
    assert planned(files, nodejs).manager.version == version


def test_the_one_that_is_asked_for_goes_before_and_keeps_its_checksum() -> None:
    made = planned(tree(package={"packageManager": "pnpm@10.11.0+sha512.0f"}))
    assert (made.manager.version, made.manager.checksum) == ("10.11.0", "sha512.0f")
    assert planned(tree(package={"packageManager": "pnpm@11"})).manager.version == "11.28.10"
    assert planned(tree(package={"engines": {"pnpm": "^9"}})).manager.version == "9.15.9"
    dev = {"packageManager": {"name": "pnpm", "version": ">=12"}}
    assert planned(tree(package={"devEngines": dev})).manager.version == "12.21.0"


def test_what_is_in_place_stays_while_it_fits() -> None:
    assert planned(tree(), in_place="10.11.0").manager.version == "10.11.0"
    assert planned(tree(), in_place="9.15.9").manager.version == "10.34.8"


def test_package_json_decides_between_lock_files_and_says_so() -> None:
    package: dict[str, Any] = {"packageManager": "pnpm@10.11.0"}
    made = planned(tree(package=package, **{"package-lock.json": "{}"}))
    assert made.manager.name == "pnpm"
    assert [n.hint for n in made.notices if n.id == "lock_files_ignored"] == [
        "git rm package-lock.json"
    ]
    with pytest.raises(Refused, match="several lock files"):
        planned(tree(**{"package-lock.json": "{}"}))


@pytest.mark.parametrize(
    "changed",
    [
        {"pnpm-workspace.yaml": "packages: [a]"},
        {".npmrc": "node-linker=hoisted"},
        {".pnpmfile.cjs": "module.exports = {}"},
        {"vendor/local.tgz": "other"},
        {"packages/lib/package.json": '{"dependencies": {"a": "1"}}'},
        {"lock": NINE.replace("7.6.0", "7.6.1")},
        {"package": {"pnpm": {"onlyBuiltDependencies": ["a"]}}},
    ],
)
def test_what_pnpm_reads_is_in_the_key(changed: dict[str, Any]) -> None:
    before = planned(tree()).dependencies_key
    assert planned(tree(**{"README.md": "a"})).dependencies_key == before
    assert planned(tree(**changed)).dependencies_key != before


def test_a_patch_is_in_the_key() -> None:
    settings = {"pnpm-workspace.yaml": "patchedDependencies:\n  ms@2.1.3: fixes/ms.patch\n"}
    first = planned(tree(**settings, **{"fixes/ms.patch": "a"})).dependencies_key
    assert planned(tree(**settings, **{"fixes/ms.patch": "b"})).dependencies_key != first


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("pnpm start", ("node", "server.js")),
        ("pnpm run start", ("node", "server.js")),
        ("pnpm web -p 1", ("node", "web.js", "-p", "1")),
        ("pnpm run web -- -p 1", ("node", "web.js", "-p", "1")),
        ("pnpm exec next start", ("pnpm", "exec", "next", "start")),
        ("pnpm --filter api start", ("pnpm", "--filter", "api", "start")),
        ("pnpm other", ("pnpm", "other")),
        ("pnpm install", ("pnpm", "install")),
    ],
)
def test_a_script_that_pnpm_would_run_is_run_itself(command: str, argv: tuple[str, ...]) -> None:
    scripts = {"start": "node server.js", "web": "node web.js", "install": "node no.js"}
    made = planned(tree(package={"scripts": scripts}, Procfile=f"web: {command}"))
    assert made.processes["web"].argv == argv


def test_a_lock_file_that_is_missing_or_in_conflict_is_refused() -> None:
    with pytest.raises(Refused) as raised:
        planned(app({"server.js": ""}, packageManager="pnpm@10.11.0", dependencies={"a": "1"}))
    assert raised.value.failure.hint.startswith("pnpm install --lockfile-only && git add pnpm-lock")
    with pytest.raises(Refused, match="conflicts of a merge"):
        planned(tree(f"{NINE}\n<<<<<<< HEAD\n"))


def test_scripts_that_nobody_approved_are_no_failure_unless_the_app_says_so() -> None:
    told = "pnpm_config_strict_dep_builds"
    assert planned(tree()).install.environment[told] == "false"
    assert told not in planned(tree(**{".npmrc": "strict-dep-builds=true"})).install.environment
    strict = {"pnpm-workspace.yaml": "strictDepBuilds: true"}
    assert told not in planned(tree(**strict)).install.environment
