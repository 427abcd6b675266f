"""What the platform says of a process that ended, and how limit hits add up: pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.node.machines import endings, payload, tally
from paas.node.machines.machine import Machine
from paas.node.machines.view import vm_object
from paas.settings import Settings

SETTINGS = Settings(installation="test")


def machine(**fields: object) -> Machine:
    properties, _ = payload.create({"brand": "lx", "image_uuid": payload.ZERO_UUID})
    return Machine(uuid=properties["uuid"], slot=1, properties=properties, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "more", "reason"),
    [
        (0, {}, None),
        (7, {}, None),
        (137, {}, "SIGKILL"),
        (137, {"out_of_memory": True}, "out of memory"),
        (139, {}, "SIGSEGV"),
        (255, {}, None),
        (None, {}, "its monitor died"),
        (None, {"cause": endings.HOST_RESTARTED}, "the host was restarted"),
        (137, {"cause": endings.LISTENER_SHUT_DOWN}, "it shut down the socket it was given"),
    ],
)
def test_an_end_has_a_reason_beside_its_status(
    code: int | None, more: dict[str, object], reason: str | None
) -> None:
    assert endings.reason(code, **more) == reason  # type: ignore[arg-type]


def test_the_log_says_it_in_herokus_words() -> None:
    assert endings.lines(137, "out of memory", wanted=True, restarts=True) == [
        "Error R15 (Memory quota vastly exceeded)",
        "Stopping process with SIGKILL",
        "Process exited with status 137",
        "State changed from up to crashed",
    ]
    assert endings.lines(143, "SIGTERM", wanted=False, restarts=True) == [
        "Process exited with status 143"
    ]
    assert endings.lines(0, None, wanted=True, restarts=False) == [
        "Process exited with status 0",
        "State changed from up to complete",
    ]
    assert endings.lines(None, endings.MONITOR_DIED, wanted=False, restarts=True) == [
        "Process ended: its monitor died"
    ]


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=20))
def test_every_hit_is_counted_once_however_often_a_zone_boots(
    steps: list[tuple[int, bool]],
) -> None:
    """A zone that boots begins with counters at zero, which the boot records."""
    found, total, kernel = machine(), 0, 0
    for more, boots in steps:
        if boots:
            kernel = 0
            found = Machine(**{**vars(found), "counted": {}})
        kernel, total = kernel + more, total + more
        changes = tally.changes(found, {"oom_kills": 0, "lwps_hits": kernel}, "now")
        found = Machine(**{**vars(found), **changes})
        assert tally.changes(found, {"oom_kills": 0, "lwps_hits": kernel}, "later") == {}
    assert (found.lwps_hits, found.oom_kills) == (total, 0)


def test_counters_that_begin_anew_unseen_count_whole() -> None:
    found = machine(oom_kills=5, counted={"oom_kills": 5})
    assert tally.changes(found, {"oom_kills": 2, "lwps_hits": 0}, "now") == {
        "oom_kills": 7,
        "oom_kill_timestamp": "now",
        "counted": {"oom_kills": 2, "lwps_hits": 0},
    }


def test_hits_are_shown_once_there_are_any() -> None:
    plain = vm_object(machine(), SETTINGS.network, None, SETTINGS.key)
    assert not {"oom_kills", "lwps_hits", "exit_reason", "counted"} & plain.keys()
    hit = machine(oom_kills=1, oom_kill_timestamp="then", exit_reason="out of memory")
    shown = vm_object(hit, SETTINGS.network, None, SETTINGS.key)
    assert (shown["oom_kills"], shown["exit_reason"]) == (1, "out of memory")
