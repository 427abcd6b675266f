"""The client: which platform it talks to, what it sends where, and how failures are said."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from paas.client.api import Client, path
from paas.client.endpoint import Endpoint, checked_url, find_endpoint
from paas.client.login import Login
from paas.errors import UserError
from paas.settings import Settings

HERE = "http://localhost:8081"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An installation whose socket would be `control.sock` in the temporary folder."""
    monkeypatch.setattr(Settings, "control_socket", tmp_path / "control.sock")
    return Settings(installation="test-client")


@pytest.fixture
def local(settings: Settings) -> Iterator[Path]:
    """The socket is there."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(settings.control_socket))
        yield settings.control_socket


def login(tmp_path: Path, **tokens: str) -> Login:
    known = Login(tmp_path / "login.json")
    for name, token in tokens.items():
        known = known.with_token(f"https://{name}.example.com", token)
    return known


def test_root_on_the_host_needs_no_login(settings: Settings, local: Path, tmp_path: Path) -> None:
    assert find_endpoint(settings, {}, login(tmp_path)) == Endpoint(HERE, unix=local)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
def test_another_user_of_the_host_is_told_to_log_in(
    settings: Settings, local: Path, tmp_path: Path
) -> None:
    child = os.fork()
    if child == 0:
        try:
            os.setuid(65534)
            find_endpoint(settings, {}, Login(Path("/nowhere")))
        except UserError as error:
            os._exit(error.exit_code or 0)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4


def test_an_address_in_the_environment_comes_first(
    settings: Settings, local: Path, tmp_path: Path
) -> None:
    environment = {"PAAS_API": "https://b.example.com/"}
    found = find_endpoint(settings, environment, login(tmp_path, b="t", a="u"))
    assert found == Endpoint("https://b.example.com", token="t")
    environment["PAAS_TOKEN"] = "ci"
    assert find_endpoint(settings, environment, login(tmp_path, b="t")).token == "ci"


def test_the_last_login_comes_before_this_host(
    settings: Settings, local: Path, tmp_path: Path
) -> None:
    found = find_endpoint(settings, {}, login(tmp_path, a="t"))
    assert found == Endpoint("https://a.example.com", token="t")


def test_an_installation_that_is_named_is_this_hosts(
    settings: Settings, local: Path, tmp_path: Path
) -> None:
    environment = {"PAAS_INSTALLATION": "test-client"}
    assert find_endpoint(settings, environment, login(tmp_path, a="t")).unix == local


def test_a_token_of_one_platform_is_not_sent_to_another(settings: Settings, tmp_path: Path) -> None:
    found = find_endpoint(settings, {"PAAS_API": "https://b.example.com"}, login(tmp_path, a="t"))
    assert found.token is None


def test_without_a_platform_the_message_says_how_to_get_to_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(UserError, match="not running") as root:
        find_endpoint(settings, {}, login(tmp_path))
    assert "`paas up -d`" in root.value.hint and "script/server" in root.value.hint
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(UserError, match="not logged in") as other:
        find_endpoint(settings, {}, login(tmp_path))
    assert "paas auth:code" in other.value.hint
    assert (root.value.exit_code, other.value.exit_code) == (5, 4)


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        ("localhost:8081", HERE),
        ("http://LOCALHOST:8081/x", HERE),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://[::1]:1", "http://[::1]:1"),
        ("https://paas.example.com", "https://paas.example.com"),
    ],
)
def test_addresses_are_brought_into_one_form(typed: str, url: str) -> None:
    assert checked_url(typed) == url


@pytest.mark.parametrize(
    "typed",
    ["http://example.com", "http://127.0.0.1.example.com", "ftp://localhost", "http://",
     "http://user:secret@localhost:8081", "http://localhost.example.com:8081"],
)  # fmt: skip
def test_addresses_that_would_give_a_token_away_are_refused(typed: str) -> None:
    with pytest.raises(UserError):
        checked_url(typed)


def test_paths_are_quoted() -> None:
    assert path("apps", "../x?y", "dynos", "web.1") == "/apps/..%2Fx%3Fy/dynos/web.1"


@contextmanager
def speaking(*answers: bytes, linger_s: float = 0.0) -> Iterator[tuple[str, list[bytes]]]:
    """A server that says these raw answers, one a connection; what it was asked is recorded."""
    asked: list[bytes] = []
    over = threading.Event()

    def serve() -> None:
        for answer in answers:
            with listening.accept()[0] as connection:
                asked.append(connection.recv(65536))
                connection.sendall(answer)
                over.wait(linger_s)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
        over.set()
        thread.join(5)


def http(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def failure(answer: bytes) -> UserError:
    with speaking(answer) as (url, _), pytest.raises(UserError) as caught:
        Client(Endpoint(url, token="t")).get("/apps")
    return caught.value


def test_an_error_of_the_api_keeps_its_id_message_and_hint() -> None:
    body = b'{"id": "conflict", "message": "A build runs.", "hint": "Wait."}'
    error = failure(http("409 Conflict", body))
    assert (error.id, error.message, error.hint, error.exit_code) == (
        "conflict", "A build runs.", "Wait.", 1,
    )  # fmt: skip
    assert failure(http("404 Not Found", b'{"id": "not_found"}')).exit_code == 3


def test_an_answer_that_is_not_of_an_api_is_an_error_with_a_message() -> None:
    assert "not a platform's API" in failure(http("200 OK", b"<html>")).message
    assert failure(http("502 Bad Gateway", b"<html>")).message == "The platform answered 502."
    assert failure(http("500 Oops", b"[1]")).message == "The platform answered 500."


def test_a_connection_that_breaks_is_said() -> None:
    assert failure(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[").id == "connection_lost"
    assert failure(b"").id == "connection_lost"


def test_a_platform_that_does_not_answer_in_time_is_said() -> None:
    with speaking(b"", linger_s=10) as (url, _), pytest.raises(UserError) as caught:
        Client(Endpoint(url)).get("/apps", timeout_s=0.2)
    assert caught.value.id == "timeout"


def test_proxies_of_the_environment_do_not_get_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with speaking(http("200 OK", b"[]")) as (url, asked):
        assert Client(Endpoint(url, token="t")).get("/apps") == []
    assert b"Authorization: Bearer t\r\n" in asked[0]
    assert b"Accept: application/vnd.heroku+json; version=3\r\n" in asked[0]


def test_the_token_is_not_shown_by_a_traceback() -> None:
    assert "secret" not in repr(Endpoint(HERE, token="secret"))


def test_a_stream_is_read_at_the_endpoint_whatever_host_it_names() -> None:
    with speaking(http("200 OK", "eins\r\nzwei\u2028x\n\ndrei".encode())) as (url, asked):
        lines = list(Client(Endpoint(url)).lines("http://evil.example/streams/1?token=a%26b"))
    assert lines == ["eins", "zwei\u2028x", "", "drei"]
    assert asked[0].startswith(b"GET /streams/1?token=a%26b HTTP/1.1\r\n")


def test_a_stream_that_is_refused_is_an_error() -> None:
    answer = http("403 Forbidden", b'{"id": "forbidden", "message": "This link has expired."}')
    with speaking(answer) as (url, _), pytest.raises(UserError, match="has expired") as caught:
        list(Client(Endpoint(url)).lines("/streams/1"))
    assert caught.value.exit_code == 4


def test_a_login_file_that_is_broken_is_named(tmp_path: Path) -> None:
    file = tmp_path / "smartplatform" / "login.json"
    file.parent.mkdir()
    file.write_text("{")
    with pytest.raises(UserError, match=r"login\.json can't be read") as caught:
        Login.load({"XDG_CONFIG_HOME": str(tmp_path)})
    assert "Remove it" in caught.value.hint


def test_logging_out_goes_back_to_another_platform(tmp_path: Path) -> None:
    known = login(tmp_path, a="1", b="2").without("https://b.example.com")
    assert known.current == "https://a.example.com"
    assert known.without("https://a.example.com").current is None
