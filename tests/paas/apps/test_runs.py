"""What may be run, and how its command becomes words: bash is the judge of shells' rules."""

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.apps import runs
from paas.apps.releases import Release
from paas.errors import UserError
from paas.store.sql.row import now

RELEASE = Release(
    id="r",
    app_id="a",
    version=3,
    description="",
    user="",
    created_at=now(),
    updated_at=now(),
    processes={"web": "npm start", "worker": "node worker.js --all"},
    commands={
        "web": {"argv": ["node", "server.js"], "environment": {"A": "1"}, "folder": "api"},
        "worker": {"argv": ["node", "worker.js", "--all"], "environment": {}},
    },
)
ARGUMENT = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]))


def test_a_line_is_the_shells_and_has_what_web_has() -> None:
    found = runs.command_of(RELEASE, "echo $A && ls")
    assert found["argv"] == ["bash", "-c", "echo $A && ls"]
    assert (found["folder"], found["environment"]) == ("api", {"A": "1"})


def test_a_first_word_that_is_a_process_type_stands_for_its_command() -> None:
    assert runs.command_of(RELEASE, "worker")["argv"] == ["node", "worker.js", "--all"]
    found = runs.command_of(RELEASE, "worker --once ; echo $?")
    assert found["argv"][2] == "node worker.js --all --once ; echo $?"
    assert runs.command_of(RELEASE, "workers")["argv"][2] == "workers"


def test_a_type_lends_its_surroundings_and_must_be_there() -> None:
    assert "folder" not in runs.command_of(RELEASE, "ls", "worker")
    assert runs.command_of(RELEASE, "ls", "run")["folder"] == "api"
    with pytest.raises(UserError, match="no process type 'clock'") as failure:
        runs.command_of(RELEASE, "ls", "clock")
    assert "web, worker" in failure.value.hint


@pytest.mark.parametrize("command", [None, "", "  ", 5, "a\0b", "x" * 70_000])
def test_what_is_no_command_is_refused(command: object) -> None:
    with pytest.raises(UserError):
        runs.check_command(command)


@given(st.lists(ARGUMENT, min_size=1, max_size=4))
def test_words_of_a_client_reach_the_program_as_they_were(words: list[str]) -> None:
    """The client quotes (shlex), the platform hands one line to bash: the program sees the same."""
    line = shlex.join(["printf", r"%s\0", *words])
    done = subprocess.run(runs.shell(line), capture_output=True, env={"LC_ALL": "C.UTF-8"})
    assert done.stdout.split(b"\0")[:-1] == [word.encode() for word in words]


def test_what_a_command_leaves_behind_ends_with_it() -> None:
    """In a namespace of its own, so that nothing else is killed."""
    script = "sleep 1000 & echo left; exit 7"
    argv = ["unshare", "--pid", "--fork", "--user", "--map-root-user", "--kill-child"]
    done = subprocess.run(
        [*argv, "sh", "-c", f"{shlex.join(runs.alone(['bash', '-c', script]))}; echo $?"],
        capture_output=True,
        timeout=30,
    )
    assert done.stdout == b"left\n7\n", done.stderr


def test_the_environment_follows_the_rules_of_config_vars() -> None:
    assert runs.check_environment({"A": "1", "B": 2, "TERM": None}) == {"A": "1", "B": "2"}
    for bad in ({"PORT": "1"}, {"a b": "1"}, {"A": ["x"]}, {"A": True}, ["A=1"], "A=1"):
        with pytest.raises(UserError):
            runs.check_environment(bad)


def test_a_window_is_no_fixed_variable() -> None:
    environment = {"LINES": "40", "COLUMNS": "100", "TERM": "xterm"}
    assert runs.taken_size(environment) == (40, 100)
    assert environment == {"TERM": "xterm"}
    assert runs.taken_size({"LINES": "-1", "COLUMNS": "wide"}) == (0, 0)


def test_a_number_has_four_digits_and_is_free() -> None:
    taken = set(range(1000, 10_000)) - {4711}
    assert runs.new_number(taken) == 4711
    with pytest.raises(UserError, match="too many"):
        runs.new_number(taken | {4711})
