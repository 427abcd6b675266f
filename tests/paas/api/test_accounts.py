"""Accounts: invitations, passwords, the end of logins; tokens that open some apps only."""

import base64
from typing import Any

import pytest

from paas.apps import guesses, passwords

PASSWORD = "correct horse battery"
EMAIL = "ada@example.com"


def basic(email: str, password: str) -> dict[str, str]:
    text = base64.b64encode(f"{email}:{password}".encode()).decode()
    return {"Authorization": f"Basic {text}"}


def bearer(answer: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['access_token']['token']}"}


async def log_in(api: Any, email: str = EMAIL, password: str = PASSWORD) -> Any:
    """As `heroku login -i` does."""
    body = {"description": "Heroku CLI login", "expires_in": 2592000, "scope": ["global"]}
    headers = basic(email, password)
    return await api.stranger.post("/oauth/authorizations", json=body, headers=headers)


async def account(api: Any, email: str = EMAIL, **more: Any) -> Any:
    body = {"email": email, "password": PASSWORD, **more}
    made = await api.owner.post("/smartplatform/accounts", json=body)
    assert made.status_code == 201, made.text
    return made.json()


def test_an_invitation_lets_in_once_and_its_account_sets_a_password(run: Any) -> None:
    async def story(api: Any) -> None:
        made = await api.owner.post("/smartplatform/accounts", json={"email": "Ada@Example.com "})
        assert made.json()["email"] == EMAIL and made.json()["has_password"] is False
        assert (await log_in(api)).status_code == 401
        grant = {"grant": {"code": made.json()["invitation"]["code"]}}
        came = await api.stranger.post("/oauth/tokens", json=grant)
        assert came.json()["user"]["email"] == EMAIL
        assert (await api.stranger.post("/oauth/tokens", json=grant)).status_code == 401
        body = {"new_password": PASSWORD}
        headers = bearer(came)
        assert (await api.stranger.patch("/account", json=body, headers=headers)).is_success
        assert (await log_in(api)).status_code == 201
        # From then on the old one is asked for.
        again = await api.stranger.patch("/account", json=body, headers=headers)
        assert again.status_code == 422 and "old password" in again.text
        body |= {"password": "something else"}
        wrong = await api.stranger.patch("/account", json=body, headers=headers)
        assert wrong.status_code == 401

    run(story)


def test_a_login_with_a_password_makes_a_token_of_the_account(run: Any) -> None:
    async def story(api: Any) -> None:
        await account(api)
        came = await log_in(api, " ADA@example.com")
        me = (await api.stranger.get("/account", headers=bearer(came))).json()
        assert (me["email"], me["operator"]) == (EMAIL, False)
        assert me["last_login"] is not None
        # A password opens nothing but that.
        for path in ("/account", "/apps"):
            answer = await api.stranger.get(path, headers=basic(EMAIL, PASSWORD))
            assert answer.status_code == 401

    run(story)


def test_an_unknown_address_is_answered_as_a_wrong_password(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    is_right = passwords.is_right

    def watched(kept: str | None, password: str) -> bool:
        compared.append(kept)
        return is_right(kept, password)

    monkeypatch.setattr(passwords, "is_right", watched)

    async def story(api: Any) -> None:
        await account(api)
        await api.owner.post("/smartplatform/accounts", json={"email": "invited@example.com"})
        answers = [
            await log_in(api, email, "wrong" * 3)
            for email in (EMAIL, "nobody@example.com", "invited@example.com")
        ]
        assert {answer.status_code for answer in answers} == {401}
        assert len({answer.text for answer in answers}) == 1
        assert [kept is None for kept in compared] == [False, True, True]

    run(story)


def test_guesses_are_limited_for_addresses_with_and_without_an_account(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "BURST", 3)

    async def story(api: Any) -> None:
        await account(api)
        for email in (EMAIL, "nobody@example.com"):
            tried = [await log_in(api, email, f"wrong {n} wrong") for n in range(guesses.BURST + 1)]
            codes = [answer.status_code for answer in tried]
            assert codes == [401] * guesses.BURST + [429]
            assert "Too many" in tried[-1].text
        assert (await log_in(api)).status_code == 429
        # The hint: a code lets in meanwhile.
        body = {"grant": (await invitation(api))}
        assert (await api.stranger.post("/oauth/tokens", json=body)).status_code == 201

    async def invitation(api: Any) -> Any:
        path = f"/smartplatform/accounts/{EMAIL}/actions/invite"
        return (await api.owner.post(path)).json()["invitation"]

    run(story)


def test_a_burst_of_guesses_comes_back_with_time() -> None:
    now_s = [0.0]
    counted = guesses.Guesses(lambda: now_s[0])
    assert [counted.take("a") for _ in range(guesses.BURST + 1)][-2:] == [True, False]
    assert counted.take("b")
    now_s[0] += guesses.REFILL_S
    assert [counted.take("a"), counted.take("a")] == [True, False]
    counted.forgive("a")
    assert counted.take("a")


def test_what_is_remembered_of_guesses_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "ADDRESSES_MAX", 3)
    counted = guesses.Guesses(lambda: 0.0)
    for name in "abcde":
        counted.take(name)
    assert list(counted._counts) == ["c", "d", "e"]


@pytest.mark.parametrize("password", ["short", "x" * 257, "aaaaaaaaaaaaaaa", EMAIL, "ab" * 8])
def test_a_password_that_is_guessed_first_is_refused_and_not_repeated(
    run: Any, password: str
) -> None:
    async def story(api: Any) -> None:
        body = {"email": EMAIL, "password": password}
        answer = await api.owner.post("/smartplatform/accounts", json=body)
        assert answer.status_code == 422
        assert password == EMAIL or password not in answer.text
        assert (await api.owner.get(f"/smartplatform/accounts/{EMAIL}")).status_code == 404

    run(story)


def test_a_hash_is_argon2id_and_each_its_own() -> None:
    first, second = passwords.hashed(PASSWORD), passwords.hashed(PASSWORD)
    assert first.startswith("$argon2id$") and first != second
    assert passwords.is_right(first, PASSWORD) and not passwords.is_right(first, "another one")
    assert not passwords.is_right("damaged", PASSWORD) and not passwords.is_right(None, PASSWORD)
    assert passwords.is_right(passwords.hashed("\udc80" * 12), "\udc80" * 12)


def test_no_answer_holds_a_hash_or_a_password(run: Any) -> None:
    async def story(api: Any) -> None:
        made = await account(api)
        came = await log_in(api)
        for answer in (
            await api.owner.get("/smartplatform/accounts"),
            await api.owner.get(f"/smartplatform/accounts/{made['id']}"),
            await api.stranger.get("/account", headers=bearer(came)),
            came,
        ):
            assert "argon2" not in answer.text and PASSWORD not in answer.text

    run(story)


def test_logging_out_everywhere_ends_all_tokens_and_codes_of_one(run: Any) -> None:
    async def story(api: Any) -> None:
        await account(api)
        first, second, other = await log_in(api), await log_in(api), await api.token()
        path = "/account/actions/log-out"
        ended = await api.stranger.post(path, headers=bearer(first))
        assert ended.json() == {"tokens": 2}
        for came in (first, second):
            assert (await api.stranger.get("/account", headers=bearer(came))).status_code == 401
        headers = {"Authorization": f"Bearer {other}"}
        assert (await api.stranger.get("/account", headers=headers)).status_code == 200

    run(story)


def test_a_locked_account_comes_back_by_invitation_only(run: Any) -> None:
    async def story(api: Any) -> None:
        await account(api)
        came = await log_in(api)
        locked = await api.owner.post(f"/smartplatform/accounts/{EMAIL}/actions/lock")
        assert locked.json()["tokens"] == 1 and locked.json()["has_password"] is False
        assert (await api.stranger.get("/account", headers=bearer(came))).status_code == 401
        assert (await log_in(api)).status_code == 401
        again = await api.owner.post(f"/smartplatform/accounts/{EMAIL}/actions/invite")
        body = {"grant": again.json()["invitation"]}
        assert (await api.stranger.post("/oauth/tokens", json=body)).status_code == 201

    run(story)


def test_who_has_forgotten_the_password_comes_by_invitation_and_sets_another(run: Any) -> None:
    async def story(api: Any) -> None:
        await account(api)
        token = bearer(await log_in(api))
        path = f"/smartplatform/accounts/{EMAIL}/actions/invite"
        first, second = [(await api.owner.post(path)).json()["invitation"] for _ in range(2)]
        assert (await log_in(api)).status_code == 401
        # A later invitation voids the one before it; what is logged in stays so.
        grants = [{"grant": one} for one in (first, second)]
        came = [await api.stranger.post("/oauth/tokens", json=grant) for grant in grants]
        assert [answer.status_code for answer in came] == [401, 201]
        assert (await api.stranger.get("/account", headers=token)).status_code == 200
        body = {"new_password": "another sentence"}
        assert (await api.stranger.patch("/account", json=body, headers=bearer(came[1]))).is_success
        assert (await log_in(api, password="another sentence")).status_code == 201

    run(story)


def test_root_on_the_host_sets_its_password_without_the_old_one(run: Any) -> None:
    async def story(api: Any) -> None:
        for password in ("one sentence", "another sentence"):
            answer = await api.owner.patch("/account", json={"new_password": password})
            assert answer.status_code == 200
        came = await log_in(api, "owner@localhost", "another sentence")
        assert (await api.stranger.get("/apps", headers=bearer(came))).status_code == 200
        body = {"new_password": "a third sentence"}
        answer = await api.stranger.patch("/account", json=body, headers=bearer(came))
        assert answer.status_code == 422

    run(story)


def test_an_account_with_apps_is_not_removed_and_one_without_takes_all_along(run: Any) -> None:
    async def story(api: Any) -> None:
        await account(api)
        came = await log_in(api)
        headers = bearer(came)
        await api.stranger.post("/apps", json={"name": "hers"}, headers=headers)
        await api.owner.post("/apps", json={"name": "shared"})
        await api.owner.post("/apps/shared/collaborators", json={"user": EMAIL})
        path = f"/smartplatform/accounts/{EMAIL}"
        refused = await api.owner.delete(path)
        assert refused.status_code == 409 and "hers" in refused.text
        assert (await api.owner.delete("/apps/hers")).status_code == 200
        assert (await api.owner.delete(path)).status_code == 200
        assert (await api.stranger.get("/account", headers=headers)).status_code == 401
        people = (await api.owner.get("/apps/shared/collaborators")).json()
        assert [one["user"]["email"] for one in people] == ["owner@localhost"]

    run(story)


def test_the_owner_of_the_host_stays_an_operator(run: Any) -> None:
    async def story(api: Any) -> None:
        path = "/smartplatform/accounts/owner@localhost"
        assert (await api.owner.delete(path)).status_code == 409
        assert (await api.owner.patch(path, json={"operator": False})).status_code == 409
        assert (await api.owner.patch(path, json={"name": "root"})).json()["name"] == "root"

    run(story)


@pytest.mark.parametrize("email", ["", "ada", "a@", "@b", "a b@c", "a@b\n", "a@b/c", "é@x", None])
def test_what_is_no_address_is_refused(run: Any, email: Any) -> None:
    async def story(api: Any) -> None:
        answer = await api.owner.post("/smartplatform/accounts", json={"email": email})
        assert answer.status_code == (201 if email == "a@b\n" else 422)

    run(story)


def test_a_token_of_one_app_opens_that_app_and_makes_no_more_of_itself(run: Any) -> None:
    async def story(api: Any) -> None:
        for name in ("one", "two"):
            assert (await api.owner.post("/apps", json={"name": name})).status_code == 201
        body = {"apps": ["one"], "description": "CI"}
        made = await api.owner.post("/oauth/authorizations", json=body)
        headers = bearer(made)
        for method, path, status in (
            ("GET", "/apps/one", 200),
            ("GET", "/apps/two", 404),
            ("GET", "/account", 200),
            ("GET", "/oauth/authorizations/~", 200),
            ("GET", "/oauth/authorizations", 403),
            ("POST", "/oauth/authorizations", 403),
            ("POST", "/apps", 403),
            ("PATCH", "/account", 403),
            ("GET", "/account/keys", 403),
            ("POST", "/account/keys", 403),
            ("GET", "/smartplatform/accounts", 403),
            ("GET", "/metrics", 403),
            ("POST", "/sources", 403),
        ):
            answer = await api.stranger.request(method, path, headers=headers, json={})
            assert answer.status_code == status, (method, path, answer.text)
        listed = await api.stranger.get("/apps", headers=headers)
        assert [app["name"] for app in listed.json()] == ["one"]
        assert (await api.stranger.delete("/oauth/authorizations/~", headers=headers)).is_success

    run(story)


@pytest.mark.parametrize("apps", [[], "one", [1], ["absent"]])
def test_a_token_for_apps_that_are_none_is_refused(run: Any, apps: Any) -> None:
    async def story(api: Any) -> None:
        answer = await api.owner.post("/oauth/authorizations", json={"apps": apps})
        assert answer.status_code == (404 if apps == ["absent"] else 422)

    run(story)


def test_tokens_and_keys_are_each_ones_own(run: Any) -> None:
    async def story(api: Any) -> None:
        await account(api)
        headers = bearer(await log_in(api))
        theirs = (await api.owner.post("/oauth/authorizations", json={})).json()["id"]
        for method in ("GET", "PATCH", "DELETE"):
            path = f"/oauth/authorizations/{theirs}"
            answer = await api.stranger.request(method, path, headers=headers, json={})
            assert answer.status_code == 404
        listed = (await api.stranger.get("/oauth/authorizations", headers=headers)).json()
        assert len(listed) == 1

    run(story)


def test_an_address_may_work_on_an_app_from_the_day_it_has_an_account(run: Any) -> None:
    """Whether it has one today is told to nobody."""

    async def story(api: Any) -> None:
        await api.owner.post("/apps", json={"name": "shared"})
        path = "/apps/shared/collaborators"
        assert (await api.owner.post(path, json={"user": EMAIL})).status_code == 201
        assert (await api.owner.post(path, json={"user": EMAIL})).status_code == 409
        assert (await api.owner.post(path, json={"user": "owner@localhost"})).status_code == 409
        for user in (None, 5, "ada", {"email": "x"}):
            assert (await api.owner.post(path, json={"user": user})).status_code == 422
        await account(api)
        headers = bearer(await log_in(api))
        assert (await api.stranger.get("/apps/shared", headers=headers)).status_code == 200
        # Whoever works on it may leave, and is out at once.
        assert (await api.stranger.delete(f"{path}/{EMAIL}", headers=headers)).status_code == 200
        assert (await api.stranger.get("/apps/shared", headers=headers)).status_code == 404

    run(story)


@pytest.mark.parametrize("permissions", [[], ["admin"], "view,all", 5, [5], [{}], {"view": 1}])
def test_permissions_that_are_none_are_refused(run: Any, permissions: Any) -> None:
    async def story(api: Any) -> None:
        await api.owner.post("/apps", json={"name": "shared"})
        body = {"user": EMAIL, "permissions": permissions}
        answer = await api.owner.post("/teams/apps/shared/collaborators", json=body)
        assert answer.status_code == 422
        assert len((await api.owner.get("/apps/shared/collaborators")).json()) == 1

    run(story)
