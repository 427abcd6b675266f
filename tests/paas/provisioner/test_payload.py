"""What the node is asked to promise to the machines of a release."""

from typing import Any

from paas.apps.apps import App
from paas.apps.packages import package
from paas.apps.releases import Release
from paas.node.machines import capacity
from paas.provisioner import payload
from paas.store.sql.row import new_id, now

APP = App(new_id(), "hello", "owner@localhost", now())


def release(version: int) -> Release:
    commands = {type: {"argv": ["node", type], "environment": {}} for type in ("web", "release")}
    common = {"created_at": now(), "updated_at": now(), "commands": commands}
    return Release(new_id(), APP.id, version, "Deploy", "owner@localhost", **common)  # type: ignore[arg-type]


def machine(version: int, name: str, make: Any = payload.instance, **more: Any) -> Any:
    if make is payload.instance:
        more = {"host": "hello.localhost", **more}
    made = make(
        APP,
        release(version),
        machine_uuid=new_id(),
        name=name,
        package=package("standard-512m"),
        type=name.partition(".")[0],
        **more,
    )
    return capacity.claim(made)


def test_a_release_and_its_command_need_no_room_beside_the_release_they_replace() -> None:
    before = [machine(1, "web.1"), machine(1, "web.2")]
    deploy = [
        machine(2, "release.2", payload.one_off, place="web.2"),
        machine(2, "web.1"),
        machine(2, "web.2"),
    ]
    assert capacity.promised([*before, *deploy]) == capacity.promised(before)
    assert capacity.promised([*before, machine(2, "web.3")]) != capacity.promised(before)
