"""Commands in machines of their own and in instances: terminals, pipes, ports, and every crash."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import tarfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer
from tests.acceptance.installation import BIN, Installation, until
from tests.acceptance.terminal import Terminal, terminal

PAAS = str(BIN / "paas")
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def hello(platform: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Developer]:
    """One app for all of these tests."""
    name = f"runs-{os.urandom(3).hex()}"
    folder = tmp_path_factory.mktemp(name)
    developer = Developer(platform, name, folder)
    developer.git("init", "--quiet", "--initial-branch=main")
    platform.paas("create", name, folder=folder)
    developer.copy(Path(__file__).parent / "samples" / "probe")
    developer.commit("First version")
    developer.push()
    yield developer
    platform.paas("destroy", name, "--confirm", name, check=False)
    platform.settled()


@pytest.fixture
def at_terminal(hello: Developer) -> Callable[..., contextlib.AbstractContextManager[Terminal]]:
    """`at_terminal("run", "bash")`: somebody at a terminal types that."""

    def typed(*words: str) -> contextlib.AbstractContextManager[Terminal]:
        command = [PAAS, words[0], "-a", hello.app, *words[1:]]
        return terminal(command, hello.installation.environment, hello.folder)

    return typed


def piped(app: Developer, *words: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [PAAS, words[0], "-a", app.app, *words[1:]],
        input=given,
        capture_output=True,
        env=app.installation.environment,
        cwd=app.folder,
        timeout=TIMEOUT_S,
    )


def detached(app: Developer, line: str) -> str:
    """The name of a run that was started so."""
    done = app.installation.paas("run", "-a", app.app, "--detach", "--json", line)
    return str(json.loads(done.out)["name"])


def listed(app: Developer) -> list[str]:
    return [str(each["name"]) for each in app.installation.json("ps", "-a", app.app)]


def runs_end(app: Developer) -> None:
    """No run is listed, and no machine of one is left."""
    uuids = "select machine_uuid from instances"

    def left() -> list[str]:
        wanted = {row[0] for row in app.installation.query(uuids)}
        machines = [m["alias"] for m in app.installation.machines() if m["uuid"] not in wanted]
        return machines + [name for name in listed(app) if name.startswith("run.")]

    until(lambda: not left(), 90, left)


def test_pipes_are_clean_and_streams_apart(hello: Developer) -> None:
    blob = os.urandom(3_000_000)
    assert piped(hello, "run", "cat", given=blob).stdout == blob
    done = piped(hello, "run", "echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")
    # Several words are what they are; further variables count; options end at the command.
    done = piped(hello, "run", "-e", "A=x y", "printenv", "A")
    assert (done.returncode, done.stdout) == (0, b"x y\n")
    assert piped(hello, "run", "echo", "$HOME", "-a").stdout == b"$HOME -a\n"
    assert piped(hello, "run", "node --nonsense").returncode == 9
    assert piped(hello, "run", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    assert piped(hello, "run", "there-is-no-such-command").returncode == 127
    # What is left running holds nothing up.
    assert piped(hello, "run", "sleep 1000 & echo done").stdout == b"done\n"
    runs_end(hello)


def test_a_terminal_is_one(
    hello: Developer,
    at_terminal: Callable[..., contextlib.AbstractContextManager[Terminal]],
) -> None:
    with at_terminal("run", "bash", "--norc") as user:
        user.until(r"\$ ")
        user.type("stty size; tty; echo $TERM $DYNO\r")
        shown = user.until(r"run\.\d{4}\s")
        assert "41 103" in shown and "/dev/pts/" in shown and "xterm" in shown
        assert any(name.startswith("run.") for name in listed(hello))
        user.resize(50, 120)
        user.type("until stty size | grep '50 120'; do sleep 0.05; done\r")
        user.until(r"[\r\n]50 120\s")
        user.type("node -e 'console.log(`a${1}b`); setInterval(() => {}, 1e3)'\r")
        user.until(r"a1b")
        user.type("\x03")
        user.until(r"\$ ")
        user.type("exit 5\r")
        assert user.ends()[0] == 5
    runs_end(hello)


def test_who_hangs_up_ends_the_run(
    hello: Developer,
    at_terminal: Callable[..., contextlib.AbstractContextManager[Terminal]],
) -> None:
    with at_terminal("run", "bash", "--norc") as user:
        user.until(r"\$ ")
    # The terminal was closed, and the command killed.
    runs_end(hello)
    log = hello.paas("logs", "-n", "50").out
    assert "State changed from up to complete" in log and "the connection was lost" in log


def test_a_detached_run_is_listed_logged_and_stopped(hello: Developer) -> None:
    name = detached(hello, "echo it runs; exec sleep 1000")
    assert name in listed(hello)
    log = until(lambda: "it runs" in hello.paas("logs", "-d", name).out, 30)
    assert log
    hello.paas("ps:stop", name)
    runs_end(hello)
    assert f"heroku[{name}]: Stopping all processes with SIGTERM" in hello.paas("logs").out
    missing = hello.paas("ps:stop", "run.1", check=False)
    assert missing.status == 3 and "`paas ps` lists them" in missing.err


def test_a_time_limit_ends_a_run(hello: Developer) -> None:
    done = piped(hello, "run", "--time-limit", "1s", "sleep 1000")
    assert done.returncode == 128 + signal.SIGTERM
    assert b"Ended: its time limit was reached." in done.stderr
    runs_end(hello)


def test_a_run_that_needs_too_much_memory_is_told_so(hello: Developer) -> None:
    program = "const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1))"
    done = piped(hello, "run", "-s", "standard-128m", "node", "-e", program)
    assert done.returncode == 128 + signal.SIGKILL
    assert b"it ran out of memory: standard-128m has 128 MiB" in done.stderr
    runs_end(hello)


def test_commands_in_an_instance_have_the_apps_rights(
    hello: Developer,
    at_terminal: Callable[..., contextlib.AbstractContextManager[Terminal]],
) -> None:
    script = "id -u; hostname; cat /proc/self/status"
    said = piped(hello, "exec", "web.1", script).stdout.decode()
    assert said.startswith(f"1000\n{hello.app}-web-1\n")
    assert "NoNewPrivs:\t1" in said and "Seccomp:\t2" in said
    assert "CapBnd:\t0000000000000000" in said
    with at_terminal("exec", "web.1") as user:
        user.until(r"\$ ")
        user.type("echo $DYNO; exit 3\r")
        user.until(r"[\r\n]web\.1\s")
        assert user.ends()[0] == 3
    missing = piped(hello, "exec", "web.9", "ls")
    assert missing.returncode == 3 and b"has no instance 'web.9'" in missing.stderr
    assert hello.get().text == "one"


def test_files_are_copied_out(hello: Developer, tmp_path: Path) -> None:
    target = tmp_path / "copy"
    hello.paas("ps:copy", "web.1:package.json", str(target))
    assert target.read_bytes() == (hello.folder / "package.json").read_bytes()
    for source, said in (("/nowhere", "No such file"), ("/app", "Is a directory")):
        refused = hello.paas("ps:copy", f"web.1:{source}", str(tmp_path / "no"), check=False)
        assert refused.status == 1 and said in refused.err
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]
    # As `paas ps:copy --help` says of folders.
    packed = piped(hello, "exec", "web.1", "tar", "-c", ".")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        assert "./package.json" in archive.getnames()


def test_a_port_is_forwarded_to_nodes_inspector(new_app: NewApp) -> None:
    app = new_app()
    app.write(Procfile="web: node --inspect=127.0.0.1:9229 server.js\n")
    app.commit("Inspected")
    app.push()
    # As the hint says where a port is taken here: any that is free.
    command = [PAAS, "forward", "-a", app.app, "web.1", "0:9229", "0:9999"]
    environment = app.installation.environment
    process = subprocess.Popen(
        command, env=environment, cwd=app.folder, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr is not None
        said = [process.stderr.readline() for _ in range(2)]
        found = [re.fullmatch(r"Listening on 127\.0\.0\.1:(\d+) for .*\n", line) for line in said]
        here, nothing = (int(match[1]) for match in found if match)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        for _ in range(3):
            with opener.open(f"http://127.0.0.1:{here}/json/version", timeout=TIMEOUT_S) as answer:
                assert json.load(answer)["Browser"].startswith("node.js/")
        with socket.create_connection(("127.0.0.1", nothing), TIMEOUT_S) as refused:
            assert refused.recv(10) == b""
        assert "nothing listens on port 9999 inside" in process.stderr.readline()
    finally:
        process.kill()
        process.wait(TIMEOUT_S)


def test_kill_9_of_control_ends_attached_runs_and_no_other(
    hello: Developer,
    at_terminal: Callable[..., contextlib.AbstractContextManager[Terminal]],
) -> None:
    platform = hello.installation
    name = detached(hello, "echo begins; sleep 6; echo ends; exit 4")
    with at_terminal("run", "bash", "--norc") as user:
        user.until(r"\$ ")
        platform.kill("paas.control")
        status, shown = user.ends()
        assert status == 255 and "The connection to what runs was lost" in shown
    assert name in listed(hello)
    until(lambda: "ends" in hello.paas("logs", "-d", name).out, 60)
    runs_end(hello)
    log = hello.paas("logs", "-n", "100").out
    assert "the platform was restarted" in log
    assert f"heroku[{name}]: Process exited with status 4" in log


@pytest.mark.parametrize("words", [("run", "-d", "sleep 3"), ("run", "sleep 3")])
def test_kill_9_of_control_while_a_run_is_made_leaks_no_machine(
    hello: Developer, words: tuple[str, ...]
) -> None:
    """As soon as the row is there: before its machine, or while that is made."""
    before = hello.installation.query("select count(*) from runs")
    process = subprocess.Popen(
        [PAAS, words[0], "-a", hello.app, *words[1:]],
        env=hello.installation.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: hello.installation.query("select count(*) from runs") != before, 30)
    hello.installation.kill("paas.control")
    process.wait(TIMEOUT_S)
    runs_end(hello)
    assert hello.get().text == "one"


def test_kill_9_of_the_node_ends_an_attached_run_and_no_other(hello: Developer) -> None:
    name = detached(hello, "sleep 6; echo went on")
    process = subprocess.Popen(
        [PAAS, "run", "-a", hello.app, "echo begun; sleep 1000"],
        env=hello.installation.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stdout.readline() == b"begun\n"
    hello.installation.kill("paas.node.server")
    _, complaint = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 255 and b"Ended: the platform failed" in complaint
    until(lambda: "went on" in hello.paas("logs", "-d", name).out, 60)
    runs_end(hello)
