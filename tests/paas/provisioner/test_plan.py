"""The plan: from any formation and any instances to exactly what the formation says."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from paas.apps.formation import FormationEntry
from paas.apps.instances import Instance
from paas.provisioner import plan

TYPES = ("web", "worker", "clock")
MOMENT = datetime(2026, 11, 22, tzinfo=UTC)
entries = st.lists(
    st.builds(FormationEntry, st.sampled_from(TYPES), st.integers(0, 4)), unique_by=lambda e: e.type
)
instances = st.lists(
    st.builds(
        Instance,
        machine_uuid=st.uuids().map(str),
        app_id=st.just("app"),
        release_version=st.integers(1, 3),
        type=st.sampled_from(TYPES),
        number=st.integers(1, 6),
        created_at=st.integers(0, 9).map(lambda s: MOMENT + timedelta(seconds=s)),
    ),
    max_size=12,
    unique_by=lambda item: item.machine_uuid,
)


def instance(number: int, second: int = 0, version: int = 1, type: str = "web") -> Instance:
    uuid = str(UUID(int=number * 1000 + second * 10 + version))
    return Instance(uuid, "app", version, type, number, MOMENT + timedelta(seconds=second))


@given(entries, instances, st.integers(1, 3))
def test_what_is_kept_and_what_is_started_are_the_formation(
    formation: list[FormationEntry], present: list[Instance], version: int
) -> None:
    change = plan.converge(formation, present, version)
    kept = [item for item in present if item not in change.retire]
    assert set(change.retire) <= set(present)
    assert len(set(change.retire)) == len(change.retire)
    assert all(item.release_version == version for item in kept)
    names = [item.name for item in kept] + [item.name for item in change.start]
    assert len(set(names)) == len(names)
    for entry in formation:
        of_type = [name for name in names if name.startswith(f"{entry.type}.")]
        assert len(of_type) == entry.quantity
    assert len(names) == sum(entry.quantity for entry in formation)


@given(entries, instances, st.integers(1, 3))
def test_converging_twice_changes_nothing_more(
    formation: list[FormationEntry], present: list[Instance], version: int
) -> None:
    change = plan.converge(formation, present, version)
    kept = [item for item in present if item not in change.retire]
    made = [
        Instance(f"new-{number}", "app", version, item.type, item.number, MOMENT)
        for number, item in enumerate(change.start)
    ]
    assert plan.converge(formation, [*kept, *made], version) == plan.Change()


def test_the_highest_numbers_go_and_the_lowest_free_ones_come() -> None:
    present = [instance(1), instance(3), instance(4)]
    assert plan.converge([FormationEntry("web", 1)], present, 1).retire == (present[1], present[2])
    started = plan.converge([FormationEntry("web", 5)], present, 1).start
    assert [item.name for item in started] == ["web.2", "web.5"]


def test_of_a_restart_that_was_cut_off_the_newer_stay() -> None:
    old, new, other = instance(1, 0), instance(1, 5), instance(2, 0)
    change = plan.converge([FormationEntry("web", 2)], [old, new, other], 1)
    assert change == plan.Change((), (old,))


def test_a_restart_starts_the_same_again_and_nothing_that_has_no_type_any_more() -> None:
    gone = instance(1, type="old")
    wanted = plan.replacing([FormationEntry("web", 2, "standard-1g")], [instance(2), gone])
    assert wanted == (plan.Wanted("web", 2, "standard-1g"),)


def test_a_new_release_starts_everything() -> None:
    formation = [FormationEntry("web", 2), FormationEntry("worker", 0)]
    assert [item.name for item in plan.full(formation)] == ["web.1", "web.2"]


def test_what_runs_before_a_release_has_the_room_of_its_largest_instance() -> None:
    entries = [FormationEntry("web", 0), FormationEntry("worker", 2, "standard-1g")]
    assert plan.largest([FormationEntry("clock", 1), *entries]) == "worker.1"
    assert plan.largest([FormationEntry("web", 2), FormationEntry("clock", 1)]) == "web.1"
    assert plan.largest([FormationEntry("web", 0)]) is None
