"""Accounts and access to apps: what each command asks, prints and returns."""

import json
from typing import Any

import fake_api
import pytest

Answer = fake_api.Answer
ADA: dict[str, Any] = {
    "email": "ada@example.com",
    "name": "Ada",
    "operator": False,
    "has_password": False,
    "created_at": "2026-11-22T15:36:00Z",
    "last_login": None,
    "invitation": {"code": "k7m2-x9pd-w3hn-qzra", "expires_in": 259200},
}
PERSON = {
    "user": {"email": "ada@example.com"},
    "role": "collaborator",
    "permissions": [{"name": "view"}, {"name": "deploy"}],
}


def test_an_account_is_made_with_its_invitation_on_stdout(api, cli) -> None:
    api.answers["POST /smartplatform/accounts"] = Answer(ADA, 201)
    result = cli("accounts:add", "ada@example.com", "--name", "Ada")
    assert (result.code, result.out) == (0, "k7m2-x9pd-w3hn-qzra\n")
    assert api.asked[-1].body == {"email": "ada@example.com", "operator": False, "name": "Ada"}
    assert "paas login" in result.err and "paas auth:password --first" in result.err


def test_an_account_with_a_password_has_it_from_stdin(api, cli) -> None:
    api.answers["POST /smartplatform/accounts"] = Answer({**ADA, "invitation": None}, 201)
    result = cli("accounts:add", "ada@example.com", "--password", stdin="correct horse battery\n")
    assert (result.code, result.out) == (0, "")
    assert api.asked[-1].body["password"] == "correct horse battery"
    assert "horse" not in result.err
    assert cli("accounts:add", "ada@example.com", "--password", stdin="").code == 2


def test_accounts_are_listed_changed_locked_and_removed(api, cli) -> None:
    api.answers["GET /smartplatform/accounts"] = Answer([ADA])
    assert "ada@example.com  Ada   user  no " in cli("accounts").out
    place = "/smartplatform/accounts/ada%40example.com"
    api.answers[f"PATCH {place}"] = Answer(ADA)
    assert cli("accounts:set", "ada@example.com", "--operator").code == 0
    assert api.asked[-1].body == {"operator": True}
    assert cli("accounts:set", "ada@example.com", "--operator", "--no-operator").code == 2
    assert cli("accounts:set", "ada@example.com").code == 2
    api.answers[f"POST {place}/actions/invite"] = Answer(ADA, 201)
    assert cli("accounts:invite", "ada@example.com").out == "k7m2-x9pd-w3hn-qzra\n"
    api.answers[f"POST {place}/actions/lock"] = Answer(ADA)
    assert cli("accounts:lock", "ada@example.com").code == 0
    api.answers[f"DELETE {place}"] = Answer(ADA)
    assert cli("accounts:remove", "ada@example.com").code == 0


def test_access_is_listed_given_changed_and_taken(api, cli) -> None:
    place = "/apps/hello/collaborators"
    api.answers[f"GET {place}"] = Answer([PERSON])
    assert "ada@example.com  collaborator  view, deploy" in cli("access", "-a", "hello").out
    api.answers[f"POST {place}"] = Answer(PERSON, 201)
    assert cli("access:add", "ada@example.com", "-a", "hello").code == 0
    assert api.asked[-1].body == {"user": "ada@example.com"}
    cli("access:add", "ada@example.com", "-a", "hello", "-p", "view,deploy")
    assert api.asked[-1].body["permissions"] == ["view", "deploy"]
    api.answers[f"PATCH {place}/ada%40example.com"] = Answer(PERSON)
    assert cli("access:update", "ada@example.com", "-a", "hello", "-p", "manage").code == 0
    assert api.asked[-1].body == {"permissions": ["manage"]}
    api.answers[f"DELETE {place}/ada%40example.com"] = Answer(PERSON)
    assert cli("access:remove", "ada@example.com", "-a", "hello").code == 0


@pytest.mark.parametrize("name", ["access:add", "access:update", "accounts:add", "accounts:lock"])
def test_without_an_address_nothing_is_asked(api, cli, name: str) -> None:
    assert cli(name).code == 2
    assert api.asked == []


def test_a_token_may_be_for_some_apps_only(api, cli) -> None:
    api.answers["POST /oauth/authorizations"] = Answer({"access_token": {"token": "t0ken"}}, 201)
    assert cli("auth:token", "-a", "one", "-a", "two").out == "t0ken\n"
    assert api.asked[-1].body["apps"] == ["one", "two"]


TRANSFER = {
    "app": {"id": "a1", "name": "hello"},
    "id": "t1",
    "owner": {"email": "me@example.com"},
    "recipient": {"email": "ada@example.com"},
    "state": "pending",
    "created_at": "2026-11-22T15:36:00Z",
}


def test_an_app_is_handed_over_and_answered_for(api, cli) -> None:
    api.answers["POST /account/app-transfers"] = Answer(TRANSFER, 201)
    result = cli("apps:transfer", "ada@example.com", "-a", "hello")
    assert result.code == 0 and "pending" in result.err
    assert api.asked[-1].body == {"app": "hello", "recipient": "ada@example.com"}
    hint = result.err.partition("accept it by: paas ")[2].split()
    api.answers["GET /account/app-transfers"] = Answer([TRANSFER])
    assert "hello  me@example.com  ada@example.com" in cli("apps:transfers").out
    api.answers["PATCH /account/app-transfers/hello"] = Answer(TRANSFER)
    assert cli(*hint).code == 0
    assert api.asked[-1].body == {"state": "accepted"}
    assert cli("apps:transfers:decline", "hello").code == 0
    api.answers["DELETE /account/app-transfers/hello"] = Answer(TRANSFER)
    assert cli("apps:transfers:cancel", "hello").code == 0


def test_the_audit_trail_is_shown_newest_last_and_exported_whole(api, cli) -> None:
    def line(id: int) -> dict[str, Any]:
        return {
            "id": id,
            "at": "2026-11-22T15:36:00Z",
            "user": "ada@example.com",
            "origin": "127.0.0.1",
            "action": f"PATCH /apps/hello{id}",
            "detail": "a\x1b[1m",
            "app": None,
            "status": 200,
        }

    api.answers["GET /smartplatform/audit?count=50"] = Answer([line(2), line(1)])
    shown = cli("audit").out
    assert shown.index("hello1") < shown.index("hello2") and "\x1b" not in shown
    place = "GET /smartplatform/apps/hello/audit?count=10"
    api.answers[place] = Answer([line(1)])
    assert "hello1" in cli("audit", "-a", "hello", "-n", "10").out
    api.answers["GET /smartplatform/audit?count=1000"] = Answer([line(3), line(2)])
    api.answers["GET /smartplatform/audit?count=1000&before=2"] = Answer([])
    lines = cli("audit", "--export").out.splitlines()
    assert [json.loads(each)["id"] for each in lines] == [3, 2]


def test_tokens_are_listed_with_the_apps_that_they_open(api, cli) -> None:
    one = {"id": "1f2e", "description": "CI", "created_at": "2026-11-22T15:36:00Z"}
    found = [{**one, "apps": ["a1", "gone"]}, {**one, "apps": None}]
    api.answers["GET /oauth/authorizations"] = Answer(found)
    api.answers["GET /apps"] = Answer([{"id": "a1", "name": "hello"}])
    lines = [line.rstrip() for line in cli("auth:tokens").out.splitlines()]
    assert lines[0].endswith("Apps")
    assert lines[-2].endswith("hello, (destroyed)") and lines[-1].endswith("all")


def test_a_token_gets_another_secret(api, cli) -> None:
    found = [{"id": "1f2e3d4c", "description": "CI", "created_at": "2026-11-22T15:36:00Z"}]
    api.answers["GET /oauth/authorizations"] = Answer(found)
    place = "POST /oauth/authorizations/1f2e3d4c/actions/regenerate-tokens"
    api.answers[place] = Answer({"access_token": {"token": "n3w"}})
    assert cli("auth:tokens:rotate", "CI").out == "n3w\n"
