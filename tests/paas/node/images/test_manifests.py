"""Manifests: completed, checked, and judged by npm's own imgmanifest."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.node import words
from paas.node.images import manifests, runtimes

UUID = "f669428c-a939-11e2-a485-b790efc0f0c1"
FILE = {"sha1": "0" * 40, "size": 12, "compression": "none"}


def whole(**fields: Any) -> manifests.Manifest:
    return manifests.complete({"uuid": UUID, "name": "hello", **fields})


def test_a_name_and_a_uuid_make_a_manifest() -> None:
    made = manifests.complete(
        {"uuid": UUID, "name": "hello"}, datetime(2026, 11, 22, 15, 4, 5, 6000, UTC)
    )
    assert made["published_at"] == "2026-11-22T15:04:05.006Z"
    assert made["requirements"] == {"brand": "lx"}
    assert manifests.problems(made) == []


def test_given_fields_win() -> None:
    assert whole(version="24.1.0", os="other")["os"] == "other"


@pytest.mark.parametrize("field", ["v", "uuid", "name", "version", "type", "os"])
def test_what_is_missing_is_named(field: str) -> None:
    made = whole()
    del made[field]
    assert manifests.problems(made) == [
        {"field": field, "code": "MissingParameter", "message": f"{field} is missing"}
    ]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("v", 1),
        ("uuid", UUID.upper()),
        ("name", "späth"),
        ("name", "x" * 1025),
        ("version", "1 2"),
        ("type", "tarball"),
        ("os", "plan9"),
        ("state", "asleep"),
        ("public", "yes"),
        ("published_at", "yesterday"),
        ("homepage", "ftp://here"),
        ("requirements", {"min_ram": 512, "max_ram": 256}),
        ("requirements", {"colour": "red"}),
        ("files", []),
        ("files", [FILE | {"size": 0}]),
        ("files", [FILE | {"sha1": "zz"}]),
        ("files", [FILE | {"compression": "zstd"}]),
        ("tags", ["a"]),
        ("tags", {"a": "x" * 200_000}),
        ("image_size", 10),
        ("colour", "red"),
    ],
)
def test_what_is_not_valid_is_named(field: str, value: object) -> None:
    assert [problem["field"] for problem in manifests.problems(whole(**{field: value}))] == [field]


def test_a_zvol_needs_its_drivers() -> None:
    fields = {"nic_driver": "virtio", "disk_driver": "virtio", "cpu_type": "host", "image_size": 10}
    assert manifests.problems(whole(type="zvol", **fields)) == []
    assert len(manifests.problems(whole(type="zvol"))) == 4


def test_pins_are_stack_runtime_and_origin() -> None:
    tags = {words.STACK: "s", words.RUNTIME: "r", words.ROLE: "app"}
    assert manifests.pins(whole(tags=tags, origin="o")) == {"s", "r", "o"}
    assert manifests.role(whole(tags=tags)) == "app"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.sampled_from(sorted([*whole(), "files", "origin", "acl", "users"])), json_values)
def test_any_value_is_accepted_or_refused(field: str, value: object) -> None:
    manifests.problems(whole(**{field: value}))


@pytest.fixture(scope="session")
def imgmanifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """npm's package, when npm and a registry are there."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    folder = tmp_path_factory.mktemp("imgmanifest")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "imgmanifest@3"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=120)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("needs an npm registry")
    return folder


def judged(folder: Path, validator: str, manifest: manifests.Manifest) -> Any:
    script = "const m=require('imgmanifest');const [v,j]=process.argv.slice(1);"
    script += "console.log(JSON.stringify(m[v](JSON.parse(j))||[]))"
    command = ["node", "-e", script, validator, json.dumps(manifest)]
    return json.loads(subprocess.check_output(command, cwd=folder, text=True, timeout=60))


def test_imgmanifest_accepts_what_the_node_makes(imgmanifest: Path) -> None:
    made = [
        whole(),
        whole(files=[FILE], tags={words.ROLE: "stack", words.VARIANT: "run"}),
        manifests.complete(runtimes.manifest_of("24.19.0")),
    ]
    for manifest in made:
        assert judged(imgmanifest, "validateMinimalManifest", manifest) == []
    assert judged(imgmanifest, "validateDcManifest", made[1]) == []


@pytest.mark.parametrize(
    "fields",
    [{"name": "späth"}, {"version": "1 2"}, {"type": "tarball"}, {"colour": "red"}],
)
def test_imgmanifest_refuses_what_the_node_refuses(
    imgmanifest: Path, fields: dict[str, object]
) -> None:
    theirs = judged(imgmanifest, "validateMinimalManifest", whole(**fields))
    assert bool(theirs) == bool(manifests.problems(whole(**fields)))
