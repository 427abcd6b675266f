"""What an app.json is taken for, what in it has no effect, and what is wrong, by its path."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildpacks.app_json import AppJson, Check, Cron, Size, Variable, parse
from buildpacks.findings import Refused


def declared(**fields: Any) -> AppJson:
    found = parse(json.dumps(fields).encode())
    assert found is not None
    return found


def refusal(**fields: Any) -> str:
    with pytest.raises(Refused) as raised:
        declared(**fields)
    assert raised.value.failure.id == "invalid_app_json"
    return raised.value.failure.message


def said(**fields: Any) -> str:
    return "\n".join(notice.message for notice in declared(**fields).notices)


def test_config_vars_in_all_their_forms() -> None:
    env = {
        "PLAIN": "text",
        "VALUE": {"value": "x", "description": "what it is"},
        "NUMBER": {"value": 5},
        "TRUTH": {"value": True},
        "SECRET": {"generator": "secret"},
        "OPTIONAL": {"required": False},
        "REQUIRED": {"description": "of the mail service"},
    }
    assert declared(env=env).env == {
        "PLAIN": Variable("text", is_required=False),
        "VALUE": Variable("x", description="what it is"),
        "NUMBER": Variable("5"),
        "TRUTH": Variable("true"),
        "SECRET": Variable(is_secret=True),
        "OPTIONAL": Variable(is_required=False),
        "REQUIRED": Variable(description="of the mail service"),
    }


def test_sizes_as_an_object_and_as_the_older_list() -> None:
    expected = {"web": Size(2, "standard-1x"), "worker": Size()}
    new = {"web": {"quantity": 2, "size": "standard-1x"}, "worker": {}}
    old = [{"process": "web", "quantity": 2, "size": "standard-1x"}, {"process": "worker"}]
    assert declared(formation=new).formation == expected
    assert declared(formation=old).formation == expected


def test_the_rest_that_counts() -> None:
    found = declared(
        name="x",
        scripts={"postdeploy": " node seed.js "},
        buildpacks=[{"url": "heroku/nodejs"}, "https://example.com/x.git"],
        healthchecks={"web": [{"path": "/health", "type": "startup", "name": "it"}]},
    )
    assert found.postdeploy == "node seed.js"
    assert found.buildpacks == ("heroku/nodejs", "https://example.com/x.git")
    assert found.checks == {"web": Check("/health")}
    assert found.notices == ()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"env": []}, "env is []"),
        ({"env": {"A": {"generator": "uuid"}}}, 'env.A.generator is "uuid"'),
        ({"env": {"A": {"required": "false"}}}, 'env.A.required is "false"'),
        ({"env": {"A": {"value": {"x": 1}}}}, 'env.A.value is {"x": 1}'),
        ({"env": {"A": ["x"]}}, 'env.A is ["x"]'),
        ({"formation": {"web": {"quantity": "2"}}}, 'formation.web.quantity is "2"'),
        ({"formation": {"web": {"quantity": -1}}}, "formation.web.quantity is -1"),
        ({"formation": {"web": {"quantity": True}}}, "formation.web.quantity is true"),
        ({"formation": {"web": 2}}, "formation.web is 2"),
        ({"scripts": {"postdeploy": ["a"]}}, 'scripts.postdeploy is ["a"]'),
        ({"buildpacks": [{}]}, "buildpacks[0] is {}"),
        ({"buildpacks": {"url": "x"}}, 'buildpacks is {"url": "x"}'),
        ({"addons": [{"plan": 1}]}, "addons[0].plan is 1"),
        ({"healthchecks": {"web": [{"path": "health"}]}}, 'healthchecks.web[0].path is "health"'),
        ({"healthchecks": {"web": [{"type": "x"}]}}, 'healthchecks.web[0].type is "x"'),
        ({"healthchecks": {"web": [{"timeout": "5s"}]}}, 'healthchecks.web[0].timeout is "5s"'),
        ({"cron": [{"command": 1}]}, "cron[0].command is 1"),
        ({"cron": [{"command": "x", "schedule": " "}]}, 'cron[0].schedule is " "'),
        (
            {"cron": [{"command": "x", "schedule": "@daily", "concurrency_policy": "replace"}]},
            'cron[0].concurrency_policy is "replace"',
        ),
        ({"stack": 24}, "stack is 24"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(fields: Any, path: str) -> None:
    assert refusal(**fields).startswith(f"app.json: {path}, and has to be ")


def test_a_value_in_a_message_is_short() -> None:
    assert len(refusal(formation="x" * 5000)) < 200


def test_what_has_no_effect_is_named() -> None:
    text = said(
        stack="heroku-24",
        addons=["heroku-postgresql:mini", {"plan": "heroku-redis", "as": "CACHE"}],
        environments={"test": {}, "review": {}},
        cron=[{"command": "node clean.js", "schedule": "@daily", "maintenance": True}],
        scripts={"pr-predestroy": "x", "dokku": {"predeploy": "y"}},
        image="heroku/nodejs",
    )
    for part in (
        "stack 'heroku-24'",
        "heroku-postgresql:mini, heroku-redis",
        "environments (test, review)",
        "cron[0].maintenance does nothing here",
        "scripts.pr-predestroy, scripts.dokku.predeploy",
        "image does nothing here",
    ):
        assert part in text


def test_commands_at_set_times_keep_their_order() -> None:
    crons = [
        {"command": "node clean.js", "schedule": "@daily"},
        {"command": "node x.js", "schedule": "* * * * *", "concurrency_policy": "allow"}
        | {"name": "x", "timezone": "Europe/Berlin"},
    ]
    found = declared(cron=crons)
    assert found.crons == (
        Cron("cron[0]", "@daily", "node clean.js"),
        Cron("cron[1]", "* * * * *", "node x.js", "x", "Europe/Berlin", True),
    )
    assert not found.notices


def test_what_of_a_check_is_not_asked_is_named() -> None:
    checks = {
        "web": [{"path": "/up", "timeout": 3, "attempts": 2}, {"command": ["x"]}],
        "worker": [{"uptime": 5}],
    }
    found = declared(healthchecks=checks)
    assert found.checks == {"web": Check("/up")}
    (notice,) = found.notices
    assert notice.message == (
        "app.json: healthchecks.web[0].timeout, healthchecks.web[0].attempts, "
        "healthchecks.web[1], healthchecks.worker[0] do nothing here"
    )


@pytest.mark.parametrize("fields", [{"expo": {}}, {"name": "x", "displayName": "X"}])
def test_the_file_of_expo_and_react_native_is_theirs(fields: Any) -> None:
    assert parse(json.dumps(fields).encode()) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"env": {},}', "app.json is not valid JSON, line 1 column "),
        (b"[]", "app.json holds no JSON object"),
        (b"", "app.json is not valid JSON"),
        (b" " * 300_000, "app.json is over"),
        (b"[" * 100_000, "app.json is not valid JSON"),
    ],
)
def test_no_json_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(Refused) as raised:
        parse(content)
    assert raised.value.failure.message.startswith(message)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)
NAMES = st.sampled_from(
    ["env", "formation", "scripts", "buildpacks", "healthchecks", "addons", "cron", "stack", "x"]
)


@given(st.dictionaries(NAMES, VALUES | st.dictionaries(st.sampled_from(["web", "A"]), VALUES)))
def test_any_document_is_taken_or_refused(document: Any) -> None:
    try:
        parse(json.dumps(document).encode())
    except Refused as refused:
        assert refused.failure.message.startswith("app.json")
