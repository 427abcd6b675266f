"""Apps that are handed to other accounts."""

from typing import Any

import pytest

from tests.paas.api.test_roles import People, people

PLACE = "/account/app-transfers"
APP = "secret-plans"


async def ask(them: People, role: str, method: str, path: str, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {them.secrets[role]}"}
    return await them.api.stranger.request(method, path, headers=headers, json=body)


async def offer(them: People, role: str = "owner", **more: Any) -> Any:
    body = {"app": APP, "recipient": "other@example.com"} | more
    return await ask(them, role, "POST", PLACE, **body)


async def owner_of(them: People) -> str:
    return str((await ask(them, "operator", "GET", f"/apps/{APP}")).json()["owner"]["email"])


def test_an_app_is_the_recipients_once_it_is_accepted(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        assert (await offer(them)).json()["state"] == "pending"
        assert await owner_of(them) == "owner@example.com"
        assert (await ask(them, "other", "GET", f"/apps/{APP}")).status_code == 404
        [seen] = (await ask(them, "other", "GET", PLACE)).json()
        taken = await ask(them, "other", "PATCH", f"{PLACE}/{seen['id']}", state="accepted")
        assert taken.json()["state"] == "accepted"
        assert await owner_of(them) == "other@example.com"
        # Who gave it away goes on working on it, and manages it no more.
        assert (await ask(them, "owner", "GET", f"/apps/{APP}")).status_code == 200
        assert (await ask(them, "owner", "DELETE", f"/apps/{APP}")).status_code == 403
        again = await ask(them, "other", "PATCH", f"{PLACE}/{seen['id']}", state="accepted")
        assert again.status_code == 404

    run(story)


@pytest.mark.parametrize("role", ["owner", "manage", "view", "operator"])
def test_nobody_answers_in_somebodys_place(run: Any, role: str) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        path = f"{PLACE}/{(await offer(them)).json()['id']}"
        assert (await ask(them, role, "PATCH", path, state="accepted")).status_code == 404
        assert await owner_of(them) == "owner@example.com"

    run(story)


def test_one_that_is_declined_or_taken_back_changes_nothing(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        for role, method, body in (
            ("other", "PATCH", {"state": "declined"}),
            ("owner", "DELETE", {}),
        ):
            await offer(them)
            answer = await ask(them, role, method, f"{PLACE}/{APP}", **body)
            assert answer.status_code == 200
            assert (await ask(them, "other", "GET", PLACE)).json() == []
            assert await owner_of(them) == "owner@example.com"

    run(story)


def test_who_does_not_manage_an_app_hands_nothing_over(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        for role, status in (("deploy", 403), ("view", 403), ("other", 404)):
            assert (await offer(them, role)).status_code == status
        absent = await offer(them, "other", app="absent-plans")
        assert absent.text.replace("absent-plans", APP) == (await offer(them, "other")).text
        assert (await offer(them, recipient="owner@example.com")).status_code == 409
        for more in ({"recipient": None}, {"recipient": "x"}, {"app": 5}):
            assert (await offer(them, **more)).status_code == 422

    run(story)


def test_an_address_without_an_account_is_answered_alike(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        known, unknown = await offer(them), await offer(them, recipient="nobody@example.com")
        assert (known.status_code, unknown.status_code) == (201, 201)
        assert known.json().keys() == unknown.json().keys()
        # There is one offer at a time.
        assert len((await ask(them, "owner", "GET", PLACE)).json()) == 1

    run(story)


def test_an_operator_hands_an_app_over_at_once(run: Any) -> None:
    """As the refusal to remove an account that owns apps advises."""

    async def story(api: Any) -> None:
        them = await people(api)
        account = "/smartplatform/accounts/owner@example.com"
        refused = await ask(them, "operator", "DELETE", account)
        assert f"paas apps:transfer EMAIL -a {APP}" in refused.json()["message"]
        nobody = await offer(them, "operator", recipient="nobody@example.com")
        assert nobody.status_code == 409
        assert (await offer(them, "operator")).json()["state"] == "accepted"
        assert await owner_of(them) == "other@example.com"
        assert (await ask(them, "operator", "DELETE", account)).status_code == 200

    run(story)
