import asyncio
import base64
import re
from datetime import timedelta
from typing import Any

import pytest

from paas.api import context
from paas.api.authentication import secret_of
from paas.apps.scopes import Scope
from paas.store import tokens


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("header", "secret"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        (basic("anybody", "abc"), "abc"),
        (basic("", "a:b"), "a:b"),
        ("", None),
        ("Bearer", None),
        ("Bearer " + "x" * 257, None),
        ("Basic %%%", None),
        ("Basic " + base64.b64encode(b"\xff:\xff").decode(), None),
        ("Digest abc", None),
        (basic("user", ""), None),
    ],
)
def test_secrets_in_headers(header: str, secret: str | None) -> None:
    assert secret_of(header) == secret


def test_without_credentials_nothing_is_answered(run: Any) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        for method, path in (
            ("GET", "/apps"),
            ("GET", "/apps/hello"),
            ("DELETE", "/apps/hello"),
            ("GET", "/nothing"),
            ("POST", "/oauth/authorizations"),
            ("GET", "/oauth/tokens/x"),
            ("GET", "//streams/logs"),
        ):
            response = await api.stranger.request(method, path)
            assert response.status_code == 401 and response.json()["id"] == "unauthorized"
        assert (await api.owner.get("/apps/hello")).status_code == 200

    run(story)


def test_a_token_serves_as_bearer_and_as_password(run: Any) -> None:
    async def story(api: Any) -> None:
        secret = await api.token()
        for header in (f"Bearer {secret}", basic("x", secret)):
            response = await api.stranger.get("/account", headers={"Authorization": header})
            assert response.json()["email"] == "owner@localhost"
        response = await api.stranger.get("/account", headers={"Authorization": "Bearer wrong"})
        assert response.json()["message"].startswith("Invalid credentials")

    run(story)


def test_an_expired_token_is_refused(run: Any) -> None:
    async def story(api: Any) -> None:
        options = {"description": "", "user": "u", "lifetime": timedelta(seconds=-1)}
        _, secret = await api.platform.database.run(tokens.create, **options)
        headers = {"Authorization": f"Bearer {secret}"}
        assert (await api.stranger.get("/apps", headers=headers)).status_code == 401

    run(story)


def test_no_header_makes_somebody_the_owner(run: Any) -> None:
    async def story(api: Any) -> None:
        headers = {"smartplatform.owner": "True", "X-Smartplatform-Owner": "True"}
        assert (await api.stranger.get("/apps", headers=headers)).status_code == 401

    run(story)


def test_a_code_becomes_a_token_once(run: Any) -> None:
    async def story(api: Any) -> None:
        made = await api.owner.post("/oauth/authorizations", json={"client": "paas"})
        grant = {"type": "authorization_code", "code": made.json()["grant"]["code"]}
        answer = await api.stranger.post("/oauth/tokens", json={"grant": grant})
        secret = answer.json()["access_token"]["token"]
        headers = {"Authorization": f"Bearer {secret}"}
        assert (await api.stranger.get("/apps", headers=headers)).status_code == 200
        again = await api.stranger.post("/oauth/tokens", json={"grant": grant})
        assert again.status_code == 401
        gone = await api.stranger.delete("/oauth/authorizations/~", headers=headers)
        assert gone.json()["id"] == answer.json()["id"] and secret not in gone.text
        assert (await api.stranger.get("/apps", headers=headers)).status_code == 401

    run(story)


def test_wrong_codes_do_not_lock_out_the_right_one(run: Any) -> None:
    async def story(api: Any) -> None:
        made = await api.owner.post("/oauth/authorizations", json={"client": "paas"})
        for code in ["aaaa-aaaa-aaaa-aaaa"] * 30 + ["", "x", "é" * 16, "k7m2" * 500]:
            body = {"grant": {"code": code}}
            assert (await api.stranger.post("/oauth/tokens", json=body)).status_code == 401
        right = {"grant": {"code": made.json()["grant"]["code"]}}
        assert (await api.stranger.post("/oauth/tokens", json=right)).status_code == 201

    run(story)


@pytest.mark.parametrize("body", [{}, {"grant": None}, {"grant": "x"}, {"grant": {"code": 1}}])
def test_a_code_must_be_a_code(run: Any, body: Any) -> None:
    async def story(api: Any) -> None:
        assert (await api.stranger.post("/oauth/tokens", json=body)).status_code == 422

    run(story)


def test_tokens_are_listed_without_their_secrets_and_revoked(run: Any) -> None:
    async def story(api: Any) -> None:
        body = {"description": "CI", "expires_in": 60}
        made = (await api.owner.post("/oauth/authorizations", json=body)).json()
        listed = await api.owner.get("/oauth/authorizations")
        assert made["access_token"]["token"] not in listed.text
        assert [one["description"] for one in listed.json()] == ["CI"]
        path = f"/oauth/authorizations/{made['id']}"
        assert (await api.owner.delete(path)).status_code == 200
        assert (await api.owner.delete(path)).status_code == 404
        assert (await api.owner.get("/oauth/authorizations/~")).status_code == 404

    run(story)


def test_the_status_says_no_more_than_what_this_is(run: Any) -> None:
    async def story(api: Any) -> None:
        answer = await api.stranger.get("/smartplatform/status")
        assert set(answer.json()) == {"name", "version"}

    run(story)


MAY = {
    ("GET", "/account"): "global identity",
    ("GET", "/metrics"): "global metrics read read-protected write write-protected",
    ("GET", "/apps"): "global read read-protected write write-protected",
    ("GET", "/apps/hello/dynos"): "global read read-protected write write-protected",
    ("GET", "/apps/hello/config-vars"): "global read-protected write-protected",
    ("GET", "/apps/hello/releases"): "global read-protected write-protected",
    ("GET", "/apps/hello/releases/1/config-vars"): "global read-protected write-protected",
    ("POST", "/apps/hello/log-sessions"): "global read read-protected write write-protected",
    ("PATCH", "/apps/hello"): "global write write-protected",
    ("PATCH", "/apps/hello/config-vars"): "global write-protected",
    ("POST", "/apps/hello/builds"): "global write-protected",
    ("POST", "/apps/hello/dynos"): "global write-protected",
    ("POST", "/apps/hello/dynos/web.1"): "global write-protected",
    ("POST", "/smartplatform/apps/hello/dynos/web.1/ports/9229"): "global write-protected",
    ("DELETE", "/apps/hello/dynos/web.1"): "global write write-protected",
    ("POST", "/apps/hello/dynos/web.1/actions/stop"): "global write write-protected",
    ("GET", "/oauth/authorizations"): "global",
    ("POST", "/oauth/authorizations"): "global",
    ("POST", "/oauth/authorizations/~/actions/regenerate-tokens"): "global",
    ("GET", "/oauth/authorizations/~"): " ".join(Scope),
    ("GET", "/what-will-come"): "global",
}


@pytest.mark.parametrize("name", Scope)
def test_a_token_may_what_its_scope_says_and_no_more(run: Any, name: Scope) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        made = await api.owner.post("/oauth/authorizations", json={"scope": [name]})
        assert made.json()["scope"] == [name]
        token = made.json()["access_token"]["token"]
        for (method, path), allowed in MAY.items():
            if path.endswith("regenerate-tokens") and name == "global":
                continue  # it would change the token that is asked with
            headers = {"Authorization": f"Bearer {token}"}
            answer = await api.stranger.request(method, path, headers=headers, json={})
            assert (answer.status_code != 403) == (name in allowed.split()), (method, path)
            if answer.status_code == 403:
                assert answer.json()["id"] == "forbidden"

    run(story)


def test_the_hint_of_a_refusal_names_a_scope_that_suffices(run: Any) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        for method, path in MAY:
            weak = await api.owner.post("/oauth/authorizations", json={"scope": ["metrics"]})
            answer = await ask(api, weak, method, path)
            if answer.status_code != 403:
                continue
            hint = re.search(r"paas auth:token --scope (\S+)", answer.json()["message"])
            better = await api.owner.post("/oauth/authorizations", json={"scope": hint[1]})
            assert (await ask(api, better, method, path)).status_code != 403

    async def ask(api: Any, made: Any, method: str, path: str) -> Any:
        headers = {"Authorization": f"Bearer {made.json()['access_token']['token']}"}
        return await api.stranger.request(method, path, headers=headers, json={})

    run(story)


def test_scopes_and_lifetimes_that_mean_nothing_are_refused_by_name(run: Any) -> None:
    async def story(api: Any) -> None:
        for body in (
            {"scope": ["everything"]},
            {"scope": []},
            {"scope": ""},
            {"scope": 5},
            {"scope": [1]},
            {"expires_in": 0},
            {"expires_in": -1},
        ):
            answer = await api.owner.post("/oauth/authorizations", json=body)
            assert answer.status_code == 422, body
        assert (await api.owner.get("/oauth/authorizations")).json() == []

    run(story)


def test_a_login_with_a_limited_code_is_limited(run: Any) -> None:
    async def story(api: Any) -> None:
        body = {"client": "paas", "scope": ["read"]}
        made = await api.owner.post("/oauth/authorizations", json=body)
        grant = {"code": made.json()["grant"]["code"]}
        answer = await api.stranger.post("/oauth/tokens", json={"grant": grant})
        headers = {"Authorization": f"Bearer {answer.json()['access_token']['token']}"}
        assert (await api.stranger.get("/apps", headers=headers)).status_code == 200
        assert (await api.stranger.post("/apps", headers=headers, json={})).status_code == 403

    run(story)


def test_a_token_is_named_anew_and_rotated_as_heroku_does(run: Any) -> None:
    async def story(api: Any) -> None:
        made = (await api.owner.post("/oauth/authorizations", json={"description": "a"})).json()
        path = f"/oauth/authorizations/{made['id']}"
        assert (await api.owner.patch(path, json={"description": "b"})).json()["description"] == "b"
        assert (await api.owner.patch(path, json={"scope": ["read"]})).status_code == 422
        rotated = (await api.owner.post(f"{path}/actions/regenerate-tokens")).json()
        for one, status in ((made, 401), (rotated, 200)):
            headers = {"Authorization": f"Bearer {one['access_token']['token']}"}
            assert (await api.stranger.get("/apps", headers=headers)).status_code == status

    run(story)


def test_a_pass_for_git_is_for_the_owner_and_leaves_no_token(run: Any) -> None:
    async def story(api: Any) -> None:
        secret = await api.token()
        made = await api.owner.post("/smartplatform/git-passes")
        assert made.status_code == 201
        headers = {"Authorization": f"Bearer {secret}"}
        refused = await api.stranger.post("/smartplatform/git-passes", headers=headers)
        assert refused.status_code == 403
        listed = (await api.owner.get("/oauth/authorizations")).json()
        assert [one["description"] for one in listed] == ["test"]
        headers = {"Authorization": f"Bearer {made.json()['pass']}"}
        assert (await api.stranger.get("/apps", headers=headers)).status_code == 401

    run(story)


def test_a_body_that_stops_is_not_waited_for(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no token the answer comes at once; where a body is read, its time is limited."""
    monkeypatch.setattr(context, "BODY_TIMEOUT_S", 0.05)

    async def story(api: Any) -> None:
        async with api.serving() as url:
            port = int(url.rpartition(":")[2])
            for path, status in (("/apps", b"401"), ("/oauth/tokens", b"408")):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{{"
                writer.write(head.encode())
                answer = await reader.read()  # to the end of the connection
                assert answer.split()[1] == status
                writer.close()

    run(story)
