"""Active checks: who fails them gets no requests, unless all do."""

import os
import signal
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.choice.apps import App
from router.choice.instances import Instance
from router.table import route_table
from router.worker import health


@pytest.mark.parametrize(
    ("checks", "healthy"),
    [
        ("", True),
        ("bb", True),
        ("bbb", False),
        ("bbgbb", True),
        ("bbbg", False),
        ("bbbgg", True),
        ("bbbgbgb", False),
        ("bbbggbb", True),
    ],
)
def test_three_failures_eject_and_two_successes_bring_back(checks: str, healthy: bool) -> None:
    state, against = True, 0
    for check in checks:
        state, against = health.judged(state, against, check == "g")
    assert state is healthy


@given(st.lists(st.booleans()))
def test_the_count_stays_below_both_thresholds(checks: list[bool]) -> None:
    state, against = True, 0
    for good in checks:
        state, against = health.judged(state, against, good)
        assert 0 <= against < (health.FAILURES if state else health.SUCCESSES)


def _instances(*healthy: bool) -> list[Instance]:
    made = []
    for slot, each in enumerate(healthy):
        instance = Instance(route_table.Instance(str(slot), "web.1", unix="/x"), slot, 1, True)
        instance.healthy = each
        made.append(instance)
    return made


def _ready(instances: list[Instance]) -> list[int]:
    app = App("a", 0, 1)
    app.instances = tuple(instances)
    app.refresh(0.0)
    return [each.slot for each in app.ready]


def test_who_is_not_healthy_is_not_ready_unless_all_are_so() -> None:
    assert _ready(_instances(True, False, True)) == [0, 2]
    assert _ready(_instances(False, False)) == [0, 1]


def test_the_healthy_that_refuse_are_tried_after_the_others() -> None:
    instances = _instances(True, False)
    instances[0].failed_to_connect(0.0)
    assert _ready(instances) == [1]


class Patient:
    """An app's script: /up says how it is, anything else is answered."""

    def __init__(self) -> None:
        self.status = b"200 OK"
        self.checked = threading.Event()

    def __call__(self, talk: Any) -> None:
        while True:
            check = talk.request().startswith(b"GET /up ")
            status = self.status if check else b"200 OK"
            talk.send(b"HTTP/1.1 %b\r\nContent-Length: 0\r\n\r\n" % status)
            if check:
                self.checked.set()


def _served(app: Any) -> int:
    return sum(not each.startswith(b"GET /up ") for each in app.requests)


def test_an_instance_that_fails_its_checks_rests_until_it_passes_them(
    own_router: Any, make_app: Any, until: Any
) -> None:
    patients = [Patient(), Patient()]
    first, second = (make_app(patient) for patient in patients)
    instances = [
        {**each.entry["instances"][0], "name": f"web.{number}"}
        for number, each in enumerate((first, second), 1)
    ]
    entry = {**first.entry, "instances": instances, "routing": {"health_path": "/up"}}
    own_router.publish(entry)

    def unhealthy() -> list[str]:
        status = own_router.ask({"type": "status"})["apps"][first.id]
        names: list[str] = status["unhealthy"]
        return names

    assert all(patient.checked.wait(30) for patient in patients)
    assert unhealthy() == []
    patients[1].status = b"500 Internal Server Error"
    until(lambda: unhealthy() == ["web.2"])
    own_router.publish()  # applied by all workers, who heard of it before
    seen = _served(second)
    for _ in range(20):
        assert own_router.fetch(first.host).status == 200
    assert _served(second) == seen
    patients[0].status = b"404 Not Found"
    until(lambda: unhealthy() == ["web.1", "web.2"])
    assert own_router.fetch(first.host).status == 200
    for patient in patients:
        patient.status = b"302 Found"
    until(lambda: unhealthy() == [])
    until(lambda: own_router.fetch(first.host).status == 200 and _served(second) > seen)
    metrics = own_router.ask({"type": "metrics"})["text"]
    assert f'router_unhealthy{{app="{first.name}"}} 0' in metrics
    patients[1].status = b"500 Internal Server Error"
    until(lambda: unhealthy() == ["web.2"])
    own_router.publish({**entry, "routing": {}})
    assert unhealthy() == []
    seen = _served(second)
    until(lambda: own_router.fetch(first.host).status == 200 and _served(second) > seen)


def test_one_worker_asks_and_another_takes_over(own_router: Any, make_app: Any, until: Any) -> None:
    patient = Patient()
    app = make_app(patient)
    own_router.publish({**app.entry, "routing": {"health_path": "/up"}})
    assert patient.checked.wait(30)

    os.kill(own_router.worker_pids()[0], signal.SIGKILL)
    patient.status = b"500 Internal Server Error"
    until(lambda: own_router.ask({"type": "status"})["apps"][app.id]["unhealthy"] == ["web.1"])
    assert all(b"\r\nConnection: close\r\n" in each for each in app.requests)


def test_what_an_instance_sends_to_a_check_is_bounded(
    router: Any, make_app: Any, until: Any
) -> None:
    def endless(talk: Any) -> None:
        talk.request()
        while True:
            talk.send(b"x" * 65536)

    app = make_app(endless)
    router.publish({**app.entry, "routing": {"health_path": "/up"}})
    until(lambda: router.ask({"type": "status"})["apps"][app.id]["unhealthy"] == ["web.1"])
    router.withdraw(app.id)
