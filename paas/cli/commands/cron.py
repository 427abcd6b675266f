"""Commands that are run at set times."""

import re
from typing import Any

from paas.cli.call import Call, usage
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.output import (
    hexagon,
    note,
    parsed_time,
    print_columns,
    print_json,
    print_line,
    print_pairs,
    progress,
    span,
)
from paas.client.api import path

NAME = Argument("NAME", "as `paas cron` has it")
_UNITS = {"s": 1, "m": 60, "h": 3600, "": 1}


@command(
    "Lists an app's crons: commands that are run at set times.",
    options=[APP, REMOTE, JSON],
    examples=["paas cron", "paas cron -a hello --json"],
)
def cron(call: Call) -> None:
    found = call.client.get(_path(call))
    if call.json:
        print_json(found)
    elif not found:
        note(f"{hexagon(call.app)} has no crons. Add one: paas cron:add '0 4 * * *' 'node job.js'")
    else:
        titles = ["Name", "Schedule", "Time zone", "Command", "Next", "Last"]
        print_columns([_row(one) for one in found], titles)


@command(
    "Runs a command at set times, each time in a machine of its own, from the release that is\n"
    "current then. The schedule has cron's five fields (minute, hour, day of month, month, day\n"
    "of week) or is @hourly, @daily, @weekly, @monthly or @yearly. No run begins while the last\n"
    "one goes on, unless --overlap; what passes while the platform is down is left out, unless\n"
    "--missed once makes up for it with one run. Crons of app.json need not be added.",
    arguments=[
        Argument("SCHEDULE", "when, e.g. '*/5 * * * *'"),
        Argument("COMMAND", "what to run, for bash"),
    ],
    options=[
        Option("name", "its name (default: the command's words)", "NAME", "n"),
        Option("timezone", "whose clocks count, e.g. Europe/Berlin (default: UTC)", "ZONE", "z"),
        Option("size", "the package of its machines (default: standard-512m)", "PACKAGE", "s"),
        Option("time-limit", "end a run after so long: 90s, 10m, 24h (default: 1h)", "TIME"),
        Option("missed", "skip (the default) or once", "POLICY"),
        Option("overlap", "a run may begin while the last one goes on"),
        APP,
        REMOTE,
        JSON,
    ],
    examples=[
        "paas cron:add '*/5 * * * *' 'node job.js'",
        "paas cron:add '30 4 * * mon-fri' 'node report.js' --name report -z Europe/Berlin",
        "paas cron:add @daily 'node backup.js' --missed once --time-limit 2h",
    ],
)
def add(call: Call) -> None:
    body = {
        "schedule": call.arguments[0],
        "command": call.arguments[1],
        "name": call.options.get("name"),
        "timezone": call.options.get("timezone"),
        "size": call.options.get("size"),
        "time_limit_s": _seconds(call),
        "missed": call.options.get("missed"),
        "overlap": "overlap" in call.flags,
    }
    with progress(f"Adding a cron to {hexagon(call.app)}") as state:
        made = call.client.post(_path(call), body)
        state.result = str(made["name"])
    if call.json:
        print_json(made)
    else:
        print_line(f"It runs next at {_at(made['next_at'])}; its log: {_logs(call, made['name'])}")


@command(
    "Shows a cron with the results of its last runs, the newest first.",
    arguments=[NAME],
    options=[APP, REMOTE, JSON],
    examples=["paas cron:info report", "paas cron:info report --json"],
)
def info(call: Call) -> None:
    found = call.client.get(_path(call, call.arguments[0]))
    results = call.client.get(_path(call, call.arguments[0], "results"))
    if call.json:
        print_json({**found, "results": results})
        return
    print_pairs(
        {
            "Name": found["name"],
            "Command": found["command"],
            "Schedule": f"{found['schedule']} ({found['timezone']})",
            "Next": _next(found),
            "Size": found["size"],
            "Time limit": f"{found['time_limit_s']} s",
            "At once": "several" if found["overlap"] else "one",
            "Missed runs": "are made up for by one" if found["missed"] == "once" else "are skipped",
            "From": "app.json" if found["declared"] else "paas cron:add",
            "Log": _logs(call, found["name"]),
        }
    )
    if results:
        print_line()
        titles = ["Due", "Run", "Result", "Took", "Reason"]
        print_columns([_result_row(one) for one in results[:20]], titles)


@command(
    "Runs a cron's command now, besides its times.",
    arguments=[NAME],
    options=[APP, REMOTE, JSON],
    examples=["paas cron:run report"],
)
def run(call: Call) -> None:
    with progress(f"Running {call.arguments[0]} of {hexagon(call.app)}") as state:
        started = call.client.post(_path(call, call.arguments[0], "runs"), {})
        state.result = str(started["name"])
    if call.json:
        print_json(started)
    else:
        print_line(f"Its output: paas logs -a {call.app} -d {started['name']}")


@command(
    "Lets a cron wait: it is not run until `paas cron:resume`. A run that is under way goes on.",
    arguments=[NAME],
    options=[APP, REMOTE, JSON],
    examples=["paas cron:pause report"],
)
def pause(call: Call) -> None:
    _set_paused(call, "Pausing", paused=True)


@command(
    "Lets a cron go on. What was due while it was paused is not made up for.",
    arguments=[NAME],
    options=[APP, REMOTE, JSON],
    examples=["paas cron:resume report"],
)
def resume(call: Call) -> None:
    _set_paused(call, "Resuming", paused=False)


@command(
    "Removes a cron with its results. A run that is under way goes on.",
    arguments=[NAME],
    options=[APP, REMOTE, JSON],
    examples=["paas cron:remove report"],
)
def remove(call: Call) -> None:
    with progress(f"Removing {call.arguments[0]} from {hexagon(call.app)}"):
        gone = call.client.delete(_path(call, call.arguments[0]))
    if call.json:
        print_json(gone)


def _set_paused(call: Call, verb: str, *, paused: bool) -> None:
    with progress(f"{verb} {call.arguments[0]} of {hexagon(call.app)}"):
        place = _path(call, call.arguments[0])
        changed = call.client.request("PATCH", place, {"paused": paused})
    if call.json:
        print_json(changed)


def _row(one: dict[str, Any]) -> list[str]:
    last = one["last_result"]
    shown = f"{last['outcome']} {_at(last['due_at'])}" if last else "never"
    return [
        one["name"],
        one["schedule"],
        one["timezone"],
        one["command"][:40],
        _next(one),
        shown,
    ]


def _next(one: dict[str, Any]) -> str:
    return "paused" if one["paused"] else _at(one["next_at"]) or "never"


def _result_row(one: dict[str, Any]) -> list[str]:
    began, ended = parsed_time(one["started_at"]), parsed_time(one["ended_at"])
    took = span((ended - began).total_seconds()) if began and ended else ""
    outcome = one["outcome"]
    if one["exit_status"]:
        outcome += f" (status {one['exit_status']})"
    if one["count"] > 1:
        outcome += f" ({one['count']} times)"
    return [_at(one["due_at"]), one["name"] or "", outcome, took, one["reason"] or ""]


def _at(stamp: str | None) -> str:
    """In the user's time zone, as `paas releases` has it."""
    time = parsed_time(stamp)
    return time.astimezone().strftime("%Y/%m/%d %H:%M:%S %z") if time else ""


def _logs(call: Call, name: str) -> str:
    return f"paas logs -a {call.app} -d cron.{name}"


def _seconds(call: Call) -> int | None:
    text = call.options.get("time-limit")
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smh]?)", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= 24 * 3600:
        raise usage("cron:add", f"--time-limit is 90s, 10m or 2h, at most 24h; not {text!r}.")
    return seconds


def _path(call: Call, *more: str) -> str:
    return path("smartplatform", "apps", call.app, "crons", *more)
