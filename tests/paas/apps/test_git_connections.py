"""Repositories elsewhere: their addresses, whose words their hosts speak, and what these are."""

import json
from datetime import UTC, datetime

import pytest

from paas.apps import git_connections
from paas.apps.commit_statuses import State, report
from paas.apps.git_connections import GitConnection, Kind
from paas.errors import UserError

COMMIT = "c" * 40


def connection(url: str, kind: Kind, token: str = "t0ken") -> GitConnection:
    made = datetime.now(UTC)
    return GitConnection("app", "hook", url, kind, "main", "owner@x", made, "secret", token)


@pytest.mark.parametrize(
    ("url", "said", "kind"),
    [
        ("https://github.com/owner/name", None, Kind.GITHUB),
        ("https://gitlab.com/group/sub/name.git/", None, Kind.GITLAB),
        ("https://codeberg.org/owner/name", None, Kind.GITEA),
        ("https://gitlab.example.com/owner/name", None, Kind.GITLAB),
        ("https://git.example.com:3000/owner/name", "Forgejo", Kind.GITEA),
        ("https://git.example.com/owner/name", "github", Kind.GITHUB),
    ],
)
def test_a_host_is_known_by_its_name_or_what_is_said(url: str, said: str, kind: Kind) -> None:
    assert git_connections.kind_of(git_connections.check_url(url), said) is kind


@pytest.mark.parametrize(
    "url",
    [
        *("", "github.com/owner/name", "http://github.com/owner/name", "git@github.com:o/name"),
        *("https://github.com/owner", "https://github.com/owner/name?x=1", "https://u:p@h/o/name"),
        *("https://github.com/owner/a b", "https://h:99999/owner/name", "ssh://git@h/owner/name"),
    ],
)
def test_what_is_no_address_of_a_repository_is_refused(url: str) -> None:
    with pytest.raises(UserError) as raised:
        git_connections.check_url(url)
    assert "u:p" not in raised.value.message


def test_an_unknown_host_has_to_be_named() -> None:
    for said in (None, "bitbucket"):
        with pytest.raises(UserError) as raised:
            git_connections.kind_of("https://git.example.com/owner/name", said)
        assert "--kind github" in raised.value.hint
        kinds = raised.value.hint.replace(",", "").split("--kind ")[1:]
        for kind in kinds:
            git_connections.kind_of("https://git.example.com/owner/name", kind.strip())


def test_each_host_is_told_a_status_in_its_own_words() -> None:
    def told(url: str, kind: Kind, state: State) -> tuple[str, dict[str, str], dict[str, str]]:
        made = report(connection(url, kind), COMMIT, state, "hello", "https://x/", "is\nunder way")
        assert "t0ken" not in repr(made)
        return made.url, made.headers, json.loads(made.body)

    url, headers, body = told("https://github.com/o/n.git", Kind.GITHUB, State.FAILURE)
    assert url == f"https://api.github.com/repos/o/n/statuses/{COMMIT}"
    assert headers["Authorization"] == "Bearer t0ken"
    assert body == {
        "state": "failure",
        "description": "is under way",
        "target_url": "https://x/",
        "context": "smartplatform/hello",
    }
    url, _, _ = told("https://ghe.example.com/o/n", Kind.GITHUB, State.PENDING)
    assert url == f"https://ghe.example.com/api/v3/repos/o/n/statuses/{COMMIT}"
    url, headers, body = told("https://gitlab.com/g/s/n", Kind.GITLAB, State.PENDING)
    assert url == f"https://gitlab.com/api/v4/projects/g%2Fs%2Fn/statuses/{COMMIT}"
    assert (headers["PRIVATE-TOKEN"], body["state"], body["ref"]) == ("t0ken", "running", "main")
    url, headers, body = told("https://codeberg.org/o/n", Kind.GITEA, State.SUCCESS)
    assert url == f"https://codeberg.org/api/v1/repos/o/n/statuses/{COMMIT}"
    assert (headers["Authorization"], body["state"]) == ("token t0ken", "success")


def test_a_token_is_a_password_for_git_and_is_shown_to_nobody() -> None:
    made = connection("https://github.com/o/n", Kind.GITHUB)
    assert git_connections.login(made) == "x-access-token:t0ken"
    assert "t0ken" not in repr(made) and "secret" not in repr(made).replace("secret=", "")
    deploy = connection("https://gitlab.com/o/n", Kind.GITLAB, "gitlab+deploy-1:gldt-x")
    assert git_connections.login(deploy) == "gitlab+deploy-1:gldt-x"
    assert git_connections.login(connection("https://github.com/o/n", Kind.GITHUB, "")) == ""
    for bad in ("a b", "a\nb", "x" * 501):
        with pytest.raises(UserError):
            git_connections.check_token(bad)
