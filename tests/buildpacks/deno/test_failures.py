"""Deno's own words, as its releases 2.0 and 2.9 print them, and what they are taken for."""

import pytest

from buildpacks import said
from tests.buildpacks.nodejs.trees import Files

OUTPUTS = {
    "deno_lockfile_out_of_date": "error: The lockfile is out of date. Run `deno install "
    "--frozen=false`, or rerun with `--frozen=false` to update it.\nchanges:\n",
    "deno_lockfile_too_new": "error: Failed reading lockfile at '/app/deno.lock'\n\nCaused by:\n"
    "    Unsupported lockfile version '5'. Try upgrading Deno or recreating the lockfile",
    "deno_jsr_unreachable": "error: JSR package manifest for '@std/http' failed to load. Import "
    "'https://jsr.io/@std/http/meta.json' failed.\n    at file:///app/main.ts:1:24",
    "deno_remote_unreachable": "error: Import 'https://deno.land/std@0.200.0/http/server.ts' "
    "failed.\n    0: error sending request for url",
    "deno_package_not_found": "error: npm package 'nonexistent-zzz-1' does not exist.",
    "deno_bad_version": "error: Could not find npm package 'ms' matching '99'.",
    "deno_not_a_dependency": 'error: Import "left-over" not a dependency\n  hint: If you want',
    "deno_import_not_allowed": 'error: Requires import access to "localhost:1", run again with '
    "the --allow-import flag",
    "module_not_found": 'error: Module not found "file:///app/lib/Missing.ts".',
}


@pytest.mark.parametrize("id_", OUTPUTS)
def test_a_failed_installation_is_explained(id_: str) -> None:
    failure = said.classify("install", 1, f"Download x\n{OUTPUTS[id_]}", manager="deno")
    assert failure.id == id_
    assert "{" not in failure.message + failure.hint
    assert failure.hint


@pytest.mark.parametrize(
    ("tail", "id_", "word"),
    [
        (
            'error: Uncaught (in promise) NotCapable: Requires env access to "PORT", run again '
            "with the --allow-env flag\n",
            "deno_permission",
            "Add --allow-env behind deno run",
        ),
        ("# Fatal JavaScript out of memory: CALL_AND_RETRY_LAST", "deno_out_of_memory", "package"),
        ('error: Module not found "file:///app/a.ts".', "module_not_found", "git ls-files"),
        ("anything", "crashed_at_start", "own words"),
    ],
)
def test_a_failed_start_is_explained(tail: str, id_: str, word: str) -> None:
    failure = said.classify("start", 1, tail, manager="deno", port=5000)
    assert failure.id == id_
    assert word in failure.hint


def test_scripts_that_are_not_run_are_named_with_the_way_to_allow_them() -> None:
    lines = (
        "╭ Warning\n│\n│  Ignored build scripts for packages:\n│  npm:bcrypt@5.1.1\n"
        '│  npm:@scope/addon@1.0.0\n│\n│  Run "deno approve-scripts" to run build scripts.\n╰─'
    ).splitlines()
    (notice,) = said.noticed("install", lines, "deno")
    assert notice.message.endswith("npm:bcrypt, npm:@scope/addon")
    assert "deno approve-scripts npm:bcrypt npm:@scope/addon && deno install" in notice.hint


def test_other_steps_and_apps_are_not_judged_by_denos_words() -> None:
    assert said.classify("build", 1, "x", manager="deno").id == "build_script_failed"
    assert said.classify("install", 1, "x", manager="deno").id == "deno_install_failed"
    assert said.classify("install", None, "x", manager="deno").id == "build_timeout"
    assert not said.classify("install", 1, "lockfile is out of date").id.startswith("deno")


def test_whose_words_count_follows_from_the_tree() -> None:
    assert said.manager_of(Files(**{"deno.json": "{}", "main.ts": ""})) == "deno"
    assert said.manager_of(Files(**{"package.json": "{}", "bun.lock": "{}"})) == "bun"
    assert said.manager_of(Files(**{"package.json": "{"})) == "npm"
