"""Deno: whose a tree is, how it starts, what is fetched and when that is done again."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from buildpacks import deno
from buildpacks.findings import Refused
from buildpacks.plan import Plan, Previous
from buildpacks.runtimes import Offer
from tests.buildpacks.nodejs.trees import Files

OFFER = Offer(["1.46.3", "2.4.5", "2.9.6"], ["2.9.5"])
ENGINES = "engines.deno in package.json"
LOCK = '{"version": "5"}'
SERVES = "Deno.serve(() => new Response());"
EXPORTS = "export default { fetch: () => new Response() } satisfies Deno.ServeDefaultExport;"
GENERATED = """{
  // As `deno init` writes it.
  "tasks": { "dev": "deno run --watch --allow-net main.ts", },
}"""
FRESH_1 = {
    "start": "deno run -A --watch=static/,routes/ dev.ts",
    "build": "deno run -A dev.ts build",
    "preview": "deno run -A main.ts",
}
FRESH_2 = {"dev": "vite", "build": "vite build", "start": "deno serve -A _fresh/server.js"}


def tree(**files: str) -> Files:
    return Files(**files)


def tasks(**named: Any) -> dict[str, str]:
    return {"deno.json": json.dumps({"tasks": named})}


def planned(files: Mapping[str, str], previous: Previous | None = None) -> Plan:
    return deno.plan(tree(**files), offer=OFFER, previous=previous)


@pytest.mark.parametrize(
    ("files", "is_deno"),
    [
        ({"deno.json": "{}"}, True),
        ({"deno.jsonc": "{}"}, True),
        ({"deno.lock": LOCK, "main.ts": ""}, True),
        ({"main.ts": SERVES}, True),
        ({"main.ts": "import { Hono } from 'npm:hono';"}, True),
        ({"main.ts": "export const a = 1"}, False),
        ({"Procfile": "web: deno serve -A app.ts", "app.ts": ""}, True),
        ({"Procfile": "web: node app.js"}, False),
        ({"deno.json": "{}", "package.json": "{}"}, True),
        ({"package.json": "{}", "main.ts": SERVES}, False),
        ({"deno.json": "{}", "package.json": "{}", "package-lock.json": "{}"}, False),
        ({"deno.json": "{}", "package.json": "{}", "bun.lock": "{}"}, False),
        ({"deno.json": "{}", "package.json": '{"packageManager": "pnpm@10.1.0"}'}, False),
        ({"deno.json": "{}", "package.json": '{"scripts": {"start": "node a.js"}}'}, False),
        ({"deno.json": "{}", "package.json": '{"scripts": {"start": "deno run a.ts"}}'}, True),
        ({"deno.json": "{}", "index.html": ""}, False),
        ({"deno.json": "{}", "index.html": "", "main.ts": SERVES}, True),
    ],
)
def test_whose_a_tree_is(files: dict[str, str], is_deno: bool) -> None:
    assert deno.detect(tree(**files)) is is_deno


@pytest.mark.parametrize(
    ("files", "command", "argv"),
    [
        (
            tasks(start="deno run -A main.ts"),
            "deno task start",
            ("deno", "run", "-A", "main.ts"),
        ),
        (
            tasks(start="deno serve -A main.ts"),
            "deno task start",
            ("sh", "-c", 'exec deno serve --port "$PORT" -A main.ts'),
        ),
        (
            tasks(start="deno serve --port 3000 -A --host=127.0.0.1 main.ts"),
            "deno task start",
            ("sh", "-c", 'exec deno serve --port "$PORT" -A main.ts'),
        ),
        (tasks(start="vite preview-ish"), "deno task start", ("deno", "task", "start")),
        (
            tasks(start={"command": "deno run main.ts", "dependencies": ["a"]}, a="deno run a.ts"),
            "deno task start",
            ("deno", "task", "start"),
        ),
        (
            {"deno.jsonc": GENERATED, "main.ts": SERVES},
            "deno run --allow-net main.ts",
            ("deno", "run", "--allow-net", "main.ts"),
        ),
        (
            tasks(dev="deno serve --watch -R main.ts"),
            "deno serve -R main.ts",
            ("sh", "-c", 'exec deno serve --port "$PORT" -R main.ts'),
        ),
        (tasks(**FRESH_1), "deno task preview", ("deno", "run", "-A", "main.ts")),
        (
            tasks(**FRESH_2),
            "deno task start",
            ("sh", "-c", 'exec deno serve --port "$PORT" -A _fresh/server.js'),
        ),
        ({"main.ts": SERVES}, "deno run -A main.ts", ("deno", "run", "-A", "main.ts")),
        (
            {"src/server.ts": EXPORTS, "deno.json": "{}"},
            "deno serve -A src/server.ts",
            ("sh", "-c", 'exec deno serve --port "$PORT" -A src/server.ts'),
        ),
        (
            {"Procfile": "web: deno task go\nworker: deno run w.ts", **tasks(go="deno run g.ts")},
            "deno task go",
            ("deno", "run", "g.ts"),
        ),
        (
            {
                "deno.json": "{}",
                "package.json": '{"scripts": {"start": "deno run -A server.ts"}}',
            },
            "deno task start",
            ("deno", "run", "-A", "server.ts"),
        ),
    ],
)
def test_how_it_starts(files: dict[str, str], command: str, argv: tuple[str, ...]) -> None:
    plan = planned(files)
    web = plan.processes["web"]
    assert (web.command, web.argv) == (command, argv)
    assert plan.runs(web).said == "Deno 2.9.6"


def test_what_is_guessed_is_said_and_so_is_a_port_that_does_not_count() -> None:
    said = [notice.id for notice in planned({"main.ts": SERVES}).notices]
    assert said == ["start_guessed"]
    notices = planned(tasks(start="deno serve --port 3000 main.ts")).notices
    assert [(notice.id, notice.message) for notice in notices] == [
        ("port_of_serve", "deno serve is run with the platform's port instead of --port 3000")
    ]
    assert not planned(tasks(start='deno serve --port "$PORT" main.ts')).notices


def test_nothing_to_start_is_refused_and_the_hint_says_how() -> None:
    with pytest.raises(Refused) as raised:
        planned({"deno.json": "{}", "hello.ts": SERVES, "hello_test.ts": ""})
    assert raised.value.failure.id == "no_start_command"
    assert raised.value.failure.hint.startswith("echo 'web: deno serve -A hello.ts' > Procfile")


def test_a_build_without_a_program_is_a_site() -> None:
    plan = planned(tasks(build="vite build", dev="vite"))
    assert plan.site is not None
    assert (plan.site.framework, plan.site.is_single_page) == ("Vite", True)
    assert plan.build.command == ("deno", "task", "build")


def test_what_is_fetched_is_all_that_is_named_and_what_the_start_imports() -> None:
    install = planned({**tasks(start="deno run -A main.ts"), "main.ts": "", "deno.lock": LOCK})
    assert install.install.command[2:] == (
        'deno install --frozen && deno install --frozen --allow-import --entrypoint "$@"',
        "sh",
        "main.ts",
    )
    alone = planned({"main.ts": SERVES}).install.command
    assert alone[2:] == ('deno install --allow-import --entrypoint "$@"', "sh", "main.ts")
    named = {"Procfile": "web: deno run --allow-net --allow-import=a.com:443 m.ts", "m.ts": SERVES}
    fetched = planned(named).install.command
    assert fetched[2] == 'deno install --allow-import=a.com:443 --entrypoint "$@"'
    asks = {"Procfile": "web: deno run --allow-net m.ts", "m.ts": SERVES}
    assert planned(asks).install.command[2] == 'deno install --entrypoint "$@"'


def test_what_the_build_makes_is_made_ready_after_it() -> None:
    plan = planned(tasks(**FRESH_2))
    assert plan.build.command[2:] == (
        'deno task build && deno install --allow-import --entrypoint "$@"',
        "sh",
        "_fresh/server.js",
    )
    assert plan.install.command[2:] == ("deno install", "sh")


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"main.ts": SERVES + "// more"}, False),
        ({"README.md": "x"}, False),
        (tasks(start="deno run -A main.ts", other="x"), False),
        ({"deno.lock": LOCK + " "}, True),
        (
            {"deno.json": '{"tasks": {"start": "deno run -A main.ts"}, "imports": {"a": "npm:a"}}'},
            True,
        ),
        (tasks(start="deno run -A other.ts"), True),
        ({".npmrc": "registry=https://example.com"}, True),
    ],
)
@pytest.mark.parametrize("has_lock", [True, False])
def test_when_it_is_fetched_again(change: dict[str, str], again: bool, has_lock: bool) -> None:
    files = {**tasks(start="deno run -A main.ts"), "main.ts": SERVES}
    files |= {"deno.lock": LOCK} if has_lock else {}
    first = planned(files)
    assert first.installs_afresh
    later = planned({**files, **change}, Previous(first.dependencies_key))
    assert later.installs_afresh is again
    assert bool(later.install.command) is again


def test_without_a_lock_file_an_import_of_the_source_counts() -> None:
    first = planned({"main.ts": SERVES, "lib/a.ts": "import 'npm:ms@2'"})
    later = {"main.ts": SERVES, "lib/a.ts": "import 'npm:ms@2'; import 'jsr:@std/http'"}
    assert planned(later, Previous(first.dependencies_key)).installs_afresh
    assert "deno.lock" in first.installed


@pytest.mark.parametrize(
    ("files", "last", "version", "source"),
    [
        ({}, None, "2.9.6", ""),
        ({}, 1, "1.46.3", ""),
        ({}, 2, "2.9.5", ""),
        ({".deno-version": "2.4\n"}, None, "2.4.5", ".deno-version"),
        ({".dvmrc": "v2.4.5"}, None, "2.4.5", ".dvmrc"),
        ({".tool-versions": "nodejs 20\ndeno 2.4.5 # x"}, None, "2.4.5", ".tool-versions"),
        ({"mise.toml": '[tools]\ndeno = "2.4"'}, None, "2.4.5", "mise.toml"),
        (
            {"package.json": '{"engines": {"deno": "^1"}}'},
            2,
            "1.46.3",
            "engines.deno in package.json",
        ),
        (
            {"package.json": '{"engines": {"deno": ">=1"}}'},
            1,
            "1.46.3",
            "engines.deno in package.json",
        ),
        ({".deno-version": "latest"}, None, "2.9.6", ""),
    ],
)
def test_which_version(files: dict[str, str], last: int | None, version: str, source: str) -> None:
    majors = {"deno": last} if last else {}
    plan = planned({"deno.json": "{}", "main.ts": SERVES, **files}, Previous(majors=majors))
    assert (plan.runtime.version, plan.runtime.source) == (version, source)


@pytest.mark.parametrize("asked", ["9", "canary", "a b c"])
def test_a_version_that_is_not_there_is_told_by_the_file_that_asks(asked: str) -> None:
    with pytest.raises(Refused) as raised:
        planned({"main.ts": SERVES, ".deno-version": asked})
    assert ".deno-version" in raised.value.failure.message
    assert raised.value.failure.hint


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "deno.json is not valid JSON, line 1 column 2"),
        ("[]", "deno.json holds no JSON object"),
        ('{"tasks": []}', 'deno.json: "tasks" is not an object'),
    ],
)
def test_a_damaged_deno_json_is_refused(content: str, message: str) -> None:
    with pytest.raises(Refused) as raised:
        planned({"deno.json": content})
    assert raised.value.failure.message.startswith(message)
