"""The audit trail: who did what, from where, and what came of it; no secrets; who may read it."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from paas.store import audit
from tests.paas.api.test_roles import People, people

APP = "secret-plans"
TRAIL = "/smartplatform/audit"


async def ask(them: People, role: str, method: str, path: str, **body: Any) -> Any:
    headers = {"Authorization": f"Bearer {them.secrets[role]}", "User-Agent": "heroku-cli\x1b[1m"}
    return await them.api.stranger.request(method, path, headers=headers, json=body)


def test_each_change_has_a_line_and_what_is_read_has_none(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        path = f"/apps/{APP}/config-vars"
        for role, value in (("deploy", "hidden"), ("operate", "")):
            await ask(them, role, "PATCH", path, API_KEY=value or None, bad=1)
            await ask(them, role, "PATCH", path, API_KEY=value or None)
            await ask(them, role, "GET", path)
        await ask(them, "view", "POST", f"/apps/{APP}/log-sessions")
        found = (await ask(them, "operator", "GET", TRAIL)).json()
        assert [(one["user"], one["status"], one["detail"]) for one in found] == [
            ("operate@example.com", 200, "API_KEY"),
            ("operate@example.com", 422, ""),
            ("deploy@example.com", 200, "API_KEY"),
            ("deploy@example.com", 422, ""),
        ]
        one = found[0]
        assert (one["action"], one["app"]["name"]) == (f"PATCH {path}", APP)
        assert one["origin"] == "127.0.0.1" and one["agent"] == "heroku-cli?[1m"
        assert one["token"]

    run(story)


def test_secrets_are_not_in_it(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        body = {"email": "ada@example.com", "password": "correct horse battery"}
        await ask(them, "operator", "POST", "/smartplatform/accounts", **body)
        await ask(them, "owner", "PATCH", f"/apps/{APP}/config-vars", KEY="s3cr3t")
        made = await ask(them, "owner", "POST", "/oauth/authorizations", description="CI")
        body = {"new_password": "correct horse battery"}
        assert (await ask(them, "owner", "PATCH", "/account", **body)).status_code == 200
        trail = (await api.owner.get(TRAIL)).text
        for secret in ("horse", "s3cr3t", made.json()["access_token"]["token"]):
            assert secret not in trail
        assert made.json()["id"] in trail and "ada@example.com" in trail

    run(story)


def test_an_apps_trail_is_for_those_who_manage_it_and_outlives_its_name(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        await api.owner.post("/apps", json={"name": "another"})
        await ask(them, "operate", "PATCH", f"/apps/{APP}", maintenance=True)
        await ask(them, "manage", "PATCH", f"/apps/{APP}", name="renamed")
        found = (await ask(them, "manage", "GET", "/smartplatform/apps/renamed/audit")).json()
        assert [(one["app"]["name"], one["detail"]) for one in found] == [
            (APP, "name: renamed"),
            (APP, "maintenance: True"),
        ]
        await ask(them, "owner", "DELETE", "/apps/renamed")
        assert (await api.owner.get(TRAIL)).json()[0]["action"] == "DELETE /apps/renamed"

    run(story)


def test_the_trail_is_read_in_pages(run: Any) -> None:
    async def story(api: Any) -> None:
        for name in ("one-app", "two-app", "three-app"):
            await api.owner.post("/apps", json={"name": name})
        first = (await api.owner.get(f"{TRAIL}?count=2")).json()
        rest = (await api.owner.get(f"{TRAIL}?count=2&before={first[-1]['id']}")).json()
        assert [one["detail"] for one in first + rest] == ["three-app", "two-app", "one-app"]
        assert {one["origin"] for one in first} == {"control socket"}
        for query in ("count=0", "count=1001", "count=x", "before=-1"):
            assert (await api.owner.get(f"{TRAIL}?{query}")).status_code == 422

    run(story)


def test_a_login_has_a_line_by_password_as_by_code(run: Any) -> None:
    async def story(api: Any) -> None:
        body = {"email": "ada@example.com"}
        made = (await api.owner.post("/smartplatform/accounts", json=body)).json()
        body = {"grant": made["invitation"], "description": "laptop"}
        came = await api.stranger.post("/oauth/tokens", json=body)
        headers = {"Authorization": f"Bearer {came.json()['access_token']['token']}"}
        body = {"new_password": "correct horse battery"}
        await api.stranger.patch("/account", json=body, headers=headers)
        login = httpx.BasicAuth("ada@example.com", "correct horse battery")
        await api.stranger.post("/oauth/authorizations", json={}, auth=login)
        found = (await api.owner.get(TRAIL)).json()
        assert [(one["user"], one["action"], one["origin"]) for one in found[:3]] == [
            ("ada@example.com", "POST /oauth/authorizations", "127.0.0.1"),
            ("ada@example.com", "PATCH /account", "127.0.0.1"),
            ("ada@example.com", "login with a code", "127.0.0.1"),
        ]
        assert found[2]["detail"] == "laptop" and made["invitation"]["code"] not in str(found)

    run(story)


def test_a_change_that_was_cut_off_has_a_line_without_a_status(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(api: Any) -> None:
        database = api.platform.database
        await database.run(audit.begin, user="a@b", action="DELETE /apps/x", origin="git")
        [found] = (await api.owner.get(TRAIL)).json()
        assert found["status"] is None
        # What is old is forgotten with the next line.
        monkeypatch.setattr(audit, "KEPT", timedelta(0))
        await database.run(audit.begin, user="a@b", action="later", origin="git")
        assert [one["action"] for one in (await api.owner.get(TRAIL)).json()] == ["later"]

    run(story)
