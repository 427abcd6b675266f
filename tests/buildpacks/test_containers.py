"""What is said of a Dockerfile and its like; the way out is followed to the letter."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from buildpacks import containers
from buildpacks.findings import Refused
from tests.buildpacks.nodejs.test_plan import planned
from tests.buildpacks.nodejs.trees import Files, app, folder


def refusal(**files: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as raised:
        planned(Files(**files))
    assert raised.value.failure.id == "only_nodejs"
    return raised.value.failure.message, raised.value.failure.hint


@pytest.mark.parametrize(
    ("dockerfile", "command"),
    [
        ('FROM node:22\nCMD ["node", "dist/main.js"]\n', "node dist/main.js"),
        ("FROM node:22 AS build\nFROM gcr.io/x/nodejs20\nCMD node \\\n  a.js", "node    a.js"),
        ("from node\nentrypoint [node]", "node server.js"),
        ("FROM node\n", "node server.js"),
        ("", "node server.js"),
    ],
)
def test_the_way_out_of_a_dockerfile_is_followed(
    tmp_path: Path, dockerfile: str, command: str
) -> None:
    message, hint = refusal(Dockerfile=dockerfile)
    assert "Dockerfile does nothing here" in message
    (tmp_path / "Dockerfile").write_text(dockerfile)
    typed = hint.partition(": ")[2].replace("npm init -y", "echo '{}' > package.json")
    git = "git init -q && git config user.name a && git config user.email a@b"
    subprocess.run(
        ["sh", "-ec", f"{git}\n{typed}"], cwd=tmp_path, check=True, timeout=30, capture_output=True
    )
    made = planned(folder(tmp_path))
    assert made.processes["web"].command == command


def test_an_image_of_something_else_is_told_so() -> None:
    _, hint = refusal(Dockerfile="FROM python:3.12\nCMD python app.py")
    assert hint.startswith("Dockerfile begins with python:3.12, which is not Node.js")


@pytest.mark.parametrize("name", ["docker-compose.yml", "fly.toml", "render.yaml"])
def test_other_platforms_files_are_named(name: str) -> None:
    message, hint = refusal(**{name: "x"})
    assert f"{name} does nothing here" in message
    assert "web: node server.js" in hint


def test_beside_a_package_json_they_are_named_at_the_first_deploy() -> None:
    made = planned(app({"server.js": "", "Dockerfile": "", "fly.toml": ""}))
    assert "Dockerfile, fly.toml do nothing here: the app is built from package.json" in [
        notice.message for notice in made.notices
    ]
    assert containers.named(["server.js", "package.json"]) == []
