"""The buildpacks of an app: what is kept of the names, and what counts at a build."""

import pytest

from paas.apps import buildpacks
from paas.errors import UserError


def test_names_are_kept_as_one_would_write_them() -> None:
    names = ["./a/", "https://github.com/heroku/heroku-buildpack-nodejs.git", " https://h/x#v1 "]
    assert buildpacks.check(names) == ("./a", "heroku/nodejs", "https://h/x#v1")
    assert buildpacks.check([]) == ()


@pytest.mark.parametrize(
    "names",
    [["./a", "./a/"], ["nodejs", "heroku/nodejs"], [f"./b{n}" for n in range(21)], ["http://h/x"]],
)
def test_what_stands_twice_or_can_not_be_is_refused(names: list[str]) -> None:
    with pytest.raises(UserError):
        buildpacks.check(names)


def test_a_config_var_counts_where_the_app_names_none() -> None:
    config = {"BUILDPACK_URL": "https://ada:pa55@h/x"}
    (found,) = buildpacks.of((), config)
    assert (found.place, found.login) == ("https://h/x", "ada:pa55")
    assert [each.name for each in buildpacks.of(("./a",), config)] == ["./a"]
    assert buildpacks.of((), {}) == ()
    with pytest.raises(UserError) as raised:
        buildpacks.of((), {"BUILDPACK_URL": "heroku/ruby"})
    assert "config var BUILDPACK_URL" in raised.value.message
    assert "config:unset BUILDPACK_URL" in raised.value.hint
