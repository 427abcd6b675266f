"""Commands are run themselves, and signals reach them."""

import signal
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buildpacks.nodejs.processes import start

SCRIPTS = {
    "start": "node server.js",
    "serve": "npm run start",
    "loop": "npm run loop",
    "prepared": "node app.js",
    "preprepared": "echo one; echo two",
    "chain": "node migrate.js && node server.js",
}


@pytest.mark.parametrize(
    ("command", "argv"),
    [
        ("node server.js", ("node", "server.js")),
        ("node  --max-old-space-size=80   bin/www", ("node", "--max-old-space-size=80", "bin/www")),
        ("npm start", ("node", "server.js")),
        ("npm run start", ("node", "server.js")),
        ("npm run serve", ("node", "server.js")),
        ("npm run start -- --verbose", ("node", "server.js", "--verbose")),
        ("npm run unknown", ("npm", "run", "unknown")),
        ("npm run loop", ("npm", "run", "loop")),
        ("npm run chain", ("sh", "-c", "node migrate.js && exec node server.js")),
        (
            "npm run prepared",
            ("sh", "-c", "{ echo one; echo two\n} && exec node app.js"),
        ),
        ("node server.js -p $PORT", ("sh", "-c", "exec node server.js -p $PORT")),
        ("NODE_ENV=test node a.js", ("sh", "-c", "exec env NODE_ENV=test node a.js")),
        ("A=$B node a.js", ("sh", "-c", "A=$B node a.js")),
        ("node a.js 2>&1", ("sh", "-c", "exec node a.js 2>&1")),
        ("node a.js | tee log", ("sh", "-c", "node a.js | tee log")),
        ("node a.js & node b.js", ("sh", "-c", "node a.js & node b.js")),
        ("cd src && node a.js", ("sh", "-c", "cd src && exec node a.js")),
        ("exec node a.js", ("sh", "-c", "exec node a.js")),
        ("node -e 'a && b'", ("sh", "-c", "exec node -e 'a && b'")),
        ("node 'it", ("sh", "-c", "node 'it")),
    ],
)
def test_a_command_becomes_an_argument_vector(command: str, argv: tuple[str, ...]) -> None:
    assert start.argv(command, SCRIPTS) == argv


@pytest.mark.parametrize("command", ["sleep 60", "true && sleep 60", "A=1 sleep 60", "sleep '60'"])
def test_sigterm_reaches_the_command_itself(command: str) -> None:
    with subprocess.Popen(start.argv(command, {}), stdin=subprocess.DEVNULL) as process:
        wait_until_named(process.pid, "sleep")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == -signal.SIGTERM


def wait_until_named(pid: int, name: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if Path(f"/proc/{pid}/comm").read_text().strip() == name:
            return
        time.sleep(0.01)
    raise AssertionError(f"process {pid} never became {name}")


@given(st.text(alphabet="ab &|;'\"\\$(){}\n=1", max_size=20))
def test_a_shell_keeps_every_character_of_the_command(text: str) -> None:
    argv = start.argv(f"a {text}", {})
    if argv[:2] == ("sh", "-c"):
        assert argv[2].replace("exec env ", "").replace("exec ", "") == f"a {text}".strip()
    else:
        assert list(argv) == f"a {text}".split()
