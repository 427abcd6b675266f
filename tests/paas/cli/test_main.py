"""The command line itself: finding commands, help, exit codes, pipes, Ctrl-C."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import fake_api
import pytest

from paas.cli import EXIT_FAILED, EXIT_INTERRUPTED, index
from paas.cli.commands.completion import SCRIPTS
from paas.cli.commands.help import EXITS
from paas.errors import EXIT_CODES

Answer = fake_api.Answer


def test_without_words_it_shows_all_commands_and_exit_codes(cli) -> None:
    result = cli()
    assert result.code == 0
    for name in index.COMMANDS:
        assert f"\n  {name} " in result.out
    assert "\n  3    not found" in result.out


def test_the_help_names_each_exit_code_that_an_error_has() -> None:
    assert {EXIT_FAILED, EXIT_INTERRUPTED, *EXIT_CODES.values()} == set(EXITS) - {0}


@pytest.mark.parametrize("name", [*index.COMMANDS, *index.HIDDEN])
def test_every_command_has_help_with_its_usage(cli, name: str) -> None:
    result = cli(*name.split(":"), "--help")
    assert (result.code, result.err) == (0, "")
    assert f"USAGE\n  paas {name}" in result.out
    if name in index.COMMANDS and name != "completion":
        assert "EXAMPLES\n  $ " in result.out


def test_every_alias_leads_to_a_command() -> None:
    assert set(index.ALIASES.values()) <= set(index.COMMANDS)


def test_a_command_that_does_not_exist_is_compared_with_those_that_do(cli) -> None:
    result = cli("relaeses")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        " !    relaeses is not a paas command.\n"
        " !    Did you mean `paas releases`?\n"
        " !    Run `paas help` for the list of commands.\n"
    )


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("push", "A push deploys: git push paas main; without git: paas deploy"),
        ("destory", "Did you mean `paas destroy`?"),
        ("unistall", "Did you mean `paas uninstall`?"),
        ("done", ""),
        ("employ", "Did you mean `paas deploy`?"),
        ("delete", "`paas destroy` deletes an app, `paas domains:remove` a domain."),
        ("-a", "Options come behind the command: paas ps -a hello"),
    ],
)
def test_nothing_that_deletes_is_suggested_for_what_may_mean_something_else(
    cli, typed: str, hint: str
) -> None:
    lines = [line.removeprefix(" !    ") for line in cli(typed).err.splitlines()]
    assert lines[1:] == [*([hint] if hint else []), "Run `paas help` for the list of commands."]


def test_what_ends_something_is_known_by_name() -> None:
    assert set(index.COMMANDS) >= index.ENDS


def test_an_option_that_does_not_exist_is_compared_with_those_that_do(cli) -> None:
    result = cli("ps", "--jsno")
    assert result.code == 2
    assert result.err == (
        " !    `paas ps` has no option '--jsno'.\n"
        " !    Did you mean `--json`?\n"
        " !    See `paas ps --help`.\n"
    )


def test_missing_and_surplus_arguments_are_named(cli) -> None:
    missing = cli("config:get")
    assert missing.err.startswith(" !    `paas config:get` needs NAME: the config var.\n")
    surplus = cli("releases:info", "1", "2")
    assert surplus.err.startswith(" !    `paas releases:info` does not know what to do with '2'.\n")
    assert (missing.code, surplus.code) == (2, 2)


def test_a_platform_that_does_not_run_says_how_to_start_it(
    cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAAS_API", "http://127.0.0.1:1")
    result = cli("apps")
    assert result.code == 5
    assert result.err == (
        " !    The platform is not running: nothing answers at http://127.0.0.1:1.\n"
        " !    Start it on its server with `paas up -d` (or `script/server` in the checkout).\n"
        " !    If it was started a moment ago, or has just restarted, try again.\n"
    )


def test_version_is_data(cli) -> None:
    assert cli("--version").out.startswith("paas/")


def test_completion_offers_commands_options_and_apps(api, cli) -> None:
    api.answers["GET /apps"] = Answer([{"name": "hello"}, {"name": "other"}])
    assert cli("completion:words", "--", "paas", "ps:s").out == "ps:scale\nps:stop\n"
    assert cli("completion:words", "--", "paas", "ps", "--j").out == "--json\n"
    assert cli("completion:words", "--", "paas", "logs", "-a", "").out == "hello\nother\n"
    assert cli("completion:words", "--", "paas", "destroy", "h").out == "hello\n"


@pytest.mark.parametrize("shell", list(SCRIPTS))
def test_completion_scripts_are_correct_in_their_shell(cli, shell: str) -> None:
    import shutil

    script = cli("completion", shell).out
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([shell, "-n"], input=script, text=True, check=True, timeout=60)


def test_bash_completes_names_with_colons(cli, tmp_path: Path) -> None:
    script = cli("completion", "bash").out
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "paas"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m paas.cli "$@"\n')
    program.chmod(0o755)
    line = "paas ps:sc"
    test = (
        f"{script}\nCOMP_LINE='{line}'; COMP_POINT={len(line)}; COMP_WORDS=(paas ps : sc)\n"
        '_paas; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    answer = subprocess.run(
        ["bash", "-c", test], capture_output=True, text=True, env=environment, timeout=20
    )
    assert answer.stdout == "scale\n", answer.stderr


def run_process(*words: str, **options: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "paas.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def test_a_closed_pipe_is_quiet() -> None:
    process = run_process("help")
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert (process.wait(20), error) in ((0, ""), (1, ""))


def test_closed_standard_streams_are_no_failure() -> None:
    line = f"exec {sys.executable} -m paas.cli"
    for rest in ("help <&- >&- 2>&-", "git:credentials get <&-", "psx >&- 2>&-"):
        code = 2 if rest.startswith("psx") else 0
        answer = subprocess.run(["sh", "-c", f"{line} {rest}"], capture_output=True, timeout=60)
        assert (answer.returncode, answer.stderr) == (code, b"")


def test_ctrl_c_exits_130_and_is_quiet(tmp_path: Path) -> None:
    fake = fake_api.FakeApi()
    with fake_api.serving(fake, ("127.0.0.1", 0)) as port:
        asked, silent = threading.Event(), threading.Event()

        def never_answer(_: fake_api.Asked) -> Answer:
            asked.set()
            silent.wait(20)
            return Answer([])

        fake.answer = never_answer
        environment = {**os.environ, "PAAS_API": f"http://127.0.0.1:{port}", "HOME": str(tmp_path)}
        process = run_process("apps", env=environment)
        try:
            assert asked.wait(20)
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=60)
        finally:
            silent.set()
            process.kill()
    assert (process.returncode, out, error) == (130, "", "")


def test_colour_only_on_a_terminal_and_not_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from paas.cli.output import coloured

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured("x", "31", Terminal()) == "\x1b[31mx\x1b[0m"
    assert coloured("x", "31", io.StringIO()) == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("x", "31", Terminal()) == "x"


@pytest.mark.parametrize(
    "words",
    [
        ["destroy", ""],
        ["destroy", "-a", "", "--confirm", "hello"],
        ["ps", "--app="],
        ["create", ""],
        ["info", ""],
        ["domains:add", "", "-a", "hello"],
    ],
)
def test_what_is_empty_is_never_taken_as_left_out(api, cli, words: list[str]) -> None:
    """`paas destroy -a "$APP"` with no APP must not mean the only app."""
    api.answers["GET /apps"] = Answer([{"name": "hello"}])
    wrong = cli(*words)
    assert wrong.code == 2 and "perhaps a variable that is not set" in wrong.err
    assert api.requests() == []


@pytest.mark.parametrize(
    "words",
    [
        ["ps:scale", "web=1", "web=2"],
        ["config:set", "A=1", "A=2"],
        ["routing:set", "sticky=on", "sticky=off"],
    ],
)
def test_what_is_given_twice_is_refused(api, cli, words: list[str]) -> None:
    wrong = cli(*words, "-a", "hello")
    assert wrong.code == 2 and "is given twice" in wrong.err
    assert api.requests() == []


@pytest.mark.parametrize("url", ["a:b:c", "http://x:99999999", "http://[::1", "http://:80", "x:y"])
def test_an_address_that_is_none_is_called_so(cli, url: str) -> None:
    wrong = cli("login", url, stdin="code\n")
    assert wrong.code == 2 and "is not the address of a platform" in wrong.err
