"""The platform in memory answers to what the API's handlers say to the real one."""

import dataclasses
import inspect
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from paas.operations.served import Served
from tests.paas.api.conftest import memory_platform

NOUNS = {
    name: type
    for name, type in get_type_hints(Served).items()
    if type.__module__ == f"paas.operations.{name}"
}


def test_every_file_of_operations_is_served() -> None:
    assert len(NOUNS) == len(dataclasses.fields(Served)) - len({"settings", "database"})


@pytest.mark.parametrize("noun", NOUNS)
def test_each_noun_is_asked_in_the_same_words(noun: str, tmp_path: Path) -> None:
    platform = memory_platform(tmp_path)
    try:
        double = getattr(platform, noun)
        for name, method in vars(NOUNS[noun]).items():
            if inspect.isfunction(method) and not name.startswith("_"):
                assert asked(getattr(type(double), name)) == asked(method), name
    finally:
        platform.database.close()


def asked(method: Any) -> list[tuple[str, Any]]:
    parameters = inspect.signature(method).parameters.values()
    return [(each.name, each.kind) for each in parameters]
