"""Git remotes, the credential helper and the login file: no token where it does not belong."""

import base64
import json
import os
import stat
import subprocess
from pathlib import Path

import fake_api
import pytest

from paas.cli import git_pass, repository
from paas.settings import load

Answer = fake_api.Answer
GIT = "http://localhost:8081/hello.git"
APP = {"name": "hello", "web_url": "http://hello.localhost:8080/"}
TOKEN = Answer({"access_token": {"token": "fresh-token"}}, 201)


@pytest.fixture
def repo(cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository in the current folder, with no configuration of the user's."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    subprocess.run(["git", "init", "-q", "."], check=True, timeout=60)
    return Path.cwd()


def config(key: str) -> list[str]:
    answer = subprocess.run(
        ["git", "config", "--get-all", key], capture_output=True, text=True, timeout=10
    )
    return answer.stdout.split("\n")[:-1]


def test_create_adds_the_remote_and_a_helper_for_its_url_only(api, cli, repo) -> None:
    api.answers["POST /apps"] = Answer(APP, 201)
    assert cli("create", "hello").code == 0
    assert config("remote.paas.url") == [GIT]
    helper = repository.helper(load())
    assert config(f"credential.{GIT}.helper") == ["", helper]
    assert config(f"credential.{GIT}.usehttppath") == ["true"]
    assert config("credential.helper") == []


def test_create_leaves_a_remote_that_leads_to_another_app_and_says_how_to_move_it(
    api, cli, repo
) -> None:
    other = "http://me:secret@localhost:8081/production.git"
    subprocess.run(["git", "remote", "add", "paas", other], check=True, timeout=60)
    api.answers["POST /apps"] = Answer(APP, 201)
    api.answers["GET /apps/hello"] = Answer(APP)
    result = cli("create", "hello")
    assert (result.code, config("remote.paas.url")) == (0, [other])
    assert "The git remote paas leads to http://localhost:8081/production.git" in result.err
    assert "secret" not in result.err
    hint = result.err.split("To push to ⬢ hello: paas ")[1].split(",")[0]
    assert cli(*hint.split()).code == 0
    assert config("remote.paas.url") == [GIT]


def test_git_remote_can_be_repeated_and_names_the_app_afterwards(api, cli, repo) -> None:
    api.answers["GET /apps/hello"] = Answer(APP)
    api.answers["GET /apps/hello/dynos"] = Answer([])
    first = cli("git:remote", "-a", "hello")
    assert (first.code, first.out) == (0, f"set git remote paas to {GIT}\n")
    assert cli("git:remote", "-a", "hello").code == 0
    assert len(config(f"credential.{GIT}.helper")) == 2
    assert cli("ps").out == "No instances on ⬢ hello\n"


def test_a_program_path_with_spaces_and_quotes_is_quoted(
    cli, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = repo / "it's a path"
    folder.mkdir()
    program = folder / "paas"
    program.write_text("#!/bin/sh\necho username=paas\necho password=from-the-helper\n")
    program.chmod(0o755)
    monkeypatch.setattr(repository, "program", lambda: program)
    repository.set_remote("paas", GIT, load())
    question = "protocol=http\nhost=localhost:8081\npath=hello.git\n\n"
    answer = subprocess.run(
        ["git", "credential", "fill"], input=question, capture_output=True, text=True, timeout=10
    )
    assert "password=from-the-helper\n" in answer.stdout


def test_git_remote_outside_a_repository_says_so(api, cli) -> None:
    result = cli("git:remote", "-a", "hello")
    assert (result.code, result.err) == (
        3,
        " !    There is no git repository in this folder.\n !    Make one: git init\n",
    )


def test_destroy_removes_the_remote_and_its_helper(api, cli, repo) -> None:
    api.answers["GET /apps/hello"] = api.answers["DELETE /apps/hello"] = Answer(APP)
    cli("git:remote", "-a", "hello")
    assert cli("destroy", "--confirm", "hello").code == 0
    assert "hello" not in (repo / ".git" / "config").read_text()


def ask(cli, host: str, protocol: str = "http", operation: str = "get"):
    question = f"protocol={protocol}\nhost={host}\npath=hello.git\n\n"
    return cli("git:credentials", operation, stdin=question)


def test_root_on_the_host_gets_a_pass_for_this_platform_only(api, cli) -> None:
    api.answers["POST /smartplatform/git-passes"] = Answer({"pass": "fresh-token"}, 201)
    assert ask(cli, "localhost:8081").out == "username=paas\npassword=fresh-token\n"
    assert api.requests() == ["POST /smartplatform/git-passes"]  # and no token is made
    assert ask(cli, "localhost:9999").out == ""
    assert ask(cli, "evil.example:8081").out == ""
    assert ask(cli, "evil.example", "https").out == ""
    assert ask(cli, "localhost:8081", operation="store").out == ""


@pytest.fixture
def from_git(api, cli, repo: Path, monkeypatch: pytest.MonkeyPatch):
    """What git itself learns on the platform's own host, and what `paas` is asked beside that."""
    program = repo / "paas"
    program.write_text("#!/bin/sh\ncat > asked; echo username=u; echo password=from-paas\n")
    program.chmod(0o755)
    monkeypatch.setattr(repository, "program", lambda: program)
    api.answers["POST /smartplatform/git-passes"] = Answer({"pass": "paasgit_1_ab"}, 201)

    def learn(host: str = "localhost:8081", **variables: str) -> str:
        repository.set_remote("paas", f"http://{host}/hello.git", load())
        question = f"protocol=http\nhost={host}\npath=hello.git\n\n"
        answer = subprocess.run(
            ["git", "credential", "fill"], env={**os.environ, **variables},
            input=question, capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
        assert answer.stderr == ""
        return answer.stdout.partition("password=")[2].strip()

    return learn


def test_on_the_host_git_gets_its_pass_without_the_command(api, from_git, repo: Path) -> None:
    assert from_git() == "paasgit_1_ab"
    assert api.requests() == ["POST /smartplatform/git-passes"]
    assert not (repo / "asked").exists()


def test_what_is_not_plain_is_asked_of_the_command(
    api, from_git, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert from_git("localhost:9999") == "from-paas"
    assert "host=localhost:9999\npath=hello.git\n" in (repo / "asked").read_text()
    for name in ("PAAS_TOKEN", "PAAS_API", "PAAS_INSTALLATION"):
        assert from_git(**{name: "other"}) == "from-paas"
    assert api.requests() == []
    api.answers["POST /smartplatform/git-passes"] = Answer({"id": "forbidden"}, 403)
    assert from_git() == "from-paas"
    api.answers["POST /smartplatform/git-passes"] = Answer({"pass": "a\nquit=true"}, 201)
    assert from_git() == "from-paas"
    login = Path(os.environ["HOME"]) / ".config" / "smartplatform" / "login.json"
    login.parent.mkdir(parents=True)
    login.touch()
    asked = len(api.requests())
    assert from_git() == "from-paas"
    assert len(api.requests()) == asked


def test_the_command_answers_when_the_small_program_is_gone(
    api, from_git, repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_pass, "__file__", str(repo / "moved.py"))
    assert from_git() == "from-paas"
    assert "host=localhost:8081\n" in (repo / "asked").read_text()


def test_git_without_a_login_hears_how_to_log_in(cli) -> None:
    """No platform runs here; git itself would only ask for a user name."""
    asked = ask(cli, "localhost:8081")
    assert (asked.code, asked.out) == (0, "")
    assert asked.err.endswith("here: paas login http://localhost:8081\n")
    assert ask(cli, "github.com", "https").err == ""


def test_the_token_of_ci_goes_to_its_platform_only(cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAAS_TOKEN", "ci-token")
    monkeypatch.setenv("PAAS_API", "https://paas.example.com")
    assert ask(cli, "paas.example.com", "https").out == "username=paas\npassword=ci-token\n"
    assert ask(cli, "paas.example.com").out == ""
    assert ask(cli, "github.com", "https").out == ""


@pytest.fixture
def remote_platform(cli, monkeypatch: pytest.MonkeyPatch):
    """An API on a port of the loopback, that the user logs in to."""
    monkeypatch.delenv("PAAS_INSTALLATION")
    fake = fake_api.FakeApi()
    with fake_api.serving(fake, ("127.0.0.1", 0)) as port:
        fake.url = f"http://127.0.0.1:{port}"
        yield fake


def test_login_changes_a_code_for_a_token_and_keeps_it_private(
    cli, remote_platform, tmp_path: Path
) -> None:
    api = remote_platform
    api.answers["POST /oauth/tokens"] = Answer({"access_token": {"token": "t0ken"}}, 201)
    api.answers["GET /account"] = Answer({"email": "me@example.com"})
    api.answers["GET /apps"] = Answer([])
    result = cli("login", api.url, stdin="the-code\n")
    assert (result.code, result.out) == (0, "")
    assert result.err == f"Logging in to {api.url}... done, you are me@example.com\n"
    assert api.asked[0].body["grant"] == {"type": "authorization_code", "code": "the-code"}
    file = tmp_path / "home" / ".config" / "smartplatform" / "login.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert json.loads(file.read_text())["tokens"] == {api.url: "t0ken"}
    cli("apps")
    assert api.asked[-1].headers["Authorization"] == "Bearer t0ken"
    assert ask(cli, api.url.removeprefix("http://")).out == "username=paas\npassword=t0ken\n"
    assert ask(cli, "github.com", "https").out == ""


def test_login_with_an_address_asks_for_its_password(cli, remote_platform) -> None:
    api = remote_platform
    api.answers["POST /oauth/authorizations"] = Answer({"access_token": {"token": "t0ken"}}, 201)
    api.answers["GET /account"] = Answer({"email": "me@example.com"})
    result = cli("login", api.url, stdin="me@example.com\ncorrect: horse\n")
    assert (result.code, result.out) == (0, "")
    assert "horse" not in result.err
    sent = base64.b64encode(b"me@example.com:correct: horse").decode()
    assert api.asked[0].headers["Authorization"] == f"Basic {sent}"
    assert api.asked[1].headers["Authorization"] == "Bearer t0ken"
    assert cli("login", api.url, stdin="me@example.com\n").code == 2
    assert cli("login", api.url, stdin="").code == 2


def test_a_password_is_read_and_never_typed_as_a_word(api, cli) -> None:
    api.answers["PATCH /account"] = Answer({})
    result = cli("auth:password", stdin="old one\nnew one\n")
    assert (result.code, result.out) == (0, "")
    assert api.asked[-1].body == {"password": "old one", "new_password": "new one"}
    assert cli("auth:password", "--first", stdin="new one\n").code == 0
    assert api.asked[-1].body == {"new_password": "new one"}
    for words in (("auth:password", "new one"), ("auth:password",)):
        assert cli(*words, stdin="").code == 2


def test_logging_out_everywhere_forgets_the_own_token_too(
    cli, remote_platform, tmp_path: Path
) -> None:
    api = remote_platform
    api.answers["POST /oauth/tokens"] = Answer({"access_token": {"token": "t0ken"}}, 201)
    api.answers["GET /account"] = Answer({"email": "me@example.com"})
    api.answers["POST /account/actions/log-out"] = Answer({"tokens": 2})
    cli("login", api.url, stdin="code\n")
    assert "2 tokens ended" in cli("logout", "--everywhere").err
    assert "t0ken" not in (tmp_path / "home/.config/smartplatform/login.json").read_text()
    assert cli("logout", "--everywhere", api.url).code == 2


def test_logout_forgets_the_token(cli, remote_platform, tmp_path: Path) -> None:
    api = remote_platform
    api.answers["POST /oauth/tokens"] = Answer({"access_token": {"token": "t0ken"}}, 201)
    api.answers["GET /account"] = Answer({"email": "me@example.com"})
    api.answers["DELETE /oauth/authorizations/~"] = Answer({})
    cli("login", api.url, stdin="code\n")
    assert cli("logout").err == f"Logging out of {api.url}... done\n"
    assert api.asked[-1].headers["Authorization"] == "Bearer t0ken"
    assert "t0ken" not in (tmp_path / "home/.config/smartplatform/login.json").read_text()
    assert cli("logout").err == "You are not logged in.\n"


def test_a_token_never_travels_unencrypted(cli) -> None:
    result = cli("login", "http://paas.example.com", stdin="code\n")
    assert result.code == 2
    assert "is not encrypted" in result.err
    assert "ssh -L 8081:localhost:8081 root@paas.example.com" in result.err


def test_a_refused_token_exits_4_and_says_how_to_log_in(
    cli, remote_platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = remote_platform
    monkeypatch.setenv("PAAS_API", api.url)
    api.answers["GET /apps"] = Answer({"id": "unauthorized", "message": "Bad token."}, 401)
    result = cli("apps")
    assert result.code == 4
    assert result.err == (
        " !    Bad token.\n"
        f" !    Run `paas auth:code` on the server, then `paas login {api.url}` here.\n"
    )


def test_auth_code_and_token_print_only_the_secret_on_stdout(api, cli) -> None:
    api.answers["POST /oauth/authorizations"] = [
        Answer({"grant": {"code": "c0de", "expires_in": 600}}, 201),
        TOKEN,
    ]
    assert cli("auth:code").out == "c0de\n"
    assert cli("auth:token", "-d", "CI", "-e", "60").out == "fresh-token\n"
    assert api.asked[-1].body == {"description": "CI", "scope": ["global"], "expires_in": 60}


def token(id: str, description: str, **values: object) -> dict[str, object]:
    made = {"id": id, "description": description, "created_at": "2026-01-01T00:00:00Z"}
    return {**made, "scope": ["read", "metrics"], **values}


def test_tokens_are_listed_with_what_they_may_and_when_they_were_used(api, cli) -> None:
    api.answers["GET /oauth/authorizations"] = Answer([token("1f2e", "CI")])
    [titles, row] = cli("auth:tokens").out.splitlines()
    assert titles.split("  ")[0] == "ID" and "Scope" in titles and "Last used" in titles
    assert "read,metrics" in row and row.split()[-2:] == ["never"] * 2


def test_a_token_is_revoked_by_id_its_beginning_or_its_name(api, cli) -> None:
    found = [token("1f2e", "CI"), token("1f3a", "laptop"), token("2b", "laptop")]
    api.answers["GET /oauth/authorizations"] = Answer(found)
    for id in ("1f2e", "1f3a", "2b"):
        api.answers[f"DELETE /oauth/authorizations/{id}"] = Answer({"id": id})
    for typed in ("1f2e", "1f2", "CI"):
        revoked = cli("auth:tokens:revoke", typed)
        assert revoked.err == "Revoking 1f2e (CI)... done\n"
    for typed in ("1f", "laptop"):
        asked = cli("auth:tokens:revoke", typed)
        assert asked.code == 2 and "1f3a (laptop)" in asked.err
    for typed, code in (("", 2), ("x", 3)):
        assert cli("auth:tokens:revoke", typed).code == code
    assert [one for one in api.requests() if one.startswith("DELETE")] == [
        "DELETE /oauth/authorizations/1f2e"
    ] * 3


def test_a_token_is_made_with_scopes_and_wrong_ones_are_named(api, cli) -> None:
    api.answers["POST /oauth/authorizations"] = TOKEN
    assert cli("auth:token", "-s", "read,metrics").code == 0
    assert api.asked[-1].body["scope"] == ["read", "metrics"]
    wrong = cli("auth:token", "--scope", "all")
    assert wrong.code != 0 and "'all'" in wrong.err and "write-protected" in wrong.err
    assert cli("auth:token", "-e", "0").code == 2
