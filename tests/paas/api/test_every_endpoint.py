"""Every endpoint of Heroku's Platform API answers: served, an empty list, or refused by its name.

endpoints.txt has all methods and paths of its schema (version 3).
"""

import re
from pathlib import Path
from typing import Any

import pytest

from paas.api.endpoints import refused
from paas.cli import index, parsing

ENDPOINTS = [
    tuple(line.split())
    for line in Path(__file__).with_name("endpoints.txt").read_text().splitlines()
]
KNOWN = {"app": "hello", "team_app": "hello", "stack": "heroku-24", "region": "local"}
UNNAMED = ("There is no such endpoint.", "This endpoint does not know this method.")


def path_of(template: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda name: KNOWN.get(name[1], "01234567"), template)


@pytest.mark.parametrize("named", range(4))
def test_each_of_herokus_endpoints_answers_by_name(run: Any, named: int) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        for method, template in ENDPOINTS[named::4]:
            if (method, template) == ("DELETE", "/apps/{app}"):
                continue
            answer = await api.owner.request(method, path_of(template), json={})
            assert answer.status_code in {*range(200, 300), 400, 404, 409, 422, 501}, template
            if answer.status_code >= 300:
                assert answer.json()["message"] not in UNNAMED, f"{method} {template}"

    run(story)


def test_what_is_refused_says_what_there_is_instead(run: Any) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        agent = {"user-agent": "heroku-cli"}
        answer = await api.owner.post("/apps/hello/addons", json={}, headers=agent)
        assert answer.status_code == 501
        assert "config:set DATABASE_URL" in answer.json()["message"]
        answer = await api.owner.post("/apps/absent/addons", json={}, headers=agent)
        assert (answer.status_code, answer.json()["id"]) == (404, "not_found")

    run(story)


def test_each_refused_path_is_one_of_herokus() -> None:
    known = {re.sub(r"\{\w+\}|~", "{}", template) for _, template in ENDPOINTS}
    for path in (path for refusal in refused.REFUSALS for path in refusal.paths):
        start = re.sub(r"\{\w+\}", "{}", path)
        served = start in known or any(template.startswith(f"{start}/") for template in known)
        assert served or path == "/organizations", path


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/stacks/{}", "smartmachine"),
        ("/regions/{}", "local"),
        ("/dyno-sizes/{}", "standard-512m"),
    ],
)
def test_one_of_a_list_is_found_by_name_and_id(run: Any, path: str, name: str) -> None:
    async def story(api: Any) -> None:
        listed = (await api.owner.get(path.format("").rstrip("/"))).json()
        (item,) = [item for item in listed if item["name"] == name]
        for word in (name, name.upper(), item["id"]):
            assert (await api.owner.get(path.format(word))).json() == item
        answer = await api.owner.get(path.format("absent"))
        assert answer.status_code == 404 and name in answer.json()["message"]

    run(story)


COMMANDS = [
    found[1]
    for refusal in refused.REFUSALS
    for found in re.finditer(
        r"(?<!push )\bpaas ([a-z:]+[^\n,]*?)(?=$|\n|,| lists| has|\.\s)", refusal.instead
    )
]


@pytest.mark.parametrize("typed", COMMANDS)
def test_each_command_that_a_refusal_names_is_one(typed: str) -> None:
    name, words = index.find(typed.split())
    parsing.parse(name, index.load(name).spec, words)


def test_the_refusals_name_commands() -> None:
    assert "config:set DATABASE_URL=postgres://…" in COMMANDS
    assert "git:remote -a staging -r staging" in COMMANDS
