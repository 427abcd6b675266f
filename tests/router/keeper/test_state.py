"""Which slots of the counters the keeper gives out, and when it gives them to others."""

from pathlib import Path
from typing import Any

import pytest

from router.keeper.state import State
from router.memory import counters

ROW = 1


@pytest.fixture
def shared() -> counters.Counters:
    return counters.create()


@pytest.fixture
def state(tmp_path: Path, shared: counters.Counters) -> State:
    return State(tmp_path / "table.json", shared)


def _table(version: int, *names: str) -> dict[str, Any]:
    apps = [
        {
            "id": name,
            "name": name,
            "domains": [],
            "maintenance": False,
            "state": "live",
            "instances": [{"id": f"{name}-1", "name": "web.1", "target": {"unix": "/run/x.sock"}}],
        }
        for name in names
    ]
    return {"version": version, "bases": ["localhost"], "apps": apps}


def test_a_table_survives_a_keeper(tmp_path: Path, shared: counters.Counters, state: State) -> None:
    state.accept(_table(3, "a"))
    assert State(tmp_path / "table.json", shared).table == state.table


@pytest.mark.parametrize("damaged", ["", "{", '{"version": 1}', "[]"])
def test_a_keeper_starts_without_a_table_that_is_damaged(
    tmp_path: Path,
    shared: counters.Counters,
    damaged: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "table.json").write_text(damaged)
    assert State(tmp_path / "table.json", shared).table.version == 0
    assert "starting without a table" in capsys.readouterr().err


def test_the_slot_of_an_app_that_is_gone_is_the_next_ones(state: State) -> None:
    state.accept(_table(1, "old"))
    slot = state.apps["old"]
    state.accept(_table(2))
    state.release_slots()
    state.accept(_table(3, "new"))
    assert state.apps == {"new": slot}


def test_an_app_that_is_gone_keeps_its_slot_while_a_connection_to_it_is_open(
    state: State, shared: counters.Counters
) -> None:
    state.accept(_table(1, "old"))
    slot, in_flight = state.apps["old"], counters.instance_cell(ROW, state.instances["old-1"])
    shared.cells[in_flight] = 1
    state.accept(_table(2))
    state.release_slots()
    state.accept(_table(3, "new"))
    assert state.apps["new"] != slot

    shared.cells[in_flight] = 0
    shared.cells[counters.app_cell(ROW, slot) + counters.STATUS + 1] = 1
    state.release_slots()
    state.accept(_table(4, "new", "newer"))
    assert state.apps["newer"] == slot
    assert shared.app(slot)["requests"] == 0
