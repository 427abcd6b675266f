"""Memory and time of a build, between the operator and the app."""

import pytest

from paas.apps import build_limits
from paas.apps.build_limits import Limits
from paas.errors import UserError

DEFAULT = Limits(2048, 900.0, 4096, 3600.0)


@pytest.mark.parametrize(
    ("config", "memory_mib", "time_s"),
    [
        ({}, 2048, 900),
        ({"BUILD_MEMORY_MIB": "3000", "BUILD_TIMEOUT_S": "60"}, 3000, 60),
        ({"BUILD_MEMORY_MIB": "9000", "BUILD_TIMEOUT_S": "99999"}, 4096, 3600),
        ({"BUILD_MEMORY_MIB": "lots", "BUILD_TIMEOUT_S": "0"}, 2048, 900),
        ({"BUILD_MEMORY_MIB": "1"}, 256, 900),
    ],
)
def test_an_app_chooses_within_the_operators_bounds(
    config: dict[str, str], memory_mib: int, time_s: int
) -> None:
    found = build_limits.limits(config, DEFAULT)
    assert (found.memory_mib, found.time_s) == (memory_mib, time_s)


@pytest.mark.parametrize("value", ["", "4097", "255", "4G", "-1", "1.5", "1" * 20])
def test_a_value_without_effect_is_refused_with_the_bounds(value: str) -> None:
    with pytest.raises(UserError, match="a whole number of MiB from 256 to 4096"):
        build_limits.check({"BUILD_MEMORY_MIB": value}, DEFAULT)


def test_what_the_hint_says_is_taken() -> None:
    with pytest.raises(UserError) as raised:
        build_limits.check({"BUILD_TIMEOUT_S": "1"}, DEFAULT)
    name, _, value = raised.value.hint.split("config:set ")[1].partition("=")
    build_limits.check({name: value, "BUILD_MEMORY_MIB": None}, DEFAULT)
