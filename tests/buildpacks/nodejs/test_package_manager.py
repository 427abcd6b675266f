"""The seam of package managers: another one is asked whatever npm is asked, and nothing else is."""

from collections.abc import Mapping
from datetime import date

import pytest

from buildpacks import deno
from buildpacks.findings import Notice, Refused
from buildpacks.nodejs import known, plan
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.npm.npm import NPM, Npm
from buildpacks.nodejs.package_manager import Lock, ManagerOffer, ScriptRun
from buildpacks.nodejs.versions import Offer
from buildpacks.plan import ManagerVersion, Plan, Previous
from buildpacks.tree import Tree
from paas.builder.nodejs.tools import TOOLS
from tests.buildpacks.nodejs.trees import Files, app

OFFER = Offer(["24.19.0"], ["24.19.0"], date(2026, 11, 22))


class Other(Npm):
    """Nothing in it is npm's, so that whatever a plan has of npm's comes from elsewhere."""

    name = called = "other"
    lock_files = ("other.lock",)
    configuration = (".otherrc",)
    install = ("other", "install", "--frozen")
    quiet: Mapping[str, str] = {"OTHER_QUIET": "1"}
    rebuild = 'other rebuild "$@"'
    rebuild_own = "other rebuild"
    prunes_at: Mapping[str, str] = {"OTHER_PRODUCTION": "true"}

    def owns(self, tree: Tree, lock_file: str) -> bool:
        return tree.read(lock_file, 1) != b"-"

    def read(self, tree: Tree, package: Manifest) -> Lock:
        content = tree.read("other.lock", 1000) or b""
        return Lock("other.lock", content, has_packages=True, has_dev_dependencies=True,
                    has_install_scripts=True, folders=(".other/cache",))  # fmt: skip

    def choose(
        self, package: Manifest, lock: Lock, nodejs: str, offer: ManagerOffer
    ) -> tuple[ManagerVersion, list[Notice]]:
        return ManagerVersion("other", "1.2.3"), []

    def run(self, script: str) -> tuple[str, ...]:
        return ("other", "run", script)

    def probe(self, package: Manifest, lock: Lock) -> tuple[str, ...]:
        return ("other", "list")

    def pruning(self, lock: Lock) -> tuple[str, ...]:
        return ("other", "prune")

    def script(self, command: str, scripts: Mapping[str, str]) -> ScriptRun | None:
        words = command.split(maxsplit=1)
        return ScriptRun(words[1]) if words[0] == "other" and len(words) == 2 else None


@pytest.fixture(autouse=True)
def two_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "KNOWN", (NPM, Other()))


def tree(**files: str) -> Files:
    scripts = {"start": "node server.js", "build": "tsc", "postinstall": "node patch.js"}
    written = {"other.lock": "a", "Procfile": "web: other start", **files}
    return app(written, scripts=scripts, dependencies={"a": "1"})


def planned(files: Files, previous: Previous | None = None, **config: str) -> Plan:
    return plan(files, offer=OFFER, architecture="x64", config=config, previous=previous)


def test_its_lock_file_says_whose_an_app_is_and_all_commands_are_its_own() -> None:
    made = planned(tree())
    assert made.manager == ManagerVersion("other", "1.2.3")
    assert made.install.command == ("other", "install", "--frozen")
    assert made.build.command == ("other", "run", "build")
    assert made.prune.command == ("other", "prune")
    assert made.probe == ("other", "list")
    assert made.installed == (".other/cache",)
    assert made.processes["web"].argv == ("node", "server.js")
    steps = (made.install, made.build, made.prune)
    assert "npm" not in str([(step.command, step.environment) for step in steps])
    assert all(step.environment["OTHER_QUIET"] == "1" for step in steps)


def test_a_lock_file_that_it_does_not_own_is_none_of_its_own() -> None:
    with pytest.raises(Refused) as raised:
        planned(tree(**{"other.lock": "- of another kind"}))
    assert raised.value.failure.id == "missing_lock_file"


def test_scripts_are_repeated_by_its_own_means() -> None:
    previous = Previous(planned(tree()).dependencies_key, 24, ("prisma",))
    made = planned(tree(), previous)
    assert not made.installs_afresh
    assert 'other rebuild "$@" && ' in made.install.command[2]
    assert "other run postinstall" in made.install.command[2]
    assert made.install.fallback == ("other", "install", "--frozen")


def test_its_lock_file_and_its_configuration_are_in_the_key() -> None:
    key = planned(tree()).dependencies_key
    assert planned(tree(**{".npmrc": "x"})).dependencies_key == key
    assert planned(tree(**{".otherrc": "x"})).dependencies_key != key
    assert planned(tree(**{"other.lock": "b"})).dependencies_key != key


def test_a_config_var_of_its_own_keeps_dev_dependencies() -> None:
    assert planned(tree(), OTHER_PRODUCTION="false").prune.skip == "OTHER_PRODUCTION is false"
    assert not planned(tree(), NPM_CONFIG_PRODUCTION="false").prune.skip


def test_two_lock_files_are_one_too_many() -> None:
    with pytest.raises(Refused) as raised:
        planned(tree(**{"package-lock.json": "{}"}))
    hint = raised.value.failure.hint
    assert "if you use npm (package-lock.json):  git rm other.lock" in hint
    assert "if you use other (other.lock):  git rm package-lock.json" in hint


def test_the_builder_can_handle_each_that_the_buildpack_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    assert [*(manager.name for manager in known.KNOWN), deno.NAME] == list(TOOLS)
