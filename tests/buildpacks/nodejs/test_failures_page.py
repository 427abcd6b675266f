"""docs/failures.md is the catalogue, word for word."""

from pathlib import Path

from buildpacks.nodejs.failures import causes
from buildpacks.nodejs.failures.page import page

DOCUMENT = Path(__file__).parents[3] / "docs" / "failures.md"


def test_the_page_is_made_from_the_catalogue() -> None:
    assert DOCUMENT.read_text() == page()


def test_there_are_more_than_forty_causes() -> None:
    assert len({rule.id for rule in causes.ALL}) > 100


def test_every_rule_ends_in_an_answer_whatever_the_step() -> None:
    for rule in causes.ALL:
        assert rule.message
        assert rule.hint
        assert rule.steps
