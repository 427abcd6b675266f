"""What has not changed is not sent again."""

from typing import Any

import pytest

from paas.api.entity_tag import matches


def test_an_answer_is_sent_again_only_when_it_has_changed(run: Any) -> None:
    async def story(api: Any) -> None:
        app = await api.deployed()
        first = await api.owner.get("/apps")
        tag = first.headers["etag"]
        again = await api.owner.get("/apps", headers={"if-none-match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag and "content-type" not in again.headers
        await api.owner.patch(f"/apps/{app.name}", json={"maintenance": True})
        changed = await api.owner.get("/apps", headers={"if-none-match": tag})
        assert changed.status_code == 200 and changed.headers["etag"] != tag

    run(story)


def test_what_is_refused_has_no_tag(run: Any) -> None:
    async def story(api: Any) -> None:
        assert "etag" not in (await api.owner.get("/apps/absent")).headers
        assert "etag" not in (await api.owner.post("/apps", json={"name": "No"})).headers

    run(story)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ('"a"', True),
        ('W/"a"', True),
        ('"b", "a"', True),
        ("*", True),
        ('"b"', False),
        ("", False),
        ("a", False),
    ],
)
def test_a_list_of_tags_is_compared_weakly(asked: str, found: bool) -> None:
    assert matches(asked, '"a"') is found
