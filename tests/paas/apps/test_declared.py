import shlex

import pytest

from buildpacks.app_json import Size, Variable
from paas.apps import declared
from paas.apps.formation import FormationEntry, for_processes
from paas.errors import UserError


def test_what_is_set_stays_and_secrets_are_made_up() -> None:
    env = {
        "SET": Variable("declared"),
        "NEW": Variable("declared"),
        "SECRET": Variable(is_secret=True),
        "FIXED": Variable("known", is_secret=True),
        "OPTIONAL": Variable(is_required=False),
    }
    made = declared.config(env, {"SET": "mine"}, "hello")
    assert {**made.changes, "SECRET": ""} == {"NEW": "declared", "SECRET": "", "FIXED": "known"}
    assert made.made_up == ("SECRET",)
    assert len(made.changes["SECRET"]) == 64
    assert made.changes["SECRET"] != declared.config(env, {}, "hello").changes["SECRET"]


def test_what_is_required_is_asked_for_with_the_command_that_sets_it() -> None:
    env = {"KEY": Variable(description="of the mail service"), "URL": Variable(), "A": Variable("")}
    with pytest.raises(UserError) as raised:
        declared.config(env, {}, "hello")
    assert "KEY (of the mail service), URL" in raised.value.message
    assert raised.value.hint.endswith("paas config:set KEY=… URL=… -a hello")
    words = shlex.split(raised.value.hint.partition(": ")[2])
    current = dict(word.split("=") for word in words if "=" in word)
    assert declared.config(env, current, "hello").changes == {"A": ""}


def test_the_platforms_own_names_are_left_out_by_name() -> None:
    made = declared.config({"PORT": Variable("3000"), "a-b": Variable()}, {}, "hello")
    assert made.changes == {}
    assert [notice.message for notice in made.notices] == [
        "app.json: env.PORT is left out: PORT is set by the platform itself",
        "app.json: env.a-b is left out: 'a-b' can't name a config var",
    ]


def test_later_deploys_name_what_is_not_set() -> None:
    env = {"KEY": Variable(), "NEW": Variable("x"), "OPTIONAL": Variable(is_required=False)}
    missing, new = declared.later(env, {}, "hello")
    assert missing.message.endswith("KEY")
    assert missing.hint == "paas config:set KEY=… -a hello"
    assert new.message.endswith("NEW")
    assert declared.later(env, {"KEY": "1", "NEW": "2"}, "hello") == []


def test_a_process_type_begins_as_declared_and_keeps_what_it_has() -> None:
    entries, notices = declared.formation(
        {"web": Size(2, "Standard-2X"), "worker": Size(1), "clock": Size(), "release": Size(1)}
    )
    assert entries == (
        FormationEntry("web", 2, "standard-1g"),
        FormationEntry("worker", 1),
        FormationEntry("clock", 0),
    )
    assert [notice.message for notice in notices] == [
        "app.json: formation.release is run once, whatever it says"
    ]
    had = (FormationEntry("web", 5),)
    types = dict.fromkeys(("web", "worker", "other"), "run")
    assert for_processes(had, types, entries) == (
        FormationEntry("web", 5),
        FormationEntry("other", 0),
        FormationEntry("worker", 1),
    )


def test_a_size_that_is_not_here_is_named() -> None:
    entries, notices = declared.formation({"web": Size(1, "performance-l"), "a b": Size(1)})
    assert entries == (FormationEntry("web", 1),)
    assert "formation.web.size: There is no package 'performance-l'" in notices[0].message
    assert notices[1].message == "app.json: formation.a b is no process type"
