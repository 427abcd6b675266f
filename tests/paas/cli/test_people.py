"""Accounts and access to apps: what each command asks, prints and returns."""

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
