"""What a push says at its end about what answers and what runs nowhere."""

from dataclasses import replace
from datetime import UTC, datetime

from paas.apps.formation import FormationEntry, for_processes
from paas.apps.releases import Release
from paas.deploys.released import lines

ADDRESS = "http://hello.localhost:8080"
MOMENT = datetime(2026, 11, 29, tzinfo=UTC)
RELEASE = Release("id", "app", 1, "Deploy", "me@localhost", MOMENT, MOMENT)


def said(*types: str, known: tuple[str, ...] = (), **counts: int) -> list[str]:
    release = replace(RELEASE, processes=dict.fromkeys(types, "node x.js"))
    had = [FormationEntry(type, count) for type, count in counts.items()]
    found = lines(release, for_processes(had, release.processes), ADDRESS, known)
    return [line.strip(" =>") for line in found.splitlines()]


def test_a_web_process_is_shown_with_its_address_and_nothing_else() -> None:
    assert said("web", "release") == [f"Released v1: {ADDRESS}"]


def test_a_worker_that_begins_with_no_instance_is_told_once() -> None:
    told = "worker runs nowhere yet; to start: paas ps:scale worker=1"
    assert said("web", "worker") == [f"Released v1: {ADDRESS}", told]
    assert said("web", "worker", known=("web", "worker")) == [f"Released v1: {ADDRESS}"]
    assert said("web", "worker", worker=2) == [f"Released v1: {ADDRESS}"]


def test_an_app_of_workers_only_is_shown_no_address() -> None:
    assert said("mailer", "clock", known=("mailer", "clock")) == [
        "Released v1",
        "It has no web process, so it answers no requests",
        "mailer, clock run nowhere yet; to start: paas ps:scale mailer=1 clock=1",
    ]
    assert said("clock", clock=1) == [
        "Released v1",
        "It has no web process, so it answers no requests",
    ]


def test_a_web_process_that_was_scaled_to_nothing_is_told() -> None:
    assert said("web", known=("web",), web=0) == [
        "Released v1",
        f"web has no instance: {ADDRESS} answers when it has one",
        "web runs nowhere yet; to start: paas ps:scale web=1",
    ]
