"""What each command asks of the API, prints and returns: exact stdout, stderr and exit status."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import fake_api
import pytest

from paas.apps import routing
from paas.cli.commands import domains, node

Answer = fake_api.Answer
HOUR_AGO = (datetime.now(UTC) - timedelta(hours=1, seconds=30)).replace(microsecond=0)
STAMP = HOUR_AGO.strftime("%Y-%m-%dT%H:%M:%SZ")
SHOWN = HOUR_AGO.strftime("%Y/%m/%d %H:%M:%S +0000 (~ 1h ago)")
GIT = "http://localhost:8081/hello.git"
HELLO: dict[str, Any] = {
    "id": "a1",
    "name": "hello",
    "web_url": "http://hello.localhost:8080/",
    "git_url": GIT,
    "maintenance": False,
    "created_at": STAMP,
    "owner": {"email": "root@localhost"},
    "stack": {"name": "smartplatform-1"},
    "slug_size": 5 * 1024 * 1024,
    "repo_size": None,
}


def dyno(name: str, state: str = "up", command: str = "npm start") -> dict[str, Any]:
    return {
        "id": name,
        "name": name,
        "type": name.split(".")[0],
        "state": state,
        "size": "basic",
        "command": command,
        "updated_at": STAMP,
    }


def entry(kind: str, quantity: int) -> dict[str, Any]:
    return {"type": kind, "quantity": quantity, "size": "basic"}


def release(version: int, current: bool = False, status: str = "succeeded") -> dict[str, Any]:
    return {
        "id": f"r{version}",
        "version": version,
        "description": f"Deploy {version}",
        "user": {"email": "root@localhost"},
        "created_at": STAMP,
        "status": status,
        "current": current,
        "slug": {"id": "s"},
    }


def test_create_prints_the_url_and_the_remote(api, cli) -> None:
    api.answers["POST /apps"] = Answer(HELLO, 201)
    result = cli("create", "hello")
    assert result.err == "Creating ⬢ hello... done\n"
    assert result.out == f"http://hello.localhost:8080/ | {GIT}\n"
    assert result.code == 0
    assert api.asked[0].body == {"name": "hello"}


def test_create_without_a_name_says_the_one_that_was_chosen(api, cli) -> None:
    api.answers["POST /apps"] = Answer(HELLO, 201)
    result = cli("apps:create", "--json")
    assert result.err == "Creating app... done, ⬢ hello\n"
    assert json.loads(result.out) == HELLO


def test_a_refused_create_says_why(api, cli) -> None:
    body = {"id": "invalid_params", "message": "Name hello is already taken", "hint": "Choose one."}
    api.answers["POST /apps"] = Answer(body, 422)
    result = cli("create", "hello")
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "Creating ⬢ hello... !\n !    Name hello is already taken\n !    Choose one.\n"
    )


def test_apps_lists_names(api, cli) -> None:
    api.answers["GET /apps"] = Answer([{**HELLO, "name": "zebra", "maintenance": True}, HELLO])
    assert cli("apps").out == "=== Apps\n\nhello\nzebra (maintenance)\n"


def test_apps_without_any_says_what_to_do(api, cli) -> None:
    api.answers["GET /apps"] = Answer([])
    result = cli("apps")
    assert (result.out, result.err) == ("", "You have no apps. Create one: paas create\n")


def test_lists_that_come_in_pages_are_whole(api, cli) -> None:
    api.answers["GET /apps"] = [
        Answer([{**HELLO, "name": "a"}], 206, {"Next-Range": "name ]a..; max=1"}),
        Answer([{**HELLO, "name": "b"}], 200),
    ]
    assert cli("apps").out == "=== Apps\n\na\nb\n"
    assert api.asked[1].headers["Range"] == "name ]a..; max=1"


def test_info_shows_the_app(api, cli) -> None:
    runtime = {"buildpack_provided_description": "Bun 1.4.5"}
    api.answers["GET /apps/hello"] = Answer({**HELLO, **runtime})
    api.answers["GET /apps/hello/dynos"] = Answer([dyno("web.1"), dyno("web.2")])
    assert cli("info", "-a", "hello").out == (
        "=== ⬢ hello\n\n"
        f"Created:     {SHOWN}\n"
        "Dynos:       web: 2\n"
        f"Git URL:     {GIT}\n"
        "Maintenance: off\n"
        "Owner:       root@localhost\n"
        "Image Size:  5.0 MiB\n"
        "Runtime:     Bun 1.4.5\n"
        "Stack:       smartplatform-1\n"
        "Web URL:     http://hello.localhost:8080/\n"
    )


def test_ps_says_what_each_process_type_runs_on(api, cli) -> None:
    api.answers["GET /apps/hello/dynos"] = Answer(
        [{**dyno("web.1"), "runtime": "Bun 1.4.5"}, {**dyno("worker.1"), "runtime": None}]
    )
    shown = cli("ps", "-a", "hello").out
    assert "=== web (basic, Bun 1.4.5): npm start (1)" in shown
    assert "=== worker (basic): npm start (1)" in shown


def test_an_app_that_does_not_exist_exits_3(api, cli) -> None:
    result = cli("info", "-a", "nope")
    assert (result.code, result.err) == (3, " !    Couldn't find that app.\n")


def test_an_app_without_a_web_process_is_not_opened(api, cli) -> None:
    api.answers["GET /apps/hello"] = Answer({**HELLO, "web_url": None})
    done = cli("open", "-a", "hello")
    assert done.code == 1
    assert "hello has no web process" in done.err
    assert "paas ps -a hello" in done.err


def test_open_prints_the_url_where_there_is_no_terminal(api, cli) -> None:
    api.answers["GET /apps/hello"] = Answer(HELLO)
    assert cli("open", "about", "-a", "hello").out == "http://hello.localhost:8080/about\n"


def test_destroy_asks_for_the_name(api, cli) -> None:
    api.answers["GET /apps/hello"] = api.answers["DELETE /apps/hello"] = Answer(HELLO)
    refused = cli("destroy", "-a", "hello", "--confirm", "other")
    assert refused.code == 2
    assert refused.err.endswith(" !    If you want that, add --confirm hello.\n")
    assert "DELETE /apps/hello" not in api.requests()
    done = cli("destroy", "--confirm", "hello")
    assert (done.code, done.out, done.err) == (0, "", "Destroying ⬢ hello... done\n")


AGO = (datetime.now(UTC) - timedelta(hours=2, minutes=5)).strftime("%Y-%m-%dT%H:%M:%S.123Z")


@pytest.mark.parametrize(
    ("state", "more", "told"),
    [
        ("up", {"restarts": 0, "exit_status": None}, ""),
        (
            "crashed",
            {"restarts": 3, "exit_status": 137, "exit_reason": "out of memory", "oom_kills": 4},
            " (exit 137: out of memory, 3rd restart)",
        ),
        ("crashed", {"exit_status": 1}, " (exit 1)"),
        (
            "up",
            {"restarts": 11, "exit_status": 139, "exit_reason": "SIGSEGV", "exited_at": AGO},
            " (11 restarts, last exit 139: SIGSEGV, 2h ago)",
        ),
        (
            "up",
            {"oom_kills": 1, "oom_killed_at": AGO, "lwps_hits": 5, "lwps_hit_at": AGO},
            " (1 process killed for memory, 2h ago, process limit reached 5 times, 2h ago)",
        ),
    ],
)
def test_ps_says_how_an_instance_fared(api, cli, state, more, told) -> None:
    api.answers["GET /apps/hello/dynos"] = Answer([{**dyno("web.1", state), **more}])
    assert cli("ps", "-a", "hello").out.splitlines()[2] == f"web.1: {state} {SHOWN}{told}"


def test_ps_groups_instances_by_type(api, cli) -> None:
    dynos = [dyno("worker.1", "crashed", "node worker.js"), dyno("web.10"), dyno("web.2")]
    api.answers["GET /apps/hello/dynos"] = Answer(dynos)
    assert cli("ps", "-a", "hello").out == (
        "=== web (basic): npm start (2)\n\n"
        f"web.2: up {SHOWN}\n"
        f"web.10: up {SHOWN}\n\n"
        "=== worker (basic): node worker.js (1)\n\n"
        f"worker.1: crashed {SHOWN}\n\n"
    )
    assert json.loads(cli("ps", "worker", "--json", "-a", "hello").out) == [dynos[0]]


@pytest.mark.parametrize(
    ("typed", "hint"),
    [
        ("worker", "Start one: paas ps:scale worker=1 -a hello"),
        ("shop", "shop is an app: paas ps -a shop"),
        ("clock", "Its process types: web, worker"),
    ],
)
def test_ps_of_what_does_not_run_says_what_was_meant(api, cli, typed: str, hint: str) -> None:
    api.answers["GET /apps/hello/dynos"] = Answer([dyno("web.1")])
    api.answers["GET /apps/hello/formation"] = Answer([entry("web", 1), entry("worker", 0)])
    api.answers["GET /apps"] = Answer([HELLO, HELLO | {"name": "shop"}])
    missing = cli("ps", typed, "-a", "hello")
    assert missing.code == 3
    assert missing.err == f" !    No {typed} instances on ⬢ hello.\n !    {hint}\n"


@pytest.mark.parametrize("words", [["logs"], ["config"], ["maintenance:on"], ["config:get", "A"]])
def test_an_app_as_an_argument_is_told_from_other_words(api, cli, words: list[str]) -> None:
    """What the hint says is then what is done."""
    wrong = cli(*words, "hello")
    assert wrong.code == 2
    line = next(line for line in wrong.err.splitlines() if "If that is the app: paas " in line)
    api.answers["GET /apps/hello/config-vars"] = Answer({"A": "1"})
    api.answers["PATCH /apps/hello"] = Answer(HELLO)
    api.answers["POST /apps/hello/log-sessions"] = Answer({"logplex_url": "http://x/s"}, 201)
    api.answers["GET /s"] = Answer(text="")
    assert cli(*line.partition("paas ")[2].split()).code == 0
    assert "If that is the app" not in cli(*words, "No App").err


def test_what_an_app_says_can_not_steer_the_terminal(api, cli) -> None:
    api.answers["GET /apps/hello/dynos"] = Answer([dyno("web.1", "up", "\x1b[2Jnode\r\x9b")])
    out = cli("ps", "-a", "hello").out
    assert "\x1b" not in out and "\r" not in out and "\x9b" not in out


@pytest.mark.parametrize("form", [["ps:scale"], ["ps", "scale"], ["scale"]])
def test_scale_shows_a_formation_that_it_takes_back(api, cli, form) -> None:
    api.answers["GET /apps/hello/formation"] = Answer([entry("worker", 1), entry("web", 3)])
    api.answers["PATCH /apps/hello/formation"] = Answer([entry("web", 3), entry("worker", 1)])
    shown = cli(*form, "-a", "hello")
    assert shown.out == "web=3:basic worker=1:basic\n"
    again = cli(*form, "-a", "hello", *shown.out.split())
    assert (again.code, again.out) == (0, "")
    assert again.err == "Scaling dynos... done, now running web at 3:basic, worker at 1:basic\n"
    assert api.asked[-1].body == {
        "updates": [
            {"type": "web", "quantity": 3, "size": "basic"},
            {"type": "worker", "quantity": 1, "size": "basic"},
        ]
    }


def test_scale_understands_relative_changes(api, cli) -> None:
    api.answers["PATCH /apps/hello/formation"] = Answer([entry("web", 2)])
    cli("ps:scale", "web+1", "-a", "hello", "my-worker-2")
    assert api.asked[-1].body == {
        "updates": [{"type": "web", "quantity": "+1"}, {"type": "my-worker", "quantity": "-2"}]
    }


def test_scale_refuses_what_is_no_change_before_asking(api, cli) -> None:
    result = cli("ps:scale", "web=many", "-a", "hello")
    assert result.code == 2
    assert result.err.startswith(" !    'web=many' is no change: write web=2, web+1")
    assert api.asked == []


def test_restart_and_stop_name_their_target(api, cli) -> None:
    for request in ("DELETE /apps/hello/dynos", "DELETE /apps/hello/dynos/web.1",
                    "DELETE /apps/hello/formations/web"):  # fmt: skip
        api.answers[request] = Answer({}, 202)
    api.answers["POST /apps/hello/dynos/web.1/actions/stop"] = Answer({}, 202)
    app = ("-a", "hello")
    assert cli("ps:restart", *app).err == "Restarting all dynos on ⬢ hello... done\n"
    assert cli("restart", "web.1", *app).err == "Restarting dyno web.1 on ⬢ hello... done\n"
    assert cli("ps:restart", "-pweb", *app).err == "Restarting all web dynos on ⬢ hello... done\n"
    assert cli("ps:stop", "web.1", *app).err == "Stopping dyno web.1 on ⬢ hello... done\n"
    assert cli("ps:stop", *app).code == 2


def test_config_shows_values_and_get_prints_one(api, cli) -> None:
    api.answers["GET /apps/hello/config-vars"] = Answer({"LONG_NAME": "it's", "A": "1\n2"})
    app = ("-a", "hello")
    assert cli("config", *app).out == (
        "=== ⬢ hello Config Vars\n\nA:         1\n2\nLONG_NAME: it's\n"
    )
    assert cli("config", "--shell", *app).out == "A='1\n2'\nLONG_NAME='it'\"'\"'s'\n"
    assert cli("config:get", "A", *app).out == "1\n2\n"
    missing = cli("config", "get", "B", *app)
    assert (missing.code, missing.out) == (3, "")
    assert missing.err == (
        " !    ⬢ hello has no config var B.\n !    Set it: paas config:set B=VALUE -a hello\n"
    )


def test_config_set_names_the_release_and_prints_the_values(api, cli) -> None:
    api.answers["GET /apps/hello/config-vars"] = Answer({"A": "1", "OLD": "z"})
    api.answers["PATCH /apps/hello/config-vars"] = Answer({"A": "1", "B": "x=y", "OLD": "z"})
    api.answers["GET /apps/hello/releases"] = Answer([release(10, True)])
    result = cli("config:set", "A=1", "B=x=y", "-a", "hello")
    assert result.err == "Setting A, B and restarting ⬢ hello... done, v10\n"
    assert result.out == "A: 1\nB: x=y\n"
    assert api.asked[-1].headers["Range"] == "version ..; max=1, order=desc"


def test_config_set_reads_a_secret_from_stdin(api, cli) -> None:
    api.answers["GET /apps/hello/config-vars"] = Answer({})
    api.answers["PATCH /apps/hello/config-vars"] = Answer({"SECRET": "s3cret"})
    api.answers["GET /apps/hello/releases"] = Answer([release(10, True)])
    assert cli("config:set", "SECRET=-", "-a", "hello", stdin="s3cret\n").code == 0
    assert api.asked[1].body == {"SECRET": "s3cret"}


def test_a_config_that_is_so_already_is_left_alone(api, cli) -> None:
    api.answers["GET /apps/hello/config-vars"] = Answer({"A": "1"})
    same = cli("config:set", "A=1", "-a", "hello")
    assert (same.code, same.out) == (0, "") and "so it is on ⬢ hello already" in same.err
    missing = cli("config:unset", "NOPE", "-a", "hello")
    assert missing.code == 0
    assert missing.err == "⬢ hello has no config var NOPE.\nNothing was changed or restarted.\n"
    assert all(one.startswith("GET ") for one in api.requests())


def test_config_unset_sends_nulls(api, cli) -> None:
    api.answers["GET /apps/hello/config-vars"] = Answer({"A": "1"})
    api.answers["PATCH /apps/hello/config-vars"] = Answer({})
    api.answers["GET /apps/hello/releases"] = Answer([release(11, True)])
    result = cli("config:unset", "A", "-a", "hello")
    assert result.err == "Unsetting A and restarting ⬢ hello... done, v11\n"
    assert api.asked[1].body == {"A": None}


def test_logs_prints_the_stream(api, cli) -> None:
    session = {"logplex_url": "http://elsewhere.example/streams/1?token=t"}
    api.answers["POST /apps/hello/log-sessions"] = Answer(session, 201)
    lines = "2026-11-22T15:36:00.000000+00:00 app[web.1]: \x1b[32mhi\x1b[0m\x1b[2J\n"
    api.answers["GET /streams/1?token=t"] = Answer(text=lines)
    api.answers["GET /apps/hello/formation"] = Answer([entry("web", 1)])
    result = cli("logs", "-n", "5", "-p", "web", "-s", "app", "-a", "hello")
    assert (result.out, result.err) == (lines.replace("\x1b[2J", "\ufffd[2J"), "")
    assert api.asked[1].body == {"lines": 5, "tail": False, "dyno": "web", "source": "app"}
    shown = json.loads(cli("logs", "-a", "hello", "--json").out)
    assert (shown["source"], shown["process"]) == ("app", "web.1")
    for option in (["-p", "nope"], ["-d", "nope.1"]):
        said = cli("logs", *option, "-a", "hello").err
        assert said == "⬢ hello has no process type nope. There are: web.\n"
    assert cli("logs", "-p", "router", "-a", "hello").err == ""


def test_logs_understands_server_sent_events(api, cli) -> None:
    api.answers["POST /apps/hello/log-sessions"] = Answer({"logplex_url": "http://x/s"}, 201)
    events = ": here\n\nid: 1\ndata: 2026-11-22T15:36:00Z app[web.1]: one\n\n"
    api.answers["GET /s"] = Answer(text=events, headers={"Content-Type": "text/event-stream"})
    assert cli("logs", "-t", "-a", "hello").out == "2026-11-22T15:36:00Z app[web.1]: one\n"


def test_logs_refuses_a_source_that_does_not_exist(api, cli) -> None:
    assert cli("logs", "-s", "nginx", "-a", "hello").code == 2
    assert cli("logs", "-n", "-5", "-a", "hello").code == 2


def test_releases_are_listed_newest_first(api, cli) -> None:
    api.answers["GET /apps/hello/releases"] = Answer([release(9), release(10, True, "failed")])
    assert cli("releases", "-a", "hello").out == (
        "=== ⬢ hello Releases - Current: v10\n\n"
        f"v10  Deploy 10 (failed)  root@localhost  {SHOWN}\n"
        f"v9   Deploy 9            root@localhost  {SHOWN}\n"
    )
    api.answers["GET /apps/hello/releases"] = Answer([])
    assert cli("releases", "-a", "hello").out == "⬢ hello has no releases.\n"


def test_release_info_shows_its_config(api, cli) -> None:
    api.answers["GET /apps/hello/releases/9"] = Answer(release(9))
    api.answers["GET /apps/hello/releases/9/config-vars"] = Answer({"A": "1"})
    assert cli("releases:info", "v9", "-a", "hello").out == (
        "=== Release v9\n\n"
        f"By:     root@localhost\nChange: Deploy 9\nWhen:   {SHOWN}\n\n"
        "=== v9 Config vars\n\nA: 1\n"
    )


def test_rollback_prints_how_to_undo_it(api, cli) -> None:
    """v42 failed, so what counted before was v41."""
    found = [release(42, status="failed"), release(41, True), release(40)]
    api.answers["GET /apps/hello/releases"] = Answer(found)
    api.answers["GET /apps/hello/releases/40"] = Answer(release(40))
    api.answers["POST /apps/hello/releases"] = Answer(release(43, True), 201)
    result = cli("rollback", "v40", "-a", "hello")
    assert result.err == (
        "Rolling back ⬢ hello to v40... done, v43\n"
        "Rollback affects code and config vars; databases stay as they are.\n"
        "To undo, run: paas rollback v41 -a hello\n"
    )
    assert api.asked[-1].body == {"release": "r40"}


def test_rollback_without_a_number_takes_the_last_good_release(api, cli) -> None:
    found = [release(4, True), release(3, status="failed"), release(2), release(1)]
    api.answers["GET /apps/hello/releases"] = Answer(found)
    api.answers["POST /apps/hello/releases"] = Answer(release(5, True), 201)
    assert cli("releases:rollback", "-a", "hello").code == 0
    assert api.asked[-1].body == {"release": "r2"}
    api.answers["GET /apps/hello/releases"] = Answer([release(1, True)])
    assert cli("rollback", "-a", "hello").code == 3


def build(id: str, status: str) -> dict[str, Any]:
    return {
        "id": id,
        "status": status,
        "created_at": STAMP,
        "user": {"email": "root@localhost"},
        "source_blob": {"version": "1f2e3d4c5b6a79"},
        "output_stream_url": f"http://x/builds/{id}/output",
        "release": None,
    }


def test_builds_are_listed(api, cli) -> None:
    api.answers["GET /apps/hello/builds"] = Answer([build("abcdef012345", "succeeded")])
    assert cli("builds", "-a", "hello").out == (
        f"=== ⬢ hello Builds\n\nabcdef01  succeeded  1f2e3d4c5b  root@localhost  {SHOWN}\n"
    )
    assert cli("builds:info", "abc", "-a", "hello").out.startswith("=== Build abcdef012345\n\n")


def test_a_build_prints_its_log_and_its_failure(api, cli) -> None:
    api.answers["POST /apps/hello/builds"] = Answer(build("b1", "pending"), 201)
    api.answers["GET /builds/b1/output"] = Answer(text="-----> Building\n       ok\n")
    api.answers["GET /apps/hello/builds/b1"] = [
        Answer(build("b1", "succeeded")),
        Answer(build("b1", "failed")),
    ]
    good = cli("builds:create", "-a", "hello")
    assert (good.code, good.out) == (0, "-----> Building\n       ok\n")
    assert good.err == "Building ⬢ hello... done, build b1 started\n"
    bad = cli("builds:create", "-a", "hello", "--json", "--no-cache")
    bodies = [asked.body for asked in api.asked if asked.method == "POST"]
    assert bodies == [{"source_blob": {}}, {"source_blob": {}, "no_cache": True}]
    assert bad.code == 1
    assert json.loads(bad.out)["status"] == "failed"
    assert " !    The build failed; what ran before runs on.\n" in bad.err


def test_domains_print_the_record_that_is_needed(api, cli) -> None:
    domain = {"hostname": "www.example.com", "cname": "hello.paas.example.net", "kind": "custom"}
    own = {"hostname": "hello.localhost", "cname": None, "kind": "heroku"}
    api.answers["POST /apps/hello/domains"] = Answer(domain, 201)
    api.answers["GET /apps/hello/domains"] = Answer([domain, own])
    api.answers["DELETE /apps/hello/domains/www.example.com"] = Answer(domain)
    added = cli("domains:add", "www.example.com", "-a", "hello")
    assert added.err == "Adding www.example.com to ⬢ hello... done\n"
    assert added.out == (
        "Make this DNS record where the domain is managed:\n"
        "  www.example.com.  CNAME  hello.paas.example.net.\n"
    )
    assert cli("domains", "-a", "hello").out == (
        "=== ⬢ hello Platform Domain\n\nhello.localhost\n\n"
        "=== ⬢ hello Custom Domains\n\n"
        "Domain Name      DNS Target\nwww.example.com  hello.paas.example.net\n"
    )
    removed = cli("domains:remove", "www.example.com", "-a", "hello")
    assert removed.err == "Removing www.example.com from ⬢ hello... done\n"


def test_domains_show_the_state_of_certificates_and_each_reason_once(api, cli) -> None:
    own = "signed by this installation's own authority: trust /root.pem of the server"
    www = {"hostname": "www.example.com", "cname": "hello.dev", "kind": "custom"}
    www |= {"acm_status": "failed", "acm_status_reason": "no proof; next try tomorrow"}
    wild = {"hostname": "*.example.com", "cname": "hello.dev", "kind": "custom"}
    wild |= {"acm_status": "cert issued", "acm_status_reason": own}
    hello = {"hostname": "hello.localhost", "cname": None, "kind": "heroku"}
    hello |= {"acm_status": "cert issued", "acm_status_reason": own}
    api.answers["GET /apps/hello/domains"] = Answer([www, wild, hello])
    assert cli("domains", "-a", "hello").out == (
        "=== ⬢ hello Platform Domain\n\nhello.localhost\n\n"
        "=== ⬢ hello Custom Domains\n\n"
        "Domain Name      DNS Target  Certificate\n"
        "*.example.com    hello.dev   cert issued\n"
        "www.example.com  hello.dev   failed\n\n"
        "Certificate of www.example.com: no proof; next try tomorrow\n\n"
        f"Certificate of *.example.com, hello.localhost: {own}\n"
    )
    pending = {"hostname": "new.example.com", "cname": "hello.dev", "certificate_from": "acme"}
    api.answers["POST /apps/hello/domains"] = Answer(pending, 201)
    added = cli("domains:add", "new.example.com", "-a", "hello")
    assert "`paas domains` shows its state" in added.out


def test_domains_say_what_http_gets_where_tls_is_spoken(api, cli) -> None:
    www = {"hostname": "www.example.com", "cname": "hello.dev", "kind": "custom"}
    own = {"hostname": "hello.localhost", "cname": None, "kind": "heroku"}
    found = [domain | {"https": "redirect"} for domain in (www, own)]
    api.answers["GET /apps/hello/domains"] = Answer(found)
    assert cli("domains", "-a", "hello").out == (
        "=== ⬢ hello Platform Domain\n\nhello.localhost  (http: redirected to https)\n\n"
        "=== ⬢ hello Custom Domains\n\n"
        "Domain Name      DNS Target  HTTP\n"
        "www.example.com  hello.dev   redirected to https\n"
    )


ROUTING = {"app": {"name": "hello"}, **routing.effective({}), "tls": False}


def test_routing_settings_are_shown_with_default_and_meaning(api, cli) -> None:
    api.answers["GET /apps/hello/routing"] = Answer({**ROUTING, "queue_max": 5, "new": 1})
    result = cli("routing", "-a", "hello")
    lines = result.out.splitlines()
    assert lines[:2] == ["=== ⬢ hello Routing", ""]
    assert lines[2].split() == ["Setting", "Value", "Default", "Meaning"]
    [queue] = [line for line in lines if line.startswith("queue-max")]
    assert queue.split()[:3] == ["queue-max", "5", "1000"]
    assert len([line for line in lines if "  no limit  " in line]) == 3
    assert json.loads(cli("routing", "-a", "hello", "--json").out)["new"] == 1


def test_routing_settings_are_changed_as_typed_and_the_platform_judges(api, cli) -> None:
    changed = ROUTING | {"sticky": True, "first_byte_timeout_s": 60, "https": "redirect"}
    api.answers["PATCH /apps/hello/routing"] = Answer(changed)
    result = cli("routing:set", "sticky=on", "first-byte-timeout=60", "-a", "hello")
    assert api.asked[-1].body == {"sticky": "on", "first-byte-timeout": "60"}
    assert result.out == "sticky: on\nfirst-byte-timeout: 60s\n"
    assert "Setting sticky, first-byte-timeout on ⬢ hello... done\n" in result.err
    assert "speaks no TLS here" in result.err
    assert cli("routing:unset", "sticky", "queue-max", "-a", "hello").code == 0
    assert api.asked[-1].body == {"sticky": None, "queue-max": None}
    assert cli("routing:set", "sticky", "-a", "hello").code == 2


def test_maintenance_is_switched(api, cli) -> None:
    api.answers["PATCH /apps/hello"] = Answer({**HELLO, "maintenance": True})
    result = cli("maintenance:on", "-a", "hello")
    assert result.err == "Enabling maintenance mode for ⬢ hello... done\n"
    assert api.asked[0].body == {"maintenance": True}
    api.answers["GET /apps/hello"] = Answer(HELLO)
    assert cli("maintenance", "-a", "hello").out == "off\n"


def test_the_only_app_needs_no_name(api, cli) -> None:
    api.answers["GET /apps"] = Answer([HELLO])
    api.answers["GET /apps/hello/dynos"] = Answer([])
    assert cli("ps").out == "No instances on ⬢ hello\n"
    api.answers["GET /apps"] = Answer([HELLO, {**HELLO, "name": "other"}])
    several = cli("ps")
    assert several.code == 2
    assert several.err.startswith(" !    Which app?\n !    Name it with -a: hello, other\n")


def test_names_can_not_become_paths(api, cli) -> None:
    assert cli("info", "-a", "../account").code == 3
    assert api.requests() == ["GET /apps/..%2Faccount"]


def test_the_node_says_what_it_has_promised_of_what_is_counted() -> None:
    cpu = {"asked": 0, "free": 896, "most": 1792}
    memory = {"asked": 0, "free": None, "most": None}
    room = {"cpu_shares": cpu, "memory_mib": memory, "disk_gib": memory}
    assert node.promised(room) == "; promised: 0.875 of 1.75 cores"
    assert node.promised(dict.fromkeys(room, memory)) == ""


def test_a_failed_build_and_a_failed_release_say_why(api, cli) -> None:
    failed = build("b1", "failed") | {"failure": "web.1 exited with status 1", "user": None}
    api.answers["GET /apps/hello/builds"] = Answer([failed])
    assert "Failure: web.1 exited with status 1\n" in cli("builds:info", "-a", "hello").out
    one = release(2, status="failed") | {"failure": "web.1 exited with status 1"}
    api.answers["GET /apps/hello/releases/2"] = Answer(one)
    api.answers["GET /apps/hello/releases/2/config-vars"] = Answer({})
    assert "Failure: web.1 exited with status 1\n" in cli("releases:info", "2", "-a", "hello").out


@pytest.mark.parametrize(
    ("hostname", "target", "addresses", "records"),
    [
        (
            "www.a.example",
            "hello.b.example",
            ["9.9.9.9"],
            ["www.a.example.  CNAME  hello.b.example."],
        ),
        (
            "a.example",
            "hello.b.example",
            ["9.9.9.9", "2620:fe::9"],
            ["a.example.  A  9.9.9.9", "a.example.  AAAA  2620:fe::9"],
        ),
        (
            "www.a.example",
            "hello.localhost",
            ["10.0.0.5"],
            ["www.a.example.  A  10.0.0.5   (a private address: outside, the public one counts)"],
        ),
        (
            "a.example",
            None,
            [],
            ["a.example.  A  ADDRESS   (the address at which visitors reach the server)"],
        ),
    ],
)
def test_the_record_names_the_real_address(
    hostname: str, target: str | None, addresses: list[str], records: list[str]
) -> None:
    assert domains.dns_records(hostname, target, addresses) == records


@pytest.mark.parametrize(
    ("hostname", "source", "said"),
    [
        ("www.a.example", "acme", "The certificate comes by itself then"),
        ("www.a.example", "local", "`paas certs:add CRT KEY -a hello` brings one"),
        (
            "*.a.example",
            "local",
            "No certificate that browsers trust comes by itself for a wildcard",
        ),
        ("*.a.example", "own", "It is served with your certificate calm-river-1234."),
    ],
)
def test_what_is_said_of_a_domains_certificate_is_true(
    api, cli, hostname: str, source: str, said: str
) -> None:
    domain = {
        "hostname": hostname,
        "cname": "hello.localhost",
        "app": {"name": "hello"},
        "certificate_from": source,
        "sni_endpoint": {"name": "calm-river-1234"},
    }
    api.answers["POST /apps/hello/domains"] = Answer(domain, 201)
    assert said in cli("domains:add", hostname, "-a", "hello").out


def endpoint(name: str, **certificate: Any) -> dict[str, Any]:
    values = {
        "cert_domains": ["*.example.com"],
        "ca_signed?": True,
        "self_signed?": False,
        "expires_at": "2031-01-01T00:00:00Z",
        "starts_at": STAMP,
        "issuer": "CN=ca",
        "subject": "CN=www",
    }
    made = {"name": name, "domains": ["d1"], "created_at": STAMP}
    return {**made, "ssl_cert": values | certificate}


def test_certificates_are_brought_from_files_and_listed(api, cli, tmp_path) -> None:
    crt, key = tmp_path / "crt", tmp_path / "key"
    crt.write_text("CERTIFICATE")
    key.write_text("KEY")
    api.answers["POST /apps/hello/sni-endpoints"] = Answer(endpoint("one"), 201)
    added = cli("certs:add", str(crt), str(key), "-a", "hello")
    assert added.err == "Adding the certificate to ⬢ hello... done, one\n"
    assert api.asked[-1].body == {"certificate_chain": "CERTIFICATE", "private_key": "KEY"}
    lonely = endpoint("two", **{"ca_signed?": False}) | {"domains": []}
    api.answers["POST /apps/hello/sni-endpoints"] = Answer(lonely, 201)
    said = cli("certs:add", str(crt), str(key), "-a", "hello").err
    assert "CRT lacks its signer" in said
    assert "paas domains:add www.example.com -a hello" in said
    api.answers["GET /apps/hello/sni-endpoints"] = Answer([endpoint("one")])
    assert "one   *.example.com" in cli("certs", "-a", "hello").out
    for name in (str(tmp_path / "none"), str(tmp_path)):
        assert cli("certs:add", name, str(key), "-a", "hello").code == 2


def test_one_of_several_certificates_has_to_be_named(api, cli) -> None:
    path = "/apps/hello/sni-endpoints"
    api.answers[f"GET {path}"] = Answer([])
    assert cli("certs:info", "-a", "hello").code == 3
    api.answers[f"GET {path}"] = Answer([endpoint("one"), endpoint("two")])
    asked = cli("certs:remove", "-a", "hello", "--confirm", "hello")
    assert asked.code == 2 and "--name one or --name two" in asked.err
    assert cli("certs:info", "-a", "hello", "--name", "three").code == 3
    api.answers[f"DELETE {path}/two"] = Answer(endpoint("two"))
    unsure = cli("certs:remove", "-a", "hello", "--name", "two")
    assert unsure.code == 2 and "--confirm hello" in unsure.err
    assert cli("certs:remove", "-a", "hello", "--name", "two", "--confirm", "hello").code == 0


def test_the_root_is_printed_as_it_is(api, cli) -> None:
    text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    api.answers["GET /smartplatform/root-certificate"] = Answer(text=text)
    assert cli("certs:root").out == text


def test_ps_shows_an_instance_that_fails_its_checks(api, cli) -> None:
    found = [dyno("web.1"), dyno("web.2") | {"fails_checks": True}]
    api.answers["GET /apps/hello/dynos"] = Answer(found)
    lines = cli("ps", "-a", "hello").out.splitlines()
    assert f"web.1: up {SHOWN}" in lines
    assert f"web.2: up {SHOWN} (fails its health checks)" in lines


@pytest.mark.parametrize(
    ("typed", "sent", "said"), [("release", "release", "release"), ("-", "", "main and master")]
)
def test_apps_set_changes_the_deployed_branch(api, cli, typed: str, sent: str, said: str) -> None:
    api.answers["PATCH /apps/hello"] = Answer({**HELLO, "root": "", "deploy_branch": sent})
    result = cli("apps:set", "--branch", typed, "-a", "hello")
    assert api.asked[0].body == {"deploy_branch": sent}
    assert f"Setting the branch of ⬢ hello... done, {said}\n" in result.err
    assert result.code == 0


def test_apps_set_without_anything_to_set_says_what_there_is(api, cli) -> None:
    result = cli("apps:set", "-a", "hello")
    assert result.code == 2
    assert "--root services/api or --branch release" in result.err


def test_the_root_of_an_app_is_set_and_shown(api, cli) -> None:
    api.answers["PATCH /apps/hello"] = Answer({**HELLO, "root": "services/api"})
    done = cli("apps:set", "--root", "services/api/", "-a", "hello")
    assert done.err == (
        "Setting the root of ⬢ hello... done, services/api\n"
        "It counts from the next push on. For what is pushed: paas builds:create -a hello\n"
    )
    api.answers["PATCH /apps/hello"] = Answer({**HELLO, "root": ""})
    assert "done, /\n" in cli("apps:set", "--root", "/", "-a", "hello").err
    assert cli("apps:set", "-a", "hello").code == 2
    api.answers["GET /apps/hello"] = Answer({**HELLO, "root": "services/api"})
    api.answers["GET /apps/hello/dynos"] = Answer([])
    assert "services/api" in cli("info", "-a", "hello").out


def test_buildpacks_are_added_set_and_removed_by_name_or_place(api, cli) -> None:
    def listed(*names: str) -> Answer:
        return Answer(
            [
                {"buildpack": {"url": name, "name": name}, "ordinal": n}
                for n, name in enumerate(names)
            ]
        )

    place = "/apps/hello/buildpack-installations"
    secret, apt = "https://ada:pa55@example.com/x", "https://example.com/apt"
    api.answers[f"PUT {place}"] = listed()

    def sent(*words: str) -> list[str]:
        result = cli(*words, "-a", "hello")
        assert result.code == 0, result.err
        assert "pa55" not in result.out + result.err
        return [each["buildpack"] for each in api.asked[-1].body["updates"]]

    api.answers[f"GET {place}"] = listed()
    assert cli("buildpacks", "-a", "hello").out == (
        "⬢ hello names no buildpacks: the platform's own builds it.\n"
    )
    assert sent("buildpacks:add", apt) == [apt]
    assert sent("buildpacks:set", apt) == [apt]
    api.answers[f"GET {place}"] = listed(secret, "heroku/nodejs")
    shown = "https://…@example.com/x"
    assert cli("buildpacks", "-a", "hello").out == (
        f"=== ⬢ hello Buildpacks\n\n1. {shown}\n2. heroku/nodejs\n"
    )
    assert sent("buildpacks:add", apt) == [secret, "heroku/nodejs", apt]
    assert sent("buildpacks:add", apt, "-i", "1") == [apt, secret, "heroku/nodejs"]
    assert sent("buildpacks:set", apt) == [apt, "heroku/nodejs"]
    assert sent("buildpacks:set", apt, "-i", "2") == [secret, apt]
    assert sent("buildpacks:remove", shown) == ["heroku/nodejs"]
    assert sent("buildpacks:remove", "-i", "2") == [secret]
    assert sent("buildpacks:clear") == []

    assert "no buildpack 'x'" in cli("buildpacks:remove", "x", "-a", "hello").err
    assert "no buildpack number 3" in cli("buildpacks:remove", "-i", "3", "-a", "hello").err
    for words in (["buildpacks:remove"], ["buildpacks:remove", "x", "-i", "1"], ["buildpacks:add"]):
        assert cli(*words, "-a", "hello").code == 2


def test_a_repository_elsewhere_is_connected_shown_and_disconnected(api, cli) -> None:
    place = "/apps/hello/git-connection"
    url = "https://github.com/owner/hello"
    found = {"url": url, "kind": "github", "branch": "main", "commit": None, "has_token": True}
    found |= {"hook_url": "https://paas.example.com/hooks/1", "outcome": None}
    api.answers[f"PUT {place}"] = Answer({**found, "secret": "whsec_x"})
    api.answers[f"GET {place}"] = Answer({**found, "commit": "c" * 40, "outcome": "failed"})
    api.answers[f"POST {place}/actions/deploy"] = Answer(found, 202)
    api.answers[f"DELETE {place}"] = Answer(found)

    made = cli("git:connect", url, "--token", "-a", "hello", stdin="t0ken\n")
    assert api.asked[-1].body == {"url": url, "branch": None, "kind": None, "token": "t0ken"}
    assert "  URL     https://paas.example.com/hooks/1\n  Secret  whsec_x\n" in made.out
    assert "Content type: application/json" in made.out
    assert "localhost" not in made.err and "t0ken" not in made.out + made.err
    assert "There is no token" in cli("git:connect", url, "--token", "-a", "hello").err

    api.answers[f"PUT {place}"] = Answer(
        {**found, "secret": "s", "has_token": False, "hook_url": "http://localhost:8081/hooks/1"}
    )
    made = cli("git:connect", url, "--branch", "release", "--kind", "github", "-a", "hello")
    assert api.asked[-1].body["branch"] == "release"
    assert "hooks_url" in made.err and "commits get no status" in made.err

    shown = cli("git:connection", "-a", "hello").out
    assert f"deployed from main of {url}\n" in shown and "cccccccc (failed)" in shown
    assert "goes on by itself" in cli("git:deploy", "-a", "hello").out
    assert "can be deleted" in cli("git:disconnect", "-a", "hello").out


def queued(id: str, place: int, state: str, step: str | None = None) -> dict[str, Any]:
    return {
        "build": {"id": id},
        "commit": "1f2e3d4c" * 5,
        "created_at": STAMP,
        "place": place,
        "state": state,
        "step": step,
        "user": {"email": "root@localhost"},
    }


def test_deploys_lists_what_runs_and_waits(api, cli) -> None:
    first, second = "aaaaaaaa-1", "bbbbbbbb-2"
    where = "GET /smartplatform/apps/hello/deploys"
    api.answers[where] = Answer(
        [queued(first, 0, "running", "build"), queued(second, 1, "waiting")]
    )
    assert cli("deploys", "-a", "hello").out == (
        "=== ⬢ hello Deploys\n\n"
        f"aaaaaaaa  running: build        1f2e3d4c1f  root@localhost  {SHOWN}\n"
        f"bbbbbbbb  waiting, 1 before it  1f2e3d4c1f  root@localhost  {SHOWN}\n"
    )
    api.answers["DELETE /apps/hello/builds/aaaaaaaa-1"] = Answer({"failure": "cancelled by me"})
    result = cli("builds:cancel", "-a", "hello")
    assert result.err == "Cancelling build aaaaaaaa of ⬢ hello... done, cancelled by me\n"
    api.answers[where] = Answer([])
    assert cli("deploys", "-a", "hello").out == "No deploy of ⬢ hello runs or waits.\n"
    result = cli("builds:cancel", "-a", "hello")
    assert (result.code, "runs or waits" in result.err) == (3, True)


def test_superseding_is_switched_on_and_off(api, cli) -> None:
    api.answers["PATCH /apps/hello"] = Answer({**HELLO, "supersede": True})
    result = cli("apps:set", "--supersede", "on", "-a", "hello")
    assert result.err.startswith("Setting the superseding of ⬢ hello... done, on\n")
    assert api.asked[-1].body == {"supersede": True}
    assert cli("apps:set", "--supersede", "maybe", "-a", "hello").code == 2
