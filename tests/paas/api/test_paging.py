from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.api.paging import GREATEST_MAX, Range, cut, parse

ITEMS = [{"id": f"{number:04}", "version": number} for number in range(1, 26)]


def versions(header: str) -> tuple[list[int], str | None]:
    asked = parse(header)
    assert asked is not None
    part, following = cut(ITEMS, asked)
    return [item["version"] for item in part], str(following) if following else None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("header", "first", "count", "following"),
    [
        ("version ..; order=desc,max=10", 25, 10, "version ..16[; max=10, order=desc"),
        ("version ..; max=10, order=desc", 25, 10, "version ..16[; max=10, order=desc"),
        ("version ..16[; max=10, order=desc", 15, 10, "version ..6[; max=10, order=desc"),
        ("version ..; order=desc max=1;", 25, 1, "version ..25[; max=1, order=desc"),
        ("id ..; max=1000;", 1, 25, None),
        ("version ]5..8", 6, 3, None),
        ("version 5..", 5, 21, None),
        ("version ..", 1, 25, None),
    ],
)
def test_ranges_as_clients_send_them(
    header: str, first: int, count: int, following: str | None
) -> None:
    part, next_range = versions(header)
    assert (part[0], len(part), next_range) == (first, count, following)


@pytest.mark.parametrize("header", ["", "bytes=0-99", "version", "..", "; max=1", "version 1-2"])
def test_other_ranges_are_ignored(header: str) -> None:
    assert parse(header) is None


@given(st.text(max_size=60))
def test_any_range_is_parsed_or_ignored(header: str) -> None:
    asked = parse(header)
    assert asked is None or 1 <= asked.most <= GREATEST_MAX


@given(
    st.lists(st.integers(0, 10**6), unique=True, max_size=60),
    st.integers(1, 20),
    st.booleans(),
)
def test_following_the_ranges_gives_each_item_once(
    numbers: list[int], most: int, descending: bool
) -> None:
    items = [{"id": str(number), "version": number} for number in numbers]
    asked: Range | None = Range("version", most=most, descending=descending)
    seen: list[int] = []
    while asked is not None:
        part, following = cut(items, asked)
        seen += [item["version"] for item in part]  # type: ignore[misc]
        asked = parse(str(following)) if following else None
        assert len(seen) <= len(numbers)
    assert seen == sorted(numbers, reverse=descending)


def test_a_list_says_what_follows(run: Any) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        for number in range(12):
            await api.owner.patch("/apps/hello/config-vars", json={"A": str(number)})
        headers = {"Range": "version ..; order=desc,max=10"}
        first = await api.owner.get("/apps/hello/releases", headers=headers)
        assert first.status_code == 206 and first.headers["Content-Range"] == "version 14..5"
        following = {"Range": first.headers["Next-Range"]}
        second = await api.owner.get("/apps/hello/releases", headers=following)
        assert second.status_code == 200 and "Next-Range" not in second.headers
        seen = [release["version"] for release in first.json() + second.json()]
        assert seen == list(range(14, 0, -1))
        unknown = await api.owner.get("/apps/hello/releases", headers={"Range": "colour ..; max=2"})
        assert [release["version"] for release in unknown.json()] == [1, 2]

    run(story)
