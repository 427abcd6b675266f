"""The table that control makes is one that the router accepts, whatever the machines look like."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.apps.apps import RESERVED_NAMES, App
from paas.apps.instances import Instance
from paas.apps.releases import Release, ReleaseStatus
from paas.routes import hooks
from paas.routes.table import Routed, table
from paas.settings import Settings
from router.table import route_table as router_table

MOMENT = datetime(2026, 11, 22, tzinfo=UTC)
SETTINGS = Settings(installation="test-table")
APP = App("6f1a2b3c-0000-4000-8000-000000000001", "hello", "owner@localhost", MOMENT)
RELEASE = Release("r", APP.id, 2, "", "me", MOMENT, MOMENT, ReleaseStatus.SUCCEEDED, image_uuid="i")
machines = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["running", "stopped", "failed", "provisioning"]),
        "listening": st.sampled_from([None, "unix", "tcp"]),
        "listened": st.sampled_from([None, "unix", "tcp"]),
        "restarting": st.booleans(),
        "nics": st.just([{"ip": "10.70.0.5"}]),
    }
)


def test_the_address_of_hooks_is_in_a_table_that_the_router_accepts() -> None:
    message = table(SETTINGS, 7, [Routed(APP, [], RELEASE, [])], {}, has_hooks=True)
    accepted = router_table.read(message)
    assert [app["name"] for app in message["apps"]] == ["hello", hooks.NAME]
    assert len(accepted.apps) == 2 and hooks.NAME in RESERVED_NAMES
    assert table(SETTINGS, 7, [], {})["apps"] == []


def test_at_the_address_of_hooks_there_is_nothing_else() -> None:
    ours = ("smartplatform.localhost:8080", "SMARTPLATFORM.localhost", "smartplatform.a.sslip.io")
    for host in ours:
        assert hooks.is_elsewhere(SETTINGS, host, "/apps")
        assert not hooks.is_elsewhere(SETTINGS, host, "/hooks/1")
    for host in ("localhost:8081", "127.0.0.1", "[::1]:8081", "smartplatform.example.com", ""):
        assert not hooks.is_elsewhere(SETTINGS, host, "/apps")
    assert hooks.base_url(SETTINGS) == "http://smartplatform.localhost:8080"
    proxied = replace(SETTINGS, hooks_url="https://hooks.example.com/")
    assert hooks.base_url(proxied) == "https://hooks.example.com"


def instance(number: int, version: int = 2, type: str = "web") -> Instance:
    uuid = f"6f1a2b3c-0000-4000-8000-{number * 10 + version:012}"
    return Instance(uuid, APP.id, version, type, number, MOMENT)


def made(present: list[Instance], known: dict[str, Any], release: Release | None = RELEASE) -> Any:
    routed = Routed(APP, ["www.example.com"], release, present)
    return table(SETTINGS, 7, [routed], known)["apps"][0]


@given(st.lists(machines, max_size=4))
def test_the_router_accepts_it(found: list[dict[str, Any]]) -> None:
    present = [instance(number) for number in range(1, len(found) + 1)]
    known = {
        item.machine_uuid: {**machine, "uuid": item.machine_uuid}
        for item, machine in zip(present, found, strict=True)
    }
    message = table(SETTINGS, 7, [Routed(APP, ["*.example.org"], RELEASE, present)], known)
    assert router_table.read(message).version == 7


def test_only_instances_of_the_current_release_that_listen_are_reached() -> None:
    up = {"state": "running", "listening": "unix", "nics": []}
    tcp = {"state": "running", "listening": "tcp", "nics": [{"ip": "10.70.0.5"}]}
    present = [instance(1), instance(2), instance(3), instance(1, version=3), instance(1, 2, "w")]
    known = {item.machine_uuid: {**up, "uuid": item.machine_uuid} for item in present}
    known[present[1].machine_uuid] |= tcp
    known[present[2].machine_uuid] |= {"listening": None}
    found = made(present, known)
    assert [item["id"] for item in found["instances"]][:2] == [
        present[0].machine_uuid,
        present[1].machine_uuid,
    ]
    assert found["instances"][1]["target"] == {"tcp": ["10.70.0.5", 3000]}
    path = SETTINGS.machines_run / present[0].machine_uuid / "web.sock"
    assert found["instances"][0]["target"] == {"unix": str(path)}
    assert present[3].machine_uuid not in [item["id"] for item in found["instances"]]


def test_an_app_says_only_what_differs_from_the_usual() -> None:
    up = {"state": "running", "listening": "unix", "nics": []}
    first = instance(1)
    known = {first.machine_uuid: {**up, "uuid": first.machine_uuid}}
    usual = made([first], known)
    assert not {"https", "routing"} & usual.keys()
    assert usual["instances"][0]["release"] == 2
    app = replace(APP, routing={"https": "redirect", "concurrency": 5})
    page = "https://www.example.com/sorry"
    release = replace(RELEASE, config={"ERROR_PAGE_URL": page})
    message = table(SETTINGS, 7, [Routed(app, [], release, [first])], known)
    entry = message["apps"][0]
    assert entry["https"] == "redirect"
    assert entry["routing"] == {"concurrency": 5, "error_page_url": page}
    read = router_table.read(message).apps[0]
    assert (read.routing.concurrency, read.routing.error_page_url) == (5, page)
    assert read.instances[0].release == 2


@pytest.mark.parametrize(
    ("machine", "state"),
    [
        ({"state": "stopped", "restarting": True, "listened": "unix"}, "live"),
        ({"state": "running", "listened": "unix"}, "live"),
        ({"state": "stopped", "restarting": True}, "crashed"),
        ({"state": "running", "init_restarts": 1}, "crashed"),
        ({"state": "stopped", "init_restarts": 1}, "asleep"),
        ({"state": "failed", "listened": "unix"}, "crashed"),
        ({"state": "stopped", "listened": "unix", "exit_status": 143}, "asleep"),
        ({"state": "provisioning"}, "asleep"),
        ({"state": "running", "init_restarts": 0, "exit_status": 143}, "asleep"),
    ],
    ids=[
        "served and is about to start",
        "served and starts",
        "ended before it served",
        "starts again after that",
        "stopped after that",
        "failed",
        "stopped with the platform",
        "made anew",
        "starts with the platform",
    ],
)
def test_requests_wait_for_what_starts_unless_it_ended_before_it_served(
    machine: dict[str, Any], state: str
) -> None:
    one = instance(1)
    found = made([one], {one.machine_uuid: {**machine, "uuid": one.machine_uuid}})
    assert found["state"] == state
    assert bool(found["instances"]) == (state == "live")


@pytest.mark.parametrize(
    ("release", "present", "state"),
    [
        (None, [], "blank"),
        (replace(RELEASE, image_uuid=None), [], "blank"),
        (RELEASE, [], "live"),
        (RELEASE, [instance(1)], "crashed"),
    ],
    ids=["nothing pushed", "only config", "scaled to 0", "none up"],
)
def test_the_state_tells_why_nothing_answers(
    release: Release | None, present: list[Instance], state: str
) -> None:
    assert made(present, {}, release)["state"] == state
