"""Who may ask what: every endpoint, by every role, for one's own app and for another's.

TABLE is the rule in the words of a reader: an endpoint that it lacks fails the test.
"""

import re
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.routing import Route

from paas.api.application import routes
from paas.api.endpoints import refused
from paas.apps.access import Permission
from paas.store import accounts, apps, collaborators, tokens

D, O, M = "deploy", "operate", "manage"  # noqa: E741
VIEW = f"view {D} {O} {M}"
PUBLIC, EVERYBODY, OPERATORS = "public", "everybody", "operators"
TABLE = {
    "GET /account": EVERYBODY,
    "PATCH /account": EVERYBODY,
    "GET /account/rate-limits": EVERYBODY,
    "POST /account/actions/log-out": EVERYBODY,
    "GET /users/{user}": EVERYBODY,
    "POST /smartplatform/accounts": OPERATORS,
    "GET /smartplatform/accounts": OPERATORS,
    "GET /smartplatform/accounts/{account}": OPERATORS,
    "PATCH /smartplatform/accounts/{account}": OPERATORS,
    "DELETE /smartplatform/accounts/{account}": OPERATORS,
    "POST /smartplatform/accounts/{account}/actions/invite": OPERATORS,
    "POST /smartplatform/accounts/{account}/actions/lock": OPERATORS,
    "POST /oauth/authorizations": EVERYBODY,
    "GET /oauth/authorizations": EVERYBODY,
    "GET /oauth/authorizations/{id}": EVERYBODY,
    "PATCH /oauth/authorizations/{id}": EVERYBODY,
    "DELETE /oauth/authorizations/{id}": EVERYBODY,
    "POST /oauth/authorizations/{id}/actions/regenerate-tokens": EVERYBODY,
    "POST /oauth/tokens": PUBLIC,
    "POST /smartplatform/git-passes": OPERATORS,
    "POST /account/keys": EVERYBODY,
    "GET /account/keys": EVERYBODY,
    "GET /account/keys/{key:path}": EVERYBODY,
    "DELETE /account/keys/{key:path}": EVERYBODY,
    "POST /apps": EVERYBODY,
    "GET /apps": EVERYBODY,
    "GET /users/{user}/apps": EVERYBODY,
    "GET /apps/{app}": VIEW,
    "PATCH /apps/{app}": f"{D} {O} {M}",
    "DELETE /apps/{app}": M,
    "GET /apps/{app}/formation": VIEW,
    "PATCH /apps/{app}/formation": O,
    "GET /apps/{app}/formation/{type}": VIEW,
    "PATCH /apps/{app}/formation/{type}": O,
    "GET /apps/{app}/dynos": VIEW,
    "DELETE /apps/{app}/dynos": O,
    "GET /apps/{app}/dynos/{name}": VIEW,
    "DELETE /apps/{app}/dynos/{name}": O,
    "POST /apps/{app}/dynos/{name}/actions/stop": O,
    "DELETE /apps/{app}/formations/{type}": O,
    "POST /apps/{app}/formations/{type}/actions/stop": O,
    "POST /apps/{app}/dynos": f"{D} {O}",
    "POST /apps/{app}/dynos/{name}": f"{D} {O}",
    "GET /apps/{app}/features/runtime-heroku-exec": VIEW,
    "POST /smartplatform/apps/{app}/dynos/{name}/ports/{port}": f"{D} {O}",
    "GET /apps/{app}/config-vars": f"{D} {O}",
    "PATCH /apps/{app}/config-vars": f"{D} {O}",
    "GET /apps/{app}/releases/{release}/config-vars": f"{D} {O}",
    "GET /apps/{app}/releases": f"{D} {O}",
    "POST /apps/{app}/releases": D,
    "GET /apps/{app}/releases/{release}": f"{D} {O}",
    "POST /apps/{app}/builds": D,
    "GET /apps/{app}/builds": VIEW,
    "GET /apps/{app}/builds/{build}": VIEW,
    "GET /apps/{app}/builds/{build}/result": VIEW,
    "DELETE /apps/{app}/builds/{build}": D,
    "GET /smartplatform/apps/{app}/deploys": VIEW,
    "GET /streams/build": PUBLIC,
    "GET /apps/{app}/buildpack-installations": f"{D} {O}",
    "PUT /apps/{app}/buildpack-installations": D,
    "POST /sources": EVERYBODY,
    "POST /apps/{app}/sources": D,
    "PUT /sources/{source}": PUBLIC,
    "GET /sources/{source}": PUBLIC,
    "GET /apps/{app}/git-connection": VIEW,
    "PUT /apps/{app}/git-connection": D,
    "DELETE /apps/{app}/git-connection": D,
    "POST /apps/{app}/git-connection/actions/deploy": D,
    "POST /hooks/{hook}": PUBLIC,
    "POST /apps/{app}/log-sessions": VIEW,
    "GET /streams/logs": PUBLIC,
    "POST /apps/{app}/domains": O,
    "GET /apps/{app}/domains": VIEW,
    "GET /apps/{app}/domains/{hostname}": VIEW,
    "PATCH /apps/{app}/domains/{hostname}": O,
    "DELETE /apps/{app}/domains/{hostname}": O,
    "GET /apps/{app}/routing": VIEW,
    "PATCH /apps/{app}/routing": O,
    "POST /apps/{app}/sni-endpoints": O,
    "GET /apps/{app}/sni-endpoints": VIEW,
    "GET /apps/{app}/sni-endpoints/{name}": VIEW,
    "PATCH /apps/{app}/sni-endpoints/{name}": O,
    "DELETE /apps/{app}/sni-endpoints/{name}": O,
    "GET /smartplatform/root-certificate": EVERYBODY,
    "GET /apps/{app}/collaborators": VIEW,
    "POST /apps/{app}/collaborators": M,
    "GET /apps/{app}/collaborators/{collaborator}": VIEW,
    "PATCH /apps/{app}/collaborators/{collaborator}": M,
    "DELETE /apps/{app}/collaborators/{collaborator}": M,
    "GET /teams/apps/{app}/collaborators": VIEW,
    "POST /teams/apps/{app}/collaborators": M,
    "GET /teams/apps/{app}/collaborators/{collaborator}": VIEW,
    "PATCH /teams/apps/{app}/collaborators/{collaborator}": M,
    "DELETE /teams/apps/{app}/collaborators/{collaborator}": M,
    "GET /stacks": EVERYBODY,
    "GET /stacks/{stack}": EVERYBODY,
    "GET /apps/{app}/available-stacks": VIEW,
    "GET /regions": EVERYBODY,
    "GET /regions/{region}": EVERYBODY,
    "GET /dyno-sizes": EVERYBODY,
    "GET /dyno-sizes/{size}": EVERYBODY,
    "GET /apps/{app}/available-dyno-sizes": VIEW,
    "GET /smartplatform/apps/{app}/crons": VIEW,
    "POST /smartplatform/apps/{app}/crons": f"{D} {O}",
    "GET /smartplatform/apps/{app}/crons/{name}": VIEW,
    "PATCH /smartplatform/apps/{app}/crons/{name}": f"{D} {O}",
    "DELETE /smartplatform/apps/{app}/crons/{name}": f"{D} {O}",
    "GET /smartplatform/apps/{app}/crons/{name}/results": VIEW,
    "POST /smartplatform/apps/{app}/crons/{name}/runs": f"{D} {O}",
    "POST /smartplatform/apps/{app}/objects/missing": D,
    "GET /smartplatform/status": PUBLIC,
    "GET /metrics": OPERATORS,
    "GET /smartplatform/apps/{app}/timelines/{subject}": VIEW,
    "GET /apps/{app}/addon-attachments": VIEW,
    "GET /apps/{app}/addons": VIEW,
    "GET /apps/{app}/app-webhooks": VIEW,
    "GET /apps/{app}/features": VIEW,
    "POST /apps/{app}/log-drains": O,
    "GET /apps/{app}/log-drains": VIEW,
    "GET /apps/{app}/log-drains/{drain:path}": VIEW,
    "DELETE /apps/{app}/log-drains/{drain:path}": O,
    "GET /apps/{app}/webhooks": VIEW,
    "POST /account/app-transfers": EVERYBODY,
    "GET /account/app-transfers": EVERYBODY,
    "GET /account/app-transfers/{transfer}": EVERYBODY,
    "PATCH /account/app-transfers/{transfer}": EVERYBODY,
    "DELETE /account/app-transfers/{transfer}": EVERYBODY,
    "GET /smartplatform/audit": OPERATORS,
    "GET /smartplatform/apps/{app}/audit": M,
    "GET /account/features": EVERYBODY,
    "GET /addon-attachments": EVERYBODY,
    "GET /addons": EVERYBODY,
    "GET /enterprise-accounts": EVERYBODY,
    "GET /oauth/clients": EVERYBODY,
    "GET /organizations": EVERYBODY,
    "POST /filters/apps": EVERYBODY,
    "POST /pipelines": EVERYBODY,
    "GET /pipelines": EVERYBODY,
    "GET /pipelines/{pipeline}": EVERYBODY,
    "PATCH /pipelines/{pipeline}": EVERYBODY,
    "DELETE /pipelines/{pipeline}": EVERYBODY,
    "GET /pipelines/{pipeline}/pipeline-couplings": EVERYBODY,
    "POST /pipeline-couplings": EVERYBODY,
    "GET /pipeline-couplings": EVERYBODY,
    "GET /pipeline-couplings/{coupling}": EVERYBODY,
    "PATCH /pipeline-couplings/{coupling}": EVERYBODY,
    "DELETE /pipeline-couplings/{coupling}": EVERYBODY,
    "GET /apps/{app}/pipeline-couplings": VIEW,
    "GET /smartplatform/apps/{app}/pipeline-differences": f"{D} {O}",
    "POST /pipeline-promotions": EVERYBODY,
    "GET /pipeline-promotions/{promotion}": EVERYBODY,
    "GET /pipeline-promotions/{promotion}/promotion-targets": EVERYBODY,
    "GET /spaces": EVERYBODY,
    "GET /teams": EVERYBODY,
    "GET /users/{user}/addons": EVERYBODY,
    "GET /users/{user}/pipeline-couplings": EVERYBODY,
}
OF_AN_APP = {key: words for key, words in TABLE.items() if "{app}" in key}
BESIDE_APPS = {key: words for key, words in TABLE.items() if "{app}" not in key}
COLLABORATORS = tuple(str(permission) for permission in Permission)
PARTS = {"user": "~", "name": "web.1", "type": "web", "release": "2", "port": "9229", "id": "~"}


@dataclass(frozen=True)
class People:
    """A platform with an app of `owner`'s, on which one works by each permission alone."""

    api: Any
    secrets: dict[str, str]

    async def ask(self, role: str, key: str, app: str = "secret-plans") -> Any:
        method, template = key.split()
        path = re.sub(
            r"\{(\w+)[^}]*\}", lambda part: app if part[1] == "app" else PARTS.get(part[1], "x"),
            template,
        )  # fmt: skip
        if role == "control socket":
            return await self.api.owner.request(method, path, json={})
        headers = {"Authorization": f"Bearer {self.secrets[role]}"} if role != "nobody" else {}
        return await self.api.stranger.request(method, path, headers=headers, json={})

    async def app(self) -> None:
        """There again, where somebody was allowed to destroy it."""
        database = self.api.platform.database
        if await database.run(apps.by_name, "secret-plans") is None:
            made = await self.api.platform.apps.create("secret-plans", "owner@example.com")
            await self.api.platform.releases.deploy(made, {"web": "node x.js"}, made.owner)
            for role in COLLABORATORS:
                held = frozenset({Permission.VIEW, Permission(role)})
                await database.run(collaborators.add, made, f"{role}@example.com", held)


async def people(api: Any) -> People:
    secrets, database = {}, api.platform.database
    for role in (*COLLABORATORS, "owner", "operator", "other"):
        email = f"{role}@example.com"
        await database.run(accounts.add, email, "", operator=role == "operator")
        _, secrets[role] = await database.run(tokens.create, description="", user=email)
    made = People(api, secrets)
    await made.app()
    return made


def is_let_in(answer: Any) -> bool:
    """Whatever else is wrong with a request, it is no question of who asked."""
    not_there = "no such endpoint" in answer.text or "Couldn't find the app" in answer.text
    return answer.status_code not in (401, 403) and not not_there


REFUSED = [
    f"{method} {route.path}" for route in refused.ROUTES for method in ("GET", "POST", "DELETE")
]
"""To everybody, by its name: only whose app it is counts."""


def test_the_table_has_every_endpoint() -> None:
    served = {
        f"{method} {route.path}"
        for route in routes()
        if isinstance(route, Route) and route not in refused.ROUTES
        for method in (route.methods or set()) - {"HEAD"}
    }
    assert served == set(TABLE)


def test_what_nobody_may_is_refused_by_its_name_to_every_account(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        for key in REFUSED:
            answer = await them.ask("owner", key)
            assert is_let_in(answer), (key, answer.text)

    run(story)


@pytest.mark.parametrize("role", [*COLLABORATORS, "owner", "operator", "control socket"])
def test_who_works_on_an_app_may_what_the_table_says(run: Any, role: str) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        for key, words in OF_AN_APP.items():
            may = role not in COLLABORATORS or role in words.split()
            answer = await them.ask(role, key)
            assert is_let_in(answer) == may, (key, answer.status_code, answer.text)
            if not may:
                assert answer.status_code == 403, (key, answer.text)
                assert "permission" in answer.json()["message"]
            await them.app()

    run(story)


@pytest.mark.parametrize("role", ["other", "nobody"])
def test_anothers_app_answers_exactly_as_one_that_is_not_there(run: Any, role: str) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        for key in (*OF_AN_APP, *(key for key in REFUSED if "{app}" in key)):
            there, not_there = await them.ask(role, key), await them.ask(role, key, ABSENT)
            assert there.status_code == (404 if role == "other" else 401), key
            assert there.text.replace("secret-plans", ABSENT) == not_there.text
            assert fields(there) == fields(not_there), key

    run(story)


ABSENT = "absent-plans"


def fields(answer: Any) -> dict[str, str]:
    return {key: text for key, text in answer.headers.items() if key != "request-id"}


def test_what_is_beside_apps_is_for_whom_the_table_says_and_names_no_app(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        for key, who in BESIDE_APPS.items():
            if key in ENDS_ITS_TOKEN:
                continue
            if who != PUBLIC:
                assert (await them.ask("nobody", key)).status_code == 401, key
            answer = await them.ask("other", key)
            assert is_let_in(answer) == (who != OPERATORS) or who == PUBLIC, (key, answer.text)
            assert "secret-plans" not in answer.text and "owner@" not in answer.text, key
            if who != PUBLIC and "git-passes" not in key:
                assert is_let_in(await them.ask("operator", key)), key

    run(story)


ENDS_ITS_TOKEN = {
    "POST /account/actions/log-out",
    "DELETE /oauth/authorizations/{id}",
    "POST /oauth/authorizations/{id}/actions/regenerate-tokens",
}


def test_each_change_of_an_app_needs_its_own_permission(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        for body, needed in (
            ({"maintenance": True}, "operate"),
            ({"root": "api"}, "deploy"),
            ({"deploy_branch": "x"}, "deploy"),
            ({"supersede": True}, "deploy"),
            ({"name": "other-name"}, "manage"),
        ):
            for role in sorted(COLLABORATORS, key=lambda each: each == needed):
                headers = {"Authorization": f"Bearer {them.secrets[role]}"}
                path = "/apps/secret-plans"
                answer = await api.stranger.patch(path, headers=headers, json=body)
                assert answer.status_code == (200 if role == needed else 403), (body, role)

    run(story)


def test_the_hint_of_a_missing_permission_helps(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        refused = await them.ask("view", "PATCH /apps/{app}/routing")
        said = refused.json()["message"]
        hint = re.search(r"access:update EMAIL -a (\S+) --permissions (\S+)", said)
        body = {"permissions": hint[2].split(",")}
        path = f"/apps/{hint[1]}/collaborators/view@example.com"
        headers = {"Authorization": f"Bearer {them.secrets['owner']}"}
        assert (await api.stranger.patch(path, headers=headers, json=body)).status_code == 200
        assert is_let_in(await them.ask("view", "PATCH /apps/{app}/routing"))

    run(story)


def test_one_sees_ones_own_apps_and_those_one_works_on(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        for role, seen in (("owner", 1), ("view", 1), ("other", 0), ("operator", 1)):
            for key in ("GET /apps", "GET /users/{user}/apps"):
                assert len((await them.ask(role, key)).json()) == seen, role
        headers = {"Authorization": f"Bearer {them.secrets['other']}"}
        found = await api.stranger.get("/users/owner@example.com/apps", headers=headers)
        assert found.status_code == 404
        # The nearest name is told of what one sees only.
        for role, named in (("view", True), ("other", False)):
            answer = await them.ask(role, "GET /apps/{app}", "secret-plan")
            assert ("secret-plans" in answer.text) == named

    run(story)


async def _coupled(them: People, names: dict[str, str]) -> None:
    """Each app, which is owner's, in a pipeline of owner's, in that stage."""
    headers = {"Authorization": f"Bearer {them.secrets['owner']}"}
    ask = them.api.stranger
    assert (await ask.post("/pipelines", headers=headers, json={"name": "shop"})).is_success
    for name, stage in names.items():
        if name != "secret-plans":
            await them.api.platform.apps.create(name, "owner@example.com")
        body = {"app": name, "pipeline": "shop", "stage": stage}
        answer = await ask.post("/pipeline-couplings", headers=headers, json=body)
        assert answer.is_success, answer.text


def test_who_may_deploy_both_apps_promotes_and_nobody_else(run: Any) -> None:
    async def story(api: Any) -> None:
        them, database = await people(api), api.platform.database
        await _coupled(them, {"secret-plans": "staging", "hidden": "production"})
        body = {
            "source": {"app": {"id": "secret-plans"}},
            "targets": [{"app": {"id": "hidden"}}],
        }
        for role, status in (
            ("other", 404), ("view", 403), ("operate", 403), ("deploy", 404), ("owner", 201),
            ("operator", 201),
        ):  # fmt: skip
            headers = {"Authorization": f"Bearer {them.secrets[role]}"}
            answer = await api.stranger.post("/pipeline-promotions", headers=headers, json=body)
            assert answer.status_code == status, (role, answer.text)
        hidden = await database.run(apps.named, "hidden")
        for held, status in (({"view"}, 403), ({"view", "deploy"}, 201)):
            permissions = frozenset(Permission(word) for word in held)
            if held == {"view"}:
                await database.run(collaborators.add, hidden, "deploy@example.com", permissions)
            else:
                found = await database.run(collaborators.named, hidden, "deploy@example.com")
                await database.run(collaborators.change, found.id, permissions)
            headers = {"Authorization": f"Bearer {them.secrets['deploy']}"}
            answer = await api.stranger.post("/pipeline-promotions", headers=headers, json=body)
            assert answer.status_code == status, answer.text

    run(story)


def test_of_a_pipeline_one_sees_the_apps_that_one_sees(run: Any) -> None:
    async def story(api: Any) -> None:
        them = await people(api)
        await _coupled(them, {"secret-plans": "staging", "hidden": "production"})
        hidden = await api.platform.database.run(apps.named, "hidden")
        for role, pipelines, members in (("owner", 1, 2), ("view", 1, 1), ("other", 0, 0)):
            headers = {"Authorization": f"Bearer {them.secrets[role]}"}
            assert len((await api.stranger.get("/pipelines", headers=headers)).json()) == pipelines
            listed = await api.stranger.get("/pipeline-couplings", headers=headers)
            assert len(listed.json()) == members
            one = await api.stranger.get("/pipelines/shop", headers=headers)
            assert one.status_code == (200 if pipelines else 404)
            wanted = {"in": {"id": [hidden.id]}}
            found = await api.stranger.post("/filters/apps", headers=headers, json=wanted)
            assert len(found.json()) == (role == "owner")
        headers = {"Authorization": f"Bearer {them.secrets['operate']}"}
        answer = await api.stranger.delete("/pipelines/shop", headers=headers)
        assert (answer.status_code, "owner@example.com's" in answer.text) == (403, True)
        couplings = (await api.stranger.get("/pipeline-couplings", headers=headers)).json()
        place = f"/pipeline-couplings/{couplings[0]['id']}"
        for role, status in (("other", 404), ("view", 403), ("operate", 200)):
            headers = {"Authorization": f"Bearer {them.secrets[role]}"}
            body = {"stage": "development"}
            answer = await api.stranger.patch(place, headers=headers, json=body)
            assert answer.status_code == status, role

    run(story)
