"""What is released answers visitors; an app that they can't reach is refused and told why."""

import pytest

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer

HTTP = "require('node:http').createServer((request, response) => response.end('two'))"
STARTER = """
const { spawn } = require('node:child_process');
const child = spawn(process.execPath, ['server.js'], { stdio: 'inherit' });
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code) => process.exit(code ?? 1));
"""
PLAIN = "web: NODE_OPTIONS= node server.js\n"
"""Without the platform's module, as what is no Node.js program runs."""


def refused(app: Developer, server: str, procfile: str = PLAIN) -> str:
    app.write(server__js=server, Procfile=procfile)
    app.commit("Can't be reached")
    done = app.push(check=False)
    assert done.status == 1, done.text
    assert app.get().text == "one"
    return done.err


@pytest.mark.parametrize(
    ("server", "said"),
    [
        (f"{HTTP}.listen(process.env.PORT, '127.0.0.1');", "listens on 127.0.0.1:3000, where only"),
        (f"{HTTP}.listen(8080);", "did not listen on port 3000 within 12 s; it listens on [::]:80"),
        (
            "require('node:net').createServer((s) => s.end('220\\r\\n')).listen(process.env.PORT)",
            "answers a request with something that is not HTTP",
        ),
    ],
    ids=["loopback", "another port", "no HTTP"],
)
def test_what_can_not_be_reached_is_refused_with_what_was_found(
    app: Developer, server: str, said: str
) -> None:
    told = refused(app, server)
    assert said in told
    # Said already while it starts, and once more at the end.
    assert told.count("web.1") >= 2 and "Still starting" in told


def test_what_the_hints_say_helps(app: Developer) -> None:
    """First the wrong port, given as a flag; then as the hint has it."""
    server = f"const port = process.argv[2]; {HTTP}.listen(port);"
    told = refused(app, server, "web: NODE_OPTIONS= node server.js 4000\n")
    assert "it listens on [::]:4000" in told and "it is $PORT" in told
    app.write(Procfile="web: NODE_OPTIONS= node server.js $PORT\n")
    app.commit("As the hint says")
    app.push()
    assert app.get().text == "two"


def test_a_server_that_another_program_starts_on_loopback_is_reached(new_app: NewApp) -> None:
    app = new_app()
    app.write(
        start__js=STARTER,
        server__js=f"{HTTP}.listen(process.env.PORT, 'localhost');",
        Procfile="web: node start.js\n",
    )
    app.commit("Started by another")
    app.push()
    assert app.get().text == "two"
