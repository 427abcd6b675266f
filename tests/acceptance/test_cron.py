"""Commands at set times, in real zones: from app.json, by hand, through a kill -9 of control."""

import json
from typing import Any

from tests.acceptance.conftest import NewApp
from tests.acceptance.developer import Developer, remote_lines
from tests.acceptance.installation import until

JOB = "console.log('from', process.env.DYNO); process.exitCode = +process.argv[2];"
PATIENCE_S = 90


def results(app: Developer, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(app.paas("cron:info", name, "--json").out)["results"]
    return found


def ended(app: Developer, name: str) -> dict[str, Any]:
    def last() -> dict[str, Any] | None:
        found = results(app, name)
        return found[0] if found and found[0]["ended_at"] else None

    return until(last, PATIENCE_S, lambda: results(app, name))


def test_crons_come_with_a_release_run_are_told_of_and_go_with_it(new_app: NewApp) -> None:
    app = new_app()
    app.push()
    crons = [{"command": "node job.js 3", "schedule": "0 4 1 1 *", "name": "yearly"}]
    app.write(job__js=JOB, app__json=json.dumps({"cron": crons}))
    app.commit()
    app.push()
    [declared] = json.loads(app.paas("cron", "--json").out)
    assert declared["declared"] and declared["next_at"].endswith("01-01T04:00:00.000000Z")
    assert "declared in app.json" in app.paas("cron:remove", "yearly", check=False).text

    app.paas("cron:run", "yearly")
    result = ended(app, "yearly")
    assert (result["outcome"], result["exit_status"]) == ("failed", 3)
    log = app.paas("logs", "-d", "cron.yearly").out
    assert f"app[{result['name']}]: from {result['name']}" in log
    assert f"heroku[{result['name']}]: Process exited with status 3" in log

    app.paas("cron:add", "0 4 1 1 *", "sleep 1000", "--name", "long")
    app.paas("cron:run", "long")
    refused = app.paas("cron:run", "long", check=False)
    assert refused.status != 0 and "still goes on" in refused.text
    stop = next(line for line in refused.text.splitlines() if "paas ps:stop" in line)
    app.installation.kill("paas.control")
    [run] = results(app, "long")
    assert run["outcome"] == "running" and run["name"] in app.paas("ps").out
    app.installation.paas(*stop[stop.index("paas ") :].split()[1:])
    assert ended(app, "long")["reason"] == "it was stopped"

    app.paas("rollback")
    assert [each["name"] for each in json.loads(app.paas("cron", "--json").out)] == ["long"]
    crons[0]["schedule"] = "0 0 30 2 *"
    app.write(app__json=json.dumps({"cron": crons}))
    app.commit()
    told = "\n".join(remote_lines(app.push(check=False)))
    assert "cron[0]" in told and "no schedule: its day-of-month can't be" in told
