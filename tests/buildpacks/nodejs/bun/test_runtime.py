"""Bun as what runs an app: when it does, how the app starts, and whose version counts."""

import json
from datetime import date
from typing import Any

import pytest

from buildpacks.findings import Refused
from buildpacks.nodejs import needs, plan
from buildpacks.nodejs.package_manager import ManagerOffer
from buildpacks.nodejs.versions import Offer
from buildpacks.plan import Plan, Previous
from buildpacks.runtimes import Offer as RuntimeOffer
from tests.buildpacks.nodejs.trees import Files

VERSIONS = ["1.1.45", "1.2.23", "1.3.14", "1.4.5"]
BOTH, NODEJS = {"bun", "node"}, "Node.js 24.19.0"
LOCK = '{"lockfileVersion": 1, "packages": {}}'
INIT = {"name": "b", "module": "index.ts", "devDependencies": {"@types/bun": "latest"}}
ELYSIA = {
    "scripts": {"dev": "bun run --watch src/index.ts"},
    "dependencies": {"elysia": "latest"},
    "module": "src/index.js",
}
HONO = {"scripts": {"dev": "bun run --hot src/index.ts"}, "dependencies": {"hono": "^4"}}
REACT = {"scripts": {"dev": "bun --hot src/index.ts", "start": "NODE_ENV=production bun src/a.ts"}}
NEXT = {
    "scripts": {"build": "next build", "start": "next start"},
    "dependencies": {"next": "16.0.0"},
}
VITE = {"scripts": {"dev": "vite", "build": "vite build"}, "devDependencies": {"vite": "^7"}}


def tree(package: dict[str, Any], lock: str = "bun.lock", **files: str) -> Files:
    locks = {lock: LOCK} if lock else {}
    return Files(**{"package.json": json.dumps(package), **locks, **files})


def planned(files: Files, previous: Previous | None = None) -> Plan:
    wanted = needs(files)
    return plan(
        files,
        offer=Offer(["24.19.0"], ["24.19.0"], date(2026, 11, 30)),
        managers=ManagerOffer(available=VERSIONS if wanted.manager == "bun" else []),
        others={place: RuntimeOffer([*VERSIONS, "2.9.6"]) for place in wanted.runtimes},
        architecture="x64",
        previous=previous,
    )


@pytest.mark.parametrize(
    ("files", "command", "runtime", "places"),
    [
        (tree(INIT, **{"index.ts": ""}), "bun index.ts", "Bun 1.4.5", BOTH),
        (
            tree(ELYSIA, **{"src/index.ts": ""}),
            "bun run src/index.ts",
            "Bun 1.4.5",
            BOTH,
        ),
        (tree(HONO, **{"src/index.ts": ""}), "bun run src/index.ts", "Bun 1.4.5", BOTH),
        (tree(REACT), "bun run start", "Bun 1.4.5", BOTH),
        (tree(NEXT), "bun run start", NODEJS, BOTH),
        (
            tree({"scripts": {"start": "bun --bun next start"}}),
            "bun run start",
            "Bun 1.4.5",
            BOTH,
        ),
        (
            tree({"scripts": {"start": "bun index.ts"}}, lock=""),
            "npm start",
            "Bun 1.4.5",
            BOTH,
        ),
        (
            tree({"scripts": {"start": "node a.js"}}, lock=""),
            "npm start",
            "Node.js 24.19.0",
            {"node"},
        ),
        (
            tree({}, lock="", Procfile="web: bun run index.ts"),
            "bun run index.ts",
            "Bun 1.4.5",
            BOTH,
        ),
        (
            tree({"scripts": {"start": "deno run -A a.ts"}}, lock=""),
            "npm start",
            "Deno 2.9.6",
            {"deno", "node"},
        ),
    ],
)
def test_what_runs_an_app(files: Files, command: str, runtime: str, places: set[str]) -> None:
    plan = planned(files)
    web = plan.processes["web"]
    assert (web.command, plan.runs(web).said) == (command, runtime)
    assert plan.runtime.said == runtime
    assert {each.place for each in plan.runtimes} == places


def test_a_site_that_bun_builds_stays_a_site() -> None:
    plan = planned(tree(VITE, **{"index.html": "", "src/main.ts": "", "index.ts": ""}))
    assert plan.site is not None and plan.site.framework == "Vite"


def test_a_start_script_that_watches_is_run_without_watching() -> None:
    plan = planned(tree({"scripts": {"start": "bun --watch src/a.ts"}}, **{"src/a.ts": ""}))
    assert plan.processes["web"].argv == ("bun", "src/a.ts")
    assert "development_server" in [notice.id for notice in plan.notices]


def test_the_commands_of_types_may_run_on_different_ones() -> None:
    plan = planned(tree({}, Procfile="web: bun a.ts\nworker: node b.js\nrelease: bunx prisma db"))
    of = {type_: plan.runs(process).name for type_, process in plan.processes.items()}
    assert of == {"web": "Bun", "worker": "Node.js", "release": "Node.js"}


@pytest.mark.parametrize(
    ("package", "files", "version"),
    [
        ({}, {}, "1.4.5"),
        ({"packageManager": "bun@1.2.23"}, {}, "1.2.23"),
        ({"engines": {"bun": "~1.3.0"}}, {}, "1.3.14"),
        ({"devEngines": {"runtime": {"name": "bun", "version": "1.2.x"}}}, {}, "1.2.23"),
        ({}, {".bun-version": "bun-v1.1.45\n"}, "1.1.45"),
        ({}, {".tool-versions": "bun 1.3.14\nnodejs 24.19.0"}, "1.3.14"),
        ({}, {"mise.toml": "[tools]\nbun = '1.2'"}, "1.2.23"),
        ({}, {".bun-version": "latest"}, "1.4.5"),
    ],
)
@pytest.mark.parametrize("lock", ["bun.lock", ""])
def test_which_version(
    package: dict[str, Any], files: dict[str, str], version: str, lock: str
) -> None:
    scripts = {"scripts": {"start": "bun index.ts"}}
    plan = planned(tree({**scripts, **package}, lock, **{"index.ts": "", **files}))
    assert plan.runtime.said == f"Bun {version}"


def test_what_asks_for_two_versions_is_told_by_name() -> None:
    files = {".bun-version": "1.2.23", "index.ts": ""}
    with pytest.raises(Refused) as raised:
        planned(tree({"packageManager": "bun@1.4.5"}, **files))
    message = raised.value.failure.message
    assert "packageManager in package.json" in message and ".bun-version" in message


@pytest.mark.parametrize("asked", ["9.9.9", "canary"])
def test_a_version_that_is_not_there_is_refused(asked: str) -> None:
    for lock in ("bun.lock", ""):
        files = {".bun-version": asked, "index.ts": ""}
        with pytest.raises(Refused) as raised:
            planned(tree({"scripts": {"start": "bun index.ts"}}, lock, **files))
        assert raised.value.failure.id == "bun_version_unavailable"
        assert ".bun-version" in raised.value.failure.message


def test_a_native_lock_of_npm_beside_buns_is_told_by_name() -> None:
    with pytest.raises(Refused) as raised:
        planned(tree(INIT, **{"package-lock.json": "{}", "index.ts": ""}))
    assert raised.value.failure.id == "multiple_lock_files"
    assert "git rm package-lock.json" in raised.value.failure.hint
