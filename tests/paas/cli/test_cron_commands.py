"""What `paas cron` and its kin ask of the API, and print."""

import fake_api

Answer = fake_api.Answer
PLACE = "/smartplatform/apps/hello/crons"
JOB = {
    "name": "job",
    "schedule": "*/5 * * * *",
    "timezone": "UTC",
    "command": "node job.js",
    "size": "standard-512m",
    "time_limit_s": 3600,
    "overlap": False,
    "missed": "skip",
    "declared": False,
    "paused": False,
    "next_at": "2026-12-01T04:05:00.000000Z",
    "last_result": None,
}
RESULT = {
    "count": 1,
    "due_at": "2026-12-01T04:00:00.000000Z",
    "started_at": "2026-12-01T04:00:01.000000Z",
    "ended_at": "2026-12-01T04:02:03.000000Z",
    "exit_status": 3,
    "name": "cron.job.1234",
    "outcome": "failed",
    "reason": None,
}


def test_a_cron_is_added(api, cli) -> None:
    api.answers[f"POST {PLACE}"] = Answer(JOB, 201)
    made = cli("cron:add", "*/5 * * * *", "node job.js", "-a", "hello")
    assert api.asked[-1].body == {
        "schedule": "*/5 * * * *", "command": "node job.js", "name": None, "timezone": None,
        "size": None, "time_limit_s": None, "missed": None, "overlap": False,
    }  # fmt: skip
    assert made.err == "Adding a cron to ⬢ hello... done, job\n"
    assert "2026/12/01 04:05:00 +0000; its log: paas logs -a hello -d cron.job\n" in made.out
    words = ["-n", "b", "-z", "Europe/Berlin", "--time-limit", "2h", "--missed", "once"]
    cli("cron:add", "@daily", "x", *words, "--overlap", "-a", "hello")
    body = api.asked[-1].body
    assert (body["time_limit_s"], body["missed"], body["overlap"]) == (7200, "once", True)
    for wrong in (["@daily"], ["@daily", "x", "--time-limit", "2d"], ["@daily", "x", "y"]):
        assert cli("cron:add", *wrong, "-a", "hello").code == 2


def test_crons_are_listed_and_shown_with_their_results(api, cli) -> None:
    api.answers[f"GET {PLACE}"] = Answer([])
    assert "has no crons. Add one: paas cron:add" in cli("cron", "-a", "hello").err
    paused = {**JOB, "name": "b", "paused": True, "next_at": None, "last_result": RESULT}
    api.answers[f"GET {PLACE}"] = Answer([JOB, paused])
    lines = cli("cron", "-a", "hello").out.splitlines()
    assert lines[1].endswith("node job.js  2026/12/01 04:05:00 +0000  never")
    assert "paused" in lines[2] and lines[2].endswith("failed 2026/12/01 04:00:00 +0000")
    api.answers[f"GET {PLACE}/job"] = Answer(JOB)
    missed = {**RESULT, "outcome": "missed", "count": 12, "exit_status": None, "name": None}
    missed |= {"reason": "it was down", "started_at": None, "ended_at": None}
    api.answers[f"GET {PLACE}/job/results"] = Answer([RESULT, missed])
    shown = cli("cron:info", "job", "-a", "hello").out
    assert "cron.job.1234  failed (status 3)  2m" in shown
    assert "missed (12 times)" in shown and "it was down" in shown


def test_a_cron_is_run_paused_resumed_and_removed(api, cli) -> None:
    api.answers[f"POST {PLACE}/job/runs"] = Answer({"name": "cron.job.1234"}, 201)
    api.answers[f"PATCH {PLACE}/job"] = Answer(JOB)
    api.answers[f"DELETE {PLACE}/job"] = Answer(JOB)
    assert "paas logs -a hello -d cron.job.1234" in cli("cron:run", "job", "-a", "hello").out
    assert cli("cron:pause", "job", "-a", "hello").code == 0
    assert api.asked[-1].body == {"paused": True}
    assert cli("cron:resume", "job", "-a", "hello").code == 0
    assert api.asked[-1].body == {"paused": False}
    removed = cli("cron:remove", "job", "-a", "hello")
    assert removed.err == "Removing job from ⬢ hello... done\n"
