"""The messages between the processes: what one side makes, the other side's own check accepts."""

import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.apps.apps import App
from paas.apps.instances import Instance
from paas.apps.packages import PACKAGES, package
from paas.apps.releases import Release
from paas.builder import zone
from paas.node import words
from paas.node.machines import payload as node_payload
from paas.node.server.events import between
from paas.provisioner import payload
from paas.routes.table import Routed, table
from paas.settings import Settings
from router.table import route_table as router_table
from router.wire import frames

NOW = datetime(2026, 11, 22, tzinfo=UTC)
APP = App(id=str(uuid.uuid4()), name="hello", owner="owner@localhost", created_at=NOW)
RELEASE = Release(
    id=str(uuid.uuid4()),
    app_id=APP.id,
    version=3,
    description="Deploy 12345678",
    user="owner@localhost",
    created_at=NOW,
    updated_at=NOW,
    image_uuid=str(uuid.uuid4()),
    runtime_uuid=str(uuid.uuid4()),
    stack_uuid=str(uuid.uuid4()),
    config={"GREETING": "hi\nthere", "NODE_OPTIONS": "--no-warnings"},
    processes={"web": "npm start", "worker": "node worker.js"},
    commands={
        "web": {
            "argv": ["node", "server.js"],
            "environment": {"npm_lifecycle_event": "start"},
            "health_path": "/healthz?deep=1",
        },
        "worker": {"argv": ["node", "worker.js"], "environment": {}},
    },
)
SETTINGS = Settings(installation="test-contracts")


def instance(type: str, number: int, version: int = 3) -> Instance:
    return Instance(str(uuid.uuid4()), APP.id, version, type, number, NOW)


def machine(of: Instance, **changes: Any) -> dict[str, Any]:
    found = {"uuid": of.machine_uuid, "state": "running", "listening": "unix"}
    return found | {"nics": [{"ip": "10.70.0.5"}]} | changes


@given(
    targets=st.lists(st.sampled_from(["unix", "tcp", None]), max_size=5),
    domains=st.lists(
        st.from_regex(r"(\*\.)?[a-z]{1,8}\.example\.(com|org)", fullmatch=True), unique=True
    ),
    maintenance=st.booleans(),
    released=st.booleans(),
)
def test_the_router_accepts_every_table_that_the_provisioner_makes(
    targets: list[str | None], domains: list[str], maintenance: bool, released: bool
) -> None:
    web = [instance("web", number) for number, _ in enumerate(targets, 1)]
    machines = {
        item.machine_uuid: machine(item, listening=target)
        for item, target in zip(web, targets, strict=True)
    }
    app = replace(APP, maintenance=maintenance)
    routed = Routed(app, domains, RELEASE if released else None, web)
    made = table(SETTINGS, 12, [routed], machines)
    read = router_table.read(json.loads(json.dumps(made)))
    reached = [target for target in targets if target] if released else []
    assert read.version == 12
    assert [len(app.instances) for app in read.apps] == [len(reached)]


@pytest.mark.parametrize("size", [item.name for item in PACKAGES])
@pytest.mark.parametrize("type", ["web", "worker"])
def test_the_node_accepts_the_payload_of_an_instance_and_drops_nothing(
    size: str, type: str
) -> None:
    made = payload.instance(
        APP,
        RELEASE,
        machine_uuid=str(uuid.uuid4()),
        name=f"{type}.1",
        package=package(size),
        type=type,
        host="hello.localhost",
    )
    accepted, warnings = node_payload.create(json.loads(json.dumps(made)))
    assert warnings == []
    assert {key: accepted.get(key, 0) for key in made} == made  # cpu_cap 0: none


def test_the_node_accepts_the_payload_of_a_build_and_drops_nothing() -> None:
    made = zone.payload(
        uuid=str(uuid.uuid4()),
        image=str(uuid.uuid4()),
        stack=str(uuid.uuid4()),
        runtimes={place: str(uuid.uuid4()) for place in words.RUNTIMES},
        tags={words.APP: APP.id, words.BUILD: str(uuid.uuid4())},
        name="hello",
    )
    accepted, warnings = node_payload.create(json.loads(json.dumps(made)))
    assert warnings == []
    assert {key: accepted.get(key, 0) for key in made} == made  # cpu_cap 0: none


def test_an_event_names_what_changed_as_vminfod_does() -> None:
    before = machine(instance("web", 1), listening=None)
    event = between(before, before | {"listening": "unix"})
    assert event is not None
    assert event["type"] == "modify"
    assert event["vm"]["listening"] == "unix"
    assert [change["prettyPath"] for change in event["changes"]] == ["listening"]
    assert {"uuid", "zonename", "date", "vm", "changes"} <= event.keys()


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.booleans() | st.text(), st.lists)))
def test_a_frame_is_its_length_and_its_json(message: dict[str, Any]) -> None:
    encoded = frames.encode(message)
    assert int.from_bytes(encoded[:4], "big") == len(encoded) - 4
    assert frames.decode(encoded[4:]) == message


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff{}"])
def test_a_frame_that_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(frames.FrameError):
        frames.decode(body)
