"""`paas run`, `exec`, `ps:copy`, `forward`: their command lines, and what the API is asked."""

from typing import Any

import fake_api
import pytest

Answer = fake_api.Answer
CREATE = "POST /apps/hello/dynos"
DYNO = {"name": "run.1234", "attach_url": None}


def body(cli: Any, api: Any, *words: str) -> dict[str, Any]:
    api.answers[CREATE] = Answer(DYNO, status=201)
    done = cli("run", "-a", "hello", "-d", *words)
    assert done.code == 0, done.err
    found: dict[str, Any] = api.asked[-1].body
    return found


def test_a_detached_run_says_where_its_output_is(cli: Any, api: Any) -> None:
    api.answers[CREATE] = Answer(DYNO, status=201)
    done = cli("run", "-a", "hello", "--detach", "node job.js")
    assert done.out == "Its output: paas logs -a hello -d run.1234\n"
    assert done.err == "Running node job.js on hello... done, run.1234\n"


@pytest.mark.parametrize(
    ("words", "command"),
    [
        (["echo $HOME | wc"], "echo $HOME | wc"),
        (["node", "--version", "-a", "x"], "node --version -a x"),
        (["echo", "$HOME", "a b", ""], "echo '$HOME' 'a b' ''"),
        (["--", "--help"], "--help"),
        (["ls", "--", "-x"], "ls -- -x"),
        (["node", "--help"], "node --help"),
    ],
)
def test_options_end_at_the_command(cli: Any, api: Any, words: list[str], command: str) -> None:
    assert body(cli, api, *words)["command"] == command


def test_options_before_the_command_are_ours(cli: Any, api: Any) -> None:
    found = body(
        cli, api, "-s", "standard-1g", "-e", "A=1", "--env", "B=x=y", "--time-limit=10m", "-x",
        "--type", "worker", "node", "job.js",
    )  # fmt: skip
    assert found == {
        "command": "node job.js",
        "attach": False,
        "force_no_tty": True,
        "env": {"A": "1", "B": "x=y"},
        "size": "standard-1g",
        "type": "worker",
        "time_to_live": 600,
    }


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "needs COMMAND"),
        (["run", "-e", "A", "ls"], "--env is NAME=VALUE"),
        (["run", "--time-limit", "25h", "ls"], "at most 24h"),
        (["run", "--time-limit", "soon", "ls"], "at most 24h"),
        (["run", "--json", "ls"], "for runs with --detach"),
        (["run", "--nonsense", "ls"], "has no option"),
        (["exec"], "needs DYNO"),
        (["exec", "we b.1", "ls"], "names no instance"),
        (["ps:copy", "web.1"], "Name an instance and a file"),
        (["ps:copy", "web.1:/app/"], "Name an instance and a file"),
        (["forward", "web.1"], "needs PORT"),
        (["forward", "web.1", "x"], "is no port"),
        (["forward", "web.1", "1:70000"], "is no port"),
    ],
)
def test_what_can_not_be_is_said(cli: Any, api: Any, words: list[str], said: str) -> None:
    done = cli(words[0], "-a", "hello", *words[1:])
    assert done.code == 2 and said in done.err and not api.asked


def test_help_of_ours_and_help_of_theirs(cli: Any, api: Any) -> None:
    assert "paas run bash" in cli("run", "--help").out
    assert "paas exec web.1" in cli("exec", "-a", "hello", "--help").out


def test_a_port_that_is_taken_here_is_named(cli: Any, api: Any) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cli("forward", "-a", "hello", "web.1", str(port))
    assert done.code == 1 and f"Port {port} here" in done.err
    assert f"paas forward web.1 0:{port}" in done.err
