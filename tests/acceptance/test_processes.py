"""Processes that end, workers, and what `paas ps` says of them."""

import httpx
import pytest

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import PROBE, SAMPLES, Developer, remote_lines
from tests.acceptance.installation import until


def test_a_crashed_app_is_started_again_as_the_same_machine(app: Developer) -> None:
    before = app.installation.machine(app.app)
    with pytest.raises(httpx.HTTPError):
        app.post("/exit").raise_for_status()
    assert app.get().text == "one"
    # The app may answer before the node has recorded that it runs.
    until(lambda: "pid" in app.installation.machine(app.app), 30)
    after = app.installation.machine(app.app)
    assert after["uuid"] == before["uuid"]
    assert after["pid"] != before["pid"]
    assert after["init_restarts"] == before.get("init_restarts", 0) + 1
    assert after["exit_status"] == 7
    restarts = after["init_restarts"]
    times = "1 restart" if restarts == 1 else f"{restarts} restarts"
    assert f"({times}, last exit 7, " in app.paas("ps").out
    logs = app.paas("logs", "--num", "50", "--source", "heroku").out
    assert "heroku[web.1]: Process exited with status 7" in logs


def test_a_process_is_told_how_large_its_package_is(app: Developer) -> None:
    script = (
        "echo $MEMORY_AVAILABLE $WEB_MEMORY $WEB_CONCURRENCY; "
        "node -p 'v8.getHeapStatistics().heap_size_limit >> 20'"
    )
    told, heap = str(app.inside(script)["stdout"]).splitlines()
    assert told.split() == ["512", "512", "1"]
    assert 0.7 < int(heap) / 512 < 1.2


def test_an_app_that_crashes_again_and_again_is_shown_as_crashed(app: Developer) -> None:
    """What the push has tried is not what comes later."""
    app.write(
        server__js="""
const fs = require('node:fs');
const http = require('node:http');
const version = 'one';
if (fs.existsSync('broken')) { console.error('I am broken'); process.exit(9); }
http.createServer((request, response) => {
  if (request.url === '/break') { fs.writeFileSync('broken', ''); process.exit(9); }
  response.end('whole');
}).listen(process.env.PORT);
"""
    )
    app.commit("Can break")
    app.push()
    assert app.get().text == "whole"
    with pytest.raises(httpx.HTTPError):
        app.post("/break").raise_for_status()
    until(lambda: is_shown_as_crashed(app), 60, lambda: app.paas("ps").out)
    answer = app.get(timeout_s=40)
    assert answer.status_code == 503
    assert "I am broken" in app.paas("logs", "--num", "50").out
    app.copy(PROBE)
    app.release("two")
    assert app.get().text == "two"


def is_shown_as_crashed(app: Developer) -> bool:
    """With its last end; between two attempts it is shown as starting."""
    line = app.paas("ps").out
    return "crashed" in line and "(exit 9, " in line


def test_web_and_worker_run_beside_one_another(new_app: NewApp) -> None:
    developer = new_app(SAMPLES / "worker")
    developer.push()
    developer.paas("ps:scale", "worker=1")
    assert {item["name"] for item in developer.installation.json("ps", "-a", developer.app)} == {
        "web.1",
        "worker.1",
    }
    assert developer.get().text == "hello\n"
    until(lambda: "beat 2" in developer.paas("logs", "--num", "50").out, 60)
    assert "app[worker.1]" in developer.paas("logs", "--num", "50").out
    developer.paas("ps:scale", "worker=0")
    until(lambda: "worker stopped" in developer.paas("logs", "--num", "50").out, 60)


def test_a_worker_that_exits_fails_the_release(new_app: NewApp) -> None:
    developer = new_app(SAMPLES / "worker")
    developer.push()
    developer.paas("ps:scale", "worker=1")
    developer.write(worker__js="console.log('nothing to do'); process.exit(4);\n")
    developer.commit("Break the worker")
    refused = developer.push(check=False)
    assert refused.status == 1
    lines = "\n".join(remote_lines(refused))
    assert "worker.1" in lines and "nothing to do" in lines and "status 4" in lines, lines
    developer.installation.settled()
    names = {item["name"] for item in developer.installation.json("ps", "-a", developer.app)}
    assert names == {"web.1", "worker.1"}
    assert developer.get().text == "hello\n"


def test_a_release_command_runs_before_the_switch_and_can_refuse_it(app: Developer) -> None:
    app.write(Procfile="web: node server.js\nrelease: echo migrated in $DYNO\n")
    app.release("two")
    app.write(Procfile="web: node server.js\nrelease: echo no database; exit 3\n")
    app.version("three")
    app.commit("Break the release command")
    refused = app.push(check=False)
    assert refused.status == 1
    assert "no database" in refused.err and "status 3" in refused.err
    assert app.get().text == "two"
    releases = app.installation.json("releases", "--app", app.app)
    assert releases[0]["status"] == "failed"
