"""What an app.json asks for at an app's first push, and what is said of the rest."""

import json
import shlex
from typing import Any

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer, remote_lines

SERVER = """
const { createServer } = require('http');
const { SECRET_KEY, LEVEL, KEY } = process.env;
let asked = 0;
createServer((request, response) => {
  if (request.url === '/healthz') asked += 1;
  response.end(JSON.stringify({ SECRET_KEY, LEVEL, KEY, asked }));
}).listen(process.env.PORT);
"""


def declare(developer: Developer, **fields: Any) -> None:
    developer.write(app__json=json.dumps(fields, indent=2))


def said(developer: Developer, *, status: int = 0) -> str:
    developer.commit()
    pushed = developer.push(check=False)
    assert pushed.status == status, pushed.text
    return "\n".join(remote_lines(pushed))


def answers(developer: Developer) -> dict[str, Any]:
    found: dict[str, Any] = developer.get().json()
    return found


def test_an_app_has_what_its_app_json_declares_from_its_first_release_on(new_app: NewApp) -> None:
    developer = new_app()
    developer.write(server__js=SERVER, Procfile="web: node server.js\nworker: sleep 1000\n")
    fields: dict[str, Any] = {
        "env": {
            "SECRET_KEY": {"generator": "secret"},
            "LEVEL": "debug",
            "KEY": {"description": "of the mail service"},
        },
        "formation": {"web": {"quantity": 1, "size": "standard-256m"}, "worker": {"quantity": 1}},
        "scripts": {"postdeploy": "test -f seed.js && node seed.js"},
        "healthchecks": {"web": [{"path": "/healthz", "timeout": 3}]},
        "addons": ["heroku-postgresql"],
    }
    declare(developer, **fields)
    refused = said(developer, status=1)
    assert "KEY (of the mail service)" in refused
    hint = next(line for line in refused.splitlines() if " KEY=" in line)
    words = shlex.split(hint[hint.index("paas ") :])
    assert words == ["paas", "config:set", "KEY=…", "-a", developer.app]
    developer.installation.paas(*words[1:])

    first = said(developer)
    assert "LEVEL, SECRET_KEY (a secret that was made up)" in first
    assert "addons (heroku-postgresql)" in first
    assert "healthchecks.web[0].timeout does nothing here" in first
    assert "postdeploy of app.json exited with status 1" in first
    found = answers(developer)
    assert (found["LEVEL"], found["KEY"], len(found["SECRET_KEY"])) == ("debug", "…", 64)
    running = developer.paas("ps").out
    assert "=== web (standard-256m, Node.js " in running
    assert "worker.1" in running
    developer.installation.machine(developer.app, "worker.1")

    # What was set, scaled and said once stays so; what was due runs until it has ended well.
    developer.paas("config:set", "LEVEL=info")
    developer.paas("ps:scale", "worker=0")
    developer.write(seed__js="console.log('seeded', process.env.KEY)")
    second = said(developer)
    assert "seeded …" in second
    assert "addons" not in second
    assert answers(developer)["LEVEL"] == "info"
    assert answers(developer)["SECRET_KEY"] == found["SECRET_KEY"]
    assert "worker.1" not in developer.paas("ps").out
    assert "app[postdeploy." in developer.paas("logs", "-n", "100").out

    fields["env"]["LATER"] = {"value": "x"}
    declare(developer, **fields)
    third = said(developer)
    assert "Running postdeploy" not in third
    assert "config vars that are not set: LATER" in third
    assert "addons" in third


def test_a_release_is_live_once_its_health_check_is_well(new_app: NewApp) -> None:
    developer = new_app()
    fails = "if (request.url === '/healthz') response.statusCode = 503;\n  response.end("
    sick = SERVER.replace("response.end(", fails)
    declare(developer, healthchecks={"web": [{"path": "/healthz"}]})
    developer.write(server__js=SERVER, Procfile="web: node server.js\n")
    assert "Released v" in said(developer)
    developer.write(server__js=sick.replace("asked }", "asked, sick: true }"))
    refused = said(developer, status=1)
    assert "web.1 answers, but its health check with 503 (2xx and 3xx are healthy)" in refused
    assert "sick" not in answers(developer), "the release before goes on"
    # The hint, followed.
    assert "paas routing:set health-path=/" in refused
    developer.paas("routing:set", "health-path=/")
    developer.write(README__md="once more")
    assert "Released v" in said(developer)
    assert answers(developer)["sick"]


def test_an_app_json_that_is_wrong_is_refused_by_the_path_of_what_is_wrong(
    new_app: NewApp,
) -> None:
    developer = new_app()
    declare(developer, formation={"web": {"quantity": "two"}})
    text = said(developer, status=1)
    assert 'app.json: formation.web.quantity is "two", and has to be a whole number' in text
    declare(developer, formation={"web": {"quantity": 1}}, expo={})
    said(developer)
