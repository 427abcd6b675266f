import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.apps.formation import (
    QUANTITY_MAX,
    FormationChange,
    FormationEntry,
    apply,
    change,
    for_processes,
    parse_change,
)
from paas.apps.packages import DEFAULT_PACKAGE
from paas.errors import NotFound, UserError

WEB = FormationEntry("web", 1)
WORKER = FormationEntry("worker", 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web=3", FormationChange("web", 3)),
        ("worker+1", FormationChange("worker", 1, relative=True)),
        ("web-1", FormationChange("web", -1, relative=True)),
        ("my-worker-1-2", FormationChange("my-worker-1", -2, relative=True)),
        ("web=2:Standard-1x", FormationChange("web", 2, package="standard-512m")),
        ("web=0:standard-2g", FormationChange("web", 0, package="standard-2g")),
    ],
)
def test_changes_are_parsed(text: str, expected: FormationChange) -> None:
    assert parse_change(text) == expected


@pytest.mark.parametrize("text", ["", "web", "web=", "=1", "web=x", "web=1:", "web==1", "web=-1"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_change(text)


@given(st.text(max_size=30))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        parsed = parse_change(text)
    except UserError:
        return
    assert parsed.quantity is not None


@pytest.mark.parametrize("quantity", [True, 1.5, "x", "", "++1", "１", [], "1e3"])
def test_what_is_no_quantity_is_refused(quantity: object) -> None:
    with pytest.raises(UserError, match="no quantity"):
        change("web", quantity)  # type: ignore[arg-type]


def test_an_unknown_package_is_refused_with_those_there_are() -> None:
    with pytest.raises(UserError) as caught:
        change("web", 1, "performance-xxl")
    assert DEFAULT_PACKAGE in caught.value.hint


def test_changes_apply_in_order() -> None:
    changes = [parse_change("web=2"), parse_change("web+3"), parse_change("worker=1:standard-1g")]
    assert apply([WORKER, WEB], changes) == (
        FormationEntry("web", 5),
        FormationEntry("worker", 1, "standard-1g"),
    )


@pytest.mark.parametrize("text", ["web-2", f"web={QUANTITY_MAX + 1}"])
def test_a_quantity_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="can't have"):
        apply([WEB], [parse_change(text)])


def test_an_unknown_type_is_refused_with_those_there_are() -> None:
    with pytest.raises(NotFound) as caught:
        apply([WEB], [parse_change("wbe=1")])
    assert caught.value.hint == "There are: web."
    with pytest.raises(NotFound) as caught:
        apply([], [parse_change("worker=1")])
    assert caught.value.hint == "Push the app first."


def test_the_size_of_web_can_be_chosen_before_the_first_push() -> None:
    (chosen,) = apply([], [parse_change("web=1:standard-256m")])
    assert for_processes([chosen], {"web": "x"}) == (chosen,)
    assert (chosen.quantity, chosen.package) == (1, "standard-256m")


def test_a_new_web_gets_one_instance_and_any_other_type_none() -> None:
    processes = {"worker": "x", "release": "x", "web": "x"}
    assert for_processes([], processes) == (WEB, WORKER)


def test_a_known_type_keeps_its_quantity_and_a_gone_one_goes() -> None:
    had = [FormationEntry("web", 4, "standard-1g"), FormationEntry("old", 2)]
    assert for_processes(had, {"web": "x"}) == (FormationEntry("web", 4, "standard-1g"),)
