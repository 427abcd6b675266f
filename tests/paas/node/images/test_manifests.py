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
        ("v", -1),
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
        ("files", [FILE | {"size": 0}]),
        ("files", [FILE | {"compression": "zstd"}]),
        ("tags", ["a"]),
        ("tags", {"a": "x" * 200_000}),
        ("image_size", 10),
        ("colour", "red"),
    ],
)
def test_what_is_not_valid_is_named(field: str, value: object) -> None:
    assert [problem["field"] for problem in manifests.problems(whole(**{field: value}))] == [field]


def test_drivers_are_for_zvols() -> None:
    fields = {"nic_driver": "virtio", "disk_driver": "virtio", "cpu_type": "host", "image_size": 10}
    assert manifests.problems(whole(type="zvol", **fields)) == []
    assert len(manifests.problems(whole(**fields))) == 4


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


NETWORK = {"name": "net", "description": "d"}
ZVOL = {"type": "zvol", "nic_driver": "virtio", "disk_driver": "virtio", "cpu_type": "host"}
CHANGES: list[dict[str, Any]] = [
    *({field: None} for field in ("v", "uuid", "name", "version", "type", "os")),
    *({"v": value} for value in (1, 2, -1, "two")),
    *({"uuid": value} for value in (UUID.upper(), "", "x", 7)),
    *({"name": value} for value in ("späth", "x" * 1025, "a b/c_d-e.f", "a+b")),
    *({"version": value} for value in ("1 2", "1.0+b/c", "x" * 513)),
    *({"type": value} for value in ("tarball", "docker", "other", "zone-dataset")),
    *({"os": value} for value in ("plan9", "smartos", "other")),
    *({"state": value} for value in ("asleep", "creating", "failed")),
    *({"public": value} for value in ("yes", "true", True)),
    *({"published_at": value} for value in ("yesterday", "2026-11-22T15:04:05Z")),
    {"published_at": "2026-11-22T15:04:05.1Z"},
    *({"homepage": value} for value in ("ftp://here", "http://here", "https://h/" + "x" * 1024)),
    *({"requirements": {"networks": value}} for value in ([NETWORK], [{"name": "n"}], "n", {})),
    *({"requirements": {"min_ram": low, "max_ram": 9}} for low in (9, 10, "9", 0)),
    *({"requirements": {"min_platform": {"7.0": at}}} for at in ("20130308T102805Z", "2013")),
    {"requirements": {"max_platform": {"7.0": "20110308T102805Z"}}},
    *({"requirements": {"bootrom": "uefi", "brand": brand}} for brand in ("bhyve", "lx", "")),
    *({"requirements": value} for value in ({"ssh_key": True}, {"ssh_key": 1}, {"colour": 1})),
    *({"inherited_directories": ["/opt"], "type": kind} for kind in ("zone-dataset", "other")),
    *({"files": value} for value in ([], [FILE], [FILE, FILE], "none", [FILE | {"size": 0}])),
    *({"files": [FILE | more]} for more in ({"compression": "zstd"}, {"sha1": "zz"}, {"more": 1})),
    *({"users": value} for value in ([{"name": "root"}], [{}], [{"name": "a", "b": 1}], "root")),
    *({"billing_tags": value} for value in (["a"], ["a" * 129], [1], "a")),
    *({"traits": value} for value in ({"a": "b"}, {"a": True, "b": []}, {"a": 1}, "a")),
    *({"tags": value} for value in ({"a": {"b": 1}}, ["a"], {"a": "x" * 102_400})),
    *({"generate_passwords": value} for value in (True, "false", 1)),
    *({"acl": value} for value in ([UUID], ["x"], UUID)),
    *({**ZVOL, "image_size": value} for value in (10, "ten", 1.5)),
    *(ZVOL, {"image_size": 10}, {"nic_driver": "virtio"}, {"colour": "red"}, {"channels": ["dev"]}),
    *({"description": value} for value in ("x" * 10240, "x" * 10241)),
    *({"origin": value} for value in (UUID, "x")),
    {"activated": True, "published_at": None},
]  # fmt: skip
"""None takes a field away."""


def changed(fields: dict[str, Any]) -> manifests.Manifest:
    return {key: value for key, value in whole(**fields).items() if value is not None}


def test_imgmanifest_refuses_what_the_node_refuses_and_no_more(imgmanifest: Path) -> None:
    asked = [
        {**changed(fields), "files": changed(fields).get("files", [FILE])} for fields in CHANGES
    ]
    script = """
const m = require('imgmanifest'), asked = JSON.parse(require('fs').readFileSync(0));
const judge = a => { try { return !m.validateMinimalManifest(a) } catch (e) { return false } };
console.log(JSON.stringify(asked.map(judge)));
"""
    theirs = json.loads(
        subprocess.check_output(
            ["node", "-e", script], input=json.dumps(asked), cwd=imgmanifest, text=True, timeout=60
        )
    )
    ours = [not manifests.problems(manifest) for manifest in asked]
    pairs = zip(CHANGES, theirs, ours, strict=True)
    assert [(fields, their) for fields, their, our in pairs if their != our] == []
    assert len(asked) >= 67 and 20 < sum(ours) < len(asked) - 20


@pytest.mark.parametrize(
    "files", [[], [FILE, FILE], [FILE | {"sha1": "zz"}], [FILE | {"size": "12"}], None]
)
def test_a_file_that_cannot_be_checked_is_a_problem(files: Any) -> None:
    assert manifests.file_problems(whole(files=[FILE])) == []
    assert manifests.file_problems(whole(files=files)) != []
