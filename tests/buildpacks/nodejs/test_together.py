"""All that is wrong with a tree is said at once, and nothing that hangs on something else."""

import asyncio
from datetime import date

import pytest

from buildpacks.findings import Failure, Refused
from buildpacks.nodejs import needs, plan
from buildpacks.nodejs.versions import Offer
from paas.builder import BuildFailed
from paas.deploys.explain import explain
from paas.settings import Settings
from tests.buildpacks.nodejs import trees

OFFER = Offer(["24.19.0"], ["24.19.0"], date(2026, 11, 22))


def refused(tree: trees.Files) -> list[str]:
    with pytest.raises(Refused) as raised:
        plan(tree, offer=OFFER, architecture="x64")
    assert raised.value.failure == raised.value.failures[0]
    return [failure.id for failure in raised.value.failures]


def test_two_lock_files_an_unknown_version_and_no_start_are_one_answer() -> None:
    tree = trees.app({"yarn.lock": "# yarn lockfile v1\n"}, lock={}, engines={"node": "99.x"})
    found = ["multiple_lock_files", "node_version_unavailable", "no_start_command"]
    assert refused(tree) == found
    assert needs(tree).manager == "npm"


def test_a_lock_file_out_of_step_does_not_hide_a_start_that_can_not_be() -> None:
    tree = trees.app(
        {"bin/www": "#!/usr/bin/env node\n"},
        lock={},
        dependencies={"ms": "2.1.3"},
        scripts={"start": "./bin/www"},
    )
    assert refused(tree) == ["npm_lockfile_out_of_sync", "not_executable"]


def test_each_process_type_is_looked_at() -> None:
    files = {"Procfile": "web: ./a.sh\nworker: ./b.sh\n", "a.sh": "#!/bin/sh\r\n", "b.sh": "x"}
    tree = trees.app(files, engines={"node": "x y"})
    assert refused(tree) == ["invalid_semver_requirement", "crlf_script", "not_executable"]


def test_beside_a_damaged_package_json_only_what_does_not_hang_on_it_is_said() -> None:
    lock = '{\n<<<<<<< HEAD\n  "a": 1\n=======\n>>>>>>> b\n}'
    files = {"package.json": "{,}", "package-lock.json": lock, "Procfile": "web node server.js"}
    tree = trees.Files(**files, **{".nvmrc": "lts/unheard-of"})
    found = ["invalid_package_json", "invalid_procfile", "merge_conflict"]
    assert refused(tree) == [*found, "invalid_semver_requirement"]


def test_a_tree_without_package_json_is_one_failure() -> None:
    assert refused(trees.Files(**{"readme.md": "", "yarn.lock": ""})) == ["no_package_json"]


def test_several_are_numbered_for_the_developer_and_one_is_not() -> None:
    one, two = Failure("a", "This is wrong", "Do this\nand this"), Failure("b", "That too", "")
    failed = BuildFailed(one, others=(two,))
    assert failed.message == "This is wrong (and 1 more)"
    said = asyncio.run(explain(Settings(installation="x"), failed)).splitlines()
    assert said == [
        " !     2 things have to be changed:",
        " !",
        " !     1. This is wrong",
        " !     Do this",
        " !     and this",
        " !",
        " !     2. That too",
    ]
    alone = asyncio.run(explain(Settings(installation="x"), BuildFailed(two)))
    assert alone == " !     That too\n"
