import base64
from datetime import timedelta
from typing import Any

import pytest

from paas.api.authentication import secret_of
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


def test_guessing_codes_is_slowed_down(run: Any) -> None:
    async def story(api: Any) -> None:
        for _ in range(20):
            body = {"grant": {"code": "aaaa-aaaa-aaaa-aaaa"}}
            assert (await api.stranger.post("/oauth/tokens", json=body)).status_code == 401
        answer = await api.stranger.post("/oauth/tokens", json=body)
        assert (answer.status_code, answer.json()["id"]) == (429, "rate_limit")

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
