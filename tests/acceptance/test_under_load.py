"""While requests come in without a pause, nothing that an owner does loses one of them."""

import json
import os
import signal
import threading
import time

import pytest

from tests.acceptance.developer import Developer
from tests.acceptance.installation import Installation
from tests.acceptance.load import Load


def test_five_pushes_lose_no_request_and_no_old_answer_comes_after_one(app: Developer) -> None:
    with loaded(app) as load:
        for version in ("two", "three", "four", "five", "six"):
            app.release(version)
            returned = time.monotonic()
            load.more(30)
            assert load.bodies_since(returned) == {version}
        load.more()
    no_failures(load)


def test_a_refused_push_loses_no_request(app: Developer) -> None:
    with loaded(app) as load:
        app.write(server__js="console.log('I stop here'); process.exit(3);\n")
        app.commit("Break it")
        assert app.push(check=False).status == 1
        load.more()
    no_failures(load)
    assert load.bodies_since(0) == {"one"}


def test_changed_config_and_rollback_switch_like_a_push(app: Developer) -> None:
    with loaded(app) as load:
        app.paas("config:set", "GREETING=hello")
        changed = time.monotonic()
        load.more(30)
        assert load.bodies_since(changed) == {"one hello"}
        app.paas("rollback", "v1")
        back = time.monotonic()
        load.more(30)
        assert load.bodies_since(back) == {"one"}
    no_failures(load)


def test_scaling_up_and_down_loses_no_request(app: Developer) -> None:
    with loaded(app) as load:
        for quantity in (3, 1, 2):
            app.paas("ps:scale", f"web={quantity}")
            load.more()
            assert len(app.installation.json("ps", "--app", app.app)) == quantity
        app.paas("ps:restart")
        load.more()
    no_failures(load)


def test_all_instances_of_a_scaled_app_get_requests(app: Developer) -> None:
    app.paas("ps:scale", "web=2")
    names = {app.get("/pid").json()["name"] for _ in range(20)}
    assert names == {"web.1", "web.2"}


def test_a_request_under_way_is_answered_by_the_version_that_began_it(app: Developer) -> None:
    answers: list[str] = []
    slow = threading.Thread(target=lambda: answers.append(app.get("/slow").text))
    app.version("two")
    app.commit()
    slow.start()
    app.push()
    slow.join()
    assert answers in (["one slow"], ["two slow"])


KILLS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("control", ("paas.control",)),
    ("node", ("paas.node.server",)),
    ("router keeper", ("router.keeper",)),
    ("router worker", ("router.worker",)),
    ("all", ("paas.control", "paas.node.server", "router.keeper", "router.worker")),
)


@pytest.mark.parametrize("modules", [kill[1] for kill in KILLS], ids=[kill[0] for kill in KILLS])
def test_killed_processes_come_back_and_the_instances_never_notice(
    app: Developer, platform: Installation, modules: tuple[str, ...]
) -> None:
    """Lost is only what was in flight on a killed worker: those who come after it wait."""
    app.paas("ps:scale", "web=2")
    before = pids(app)
    with loaded(app) as load:
        began, gone = platform.kill(*modules)
        load.more(50)
        assert pids(app) == before
        app.release("two")
        returned = time.monotonic()
        load.more(30)
        assert load.bodies_since(returned) == {"two"}
    lost = load.failures()
    if "router.worker" in modules:
        lost = [answer for answer in lost if not answer.broke_off(began, gone)]
    assert len(load.answers) > 20
    assert not lost, lost[:5]


def test_killed_supervisors_lose_no_request_at_all(app: Developer, platform: Installation) -> None:
    with loaded(app) as load:
        for _ in range(3):
            pid = platform.supervisor()
            os.kill(pid, signal.SIGKILL)
            platform.supervisor_after(pid)
            load.more(30)
    no_failures(load)


def test_a_platform_that_replaces_one_of_other_code_loses_no_request(
    app: Developer, platform: Installation
) -> None:
    with loaded(app) as load:
        before = platform.pids("router.keeper")
        record = platform.settings.run / "supervisor.json"
        owner = {**json.loads(record.read_text()), "code": "older"}
        record.write_text(json.dumps(owner))
        platform.paas("up", "-d", "--replace", timeout_s=170)
        load.more(30)
    no_failures(load)
    assert platform.pids("router.keeper") != before


def pids(app: Developer) -> dict[str, int]:
    machines = {name: app.installation.machine(app.app, name) for name in ("web.1", "web.2")}
    return {name: machine["pid"] for name, machine in machines.items()}


def no_failures(load: Load) -> None:
    assert len(load.answers) > 20
    assert not load.failures(), load.failures()[:5]


def loaded(app: Developer) -> Load:
    return Load(app.installation.settings.router_port, f"{app.app}.localhost")
