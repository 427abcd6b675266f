"""What a server may promise: filled to the brim, never over it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.node.errors import NodeError
from paas.node.machines import capacity
from paas.node.machines.capacity import Amount, Claim
from paas.settings import Settings

MOST = Amount(2048, 4096)
claims = st.builds(
    Claim,
    place=st.sampled_from([f"app/web.{number}" for number in range(6)]),
    cpu_shares=st.integers(1, 1500),
    memory_mib=st.integers(1, 3000),
)


def properties(**changes: Any) -> dict[str, Any]:
    metadata = changes.pop("metadata", {})
    return {"uuid": "u1", "cpu_shares": 256, "max_physical_memory": 512,
            "internal_metadata": metadata, **changes}  # fmt: skip


def of(count: int, cpu_shares: int = 256, memory_mib: int = 1) -> list[Claim | None]:
    return [Claim(f"u{number}", cpu_shares, memory_mib) for number in range(count)]


def test_a_server_is_filled_to_the_last_share_and_then_refuses() -> None:
    capacity.check(MOST, of(7), of(8))
    with pytest.raises(NodeError) as caught:
        capacity.check(MOST, of(8), of(9))
    assert caught.value.code == "InsufficientCapacity"
    for words in ("256 cpu_shares (0.25 cores) asked for", "0 of 2048 free", "cpu_oversell"):
        assert words in caught.value.message


@given(st.lists(st.one_of(st.none(), claims), max_size=20))
def test_no_order_of_creates_oversells(wanted: list[Claim | None]) -> None:
    made: list[Claim | None] = []
    for item in wanted:
        try:
            capacity.check(MOST, made, [*made, item])
        except NodeError:
            continue
        made.append(item)
    total = capacity.promised(made)
    assert (total.cpu_shares or 0) <= 2048 and (total.memory_mib or 0) <= 4096
    assert made.count(None) == wanted.count(None)


def test_memory_is_counted_by_itself() -> None:
    with pytest.raises(NodeError, match="4097 memory_mib asked for, 4096 of 4096 free"):
        capacity.check(MOST, [], of(1, memory_mib=4097))


def test_a_new_release_beside_the_one_it_replaces_is_promised_once() -> None:
    full = [Claim(f"app/web.{number}", 256, 1) for number in range(8)]
    capacity.check(MOST, full, [*full, *full])
    larger = replace(full[0], cpu_shares=257)
    with pytest.raises(NodeError, match="1 cpu_shares"):
        capacity.check(MOST, full, [*full, larger])


def test_runs_are_promised_what_instances_are() -> None:
    of_run = properties(metadata={"smartplatform:class": "runs", "smartplatform:place": "a/run.1"})
    assert capacity.claim(of_run) == Claim("a/run.1", 256, 512)


def test_builds_are_promised_nothing() -> None:
    assert capacity.claim(properties(metadata={"smartplatform:class": "builds"})) is None
    assert capacity.claim(properties()) == Claim("u1", 256, 512)
    placed = capacity.claim(properties(metadata={"smartplatform:place": "a/web.1"}))
    assert placed == Claim("a/web.1", 256, 512)


def test_an_oversold_server_lets_machines_shrink_and_refuses_to_grow() -> None:
    capacity.check(MOST, of(20), of(19))
    capacity.check(MOST, of(20), [*of(19), Claim("u19", 255, 1)])
    with pytest.raises(NodeError):
        capacity.check(MOST, of(20), [*of(19), Claim("u19", 257, 1)])


@pytest.mark.parametrize("ratio", [0.0, -1.0, float("nan"), float("inf")])
def test_without_a_ratio_nothing_is_counted(ratio: float) -> None:
    free = capacity.of_server(Settings(cpu_oversell=ratio, memory_oversell=ratio))
    assert free == Amount(None, None)
    capacity.check(free, [], of(10_000))
    part = capacity.room(free, [], of(2))["cpu_shares"]
    assert part == {"asked": 512, "free": None, "most": None}


def test_the_ratio_multiplies_what_the_server_has() -> None:
    once, twice = (
        capacity.of_server(Settings(cpu_oversell=ratio, memory_oversell=ratio)) for ratio in (1, 2)
    )
    assert once.cpu_shares and once.memory_mib
    assert once.cpu_shares % 896 == 0
    assert twice.cpu_shares == 2 * once.cpu_shares
    assert twice.memory_mib in (2 * once.memory_mib, 2 * once.memory_mib + 1)
