"""Commands on builds: list, build again, show, print the log."""

import sys
from typing import Any

from paas.cli.call import Call
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.output import (
    header,
    hexagon,
    print_columns,
    print_json,
    print_line,
    print_pairs,
    progress,
    when,
)
from paas.client.api import path
from paas.errors import UserError
from paas.system.plaintext import plain_but_colours

BUILD = Argument("BUILD", "the build's id, or its beginning (default: the newest)", least=0)


@command(
    "Lists an app's builds, the newest first.",
    options=[APP, REMOTE, Option("num", "how many (default 15)", "COUNT", "n"), JSON],
    examples=["paas builds", "paas builds --json -a hello"],
)
def builds(call: Call) -> None:
    found = _newest(call, call.number("num", 15))
    if call.json:
        print_json(found)
    elif not found:
        print_line(f"{hexagon(call.app)} has no builds.")
    else:
        header(f"{hexagon(call.app)} Builds")
        print_columns([_row(build) for build in found])


def _newest(call: Call, count: int) -> list[dict[str, Any]]:
    found = call.client.get(path("apps", call.app, "builds"), newest=("created_at", count))
    return sorted(found, key=lambda build: str(build["created_at"]), reverse=True)[:count]


def _row(build: dict[str, Any]) -> list[str]:
    version = str((build.get("source_blob") or {}).get("version") or "")[:10]
    user = (build.get("user") or {}).get("email", "")
    return [str(build["id"])[:8], str(build["status"]), version, user, when(build["created_at"])]


@command(
    "Builds and deploys the commit that was pushed last once more: when git says\n"
    "`Everything up-to-date`. Prints the build's log; exit code 1 when it fails.",
    options=[
        APP,
        REMOTE,
        Option("version", "another commit of the app's repository", "COMMIT"),
        Option("no-cache", "use nothing of earlier builds: as if this were the first"),
        Option("json", "print the build as JSON; its log goes to stderr"),
    ],
    examples=[
        "paas builds:create",
        "paas builds:create --no-cache",
        "paas builds:create -a hello --version 1f2e3d4",
    ],
)
def create(call: Call) -> int:
    version = call.options.get("version")
    with progress(f"Building {hexagon(call.app)}") as state:
        body: dict[str, Any] = {"source_blob": {"version": version} if version else {}}
        if "no-cache" in call.flags:
            body["no_cache"] = True
        build = call.client.post(path("apps", call.app, "builds"), body)
        state.result = f"build {str(build['id'])[:8]} started"
    _print_log(call, build)
    done = call.client.get(path("apps", call.app, "builds", build["id"]))
    if call.json:
        print_json(done)
    if done["status"] == "succeeded":
        return 0
    raise UserError(
        "build_failed",
        f"The build {done['status']}; what ran before runs on.",
        "The log above says why.",
    )


@command(
    "Shows one build.",
    arguments=[BUILD],
    options=[APP, REMOTE, JSON],
    examples=["paas builds:info", "paas builds:info 1f2e3d4c"],
)
def info(call: Call) -> None:
    build = _find(call)
    if call.json:
        print_json(build)
        return
    header(f"Build {build['id']}")
    pairs = {
        "Status": build["status"],
        "Commit": (build.get("source_blob") or {}).get("version") or "",
        "Failure": build.get("failure") or "",
        "Release": (build.get("release") or {}).get("id") or "",
        "By": (build.get("user") or {}).get("email", ""),
        "When": when(build["created_at"]),
    }
    print_pairs({key: value for key, value in pairs.items() if value})


@command(
    "Cancels a build that runs or waits, whoever began it: what ran before runs on, and who\n"
    "pushed is told who has cancelled. Without a build: the one that runs. `paas deploys`\n"
    "lists them.",
    arguments=[Argument("BUILD", "the build's id, or its beginning", least=0)],
    options=[APP, REMOTE, JSON],
    examples=["paas builds:cancel", "paas builds:cancel 1f2e3d4c -a hello"],
)
def cancel(call: Call) -> None:
    id = _find(call)["id"] if call.arguments else _running(call)
    with progress(f"Cancelling build {id[:8]} of {hexagon(call.app)}") as state:
        ended = call.client.delete(path("apps", call.app, "builds", id))
        state.result = str(ended.get("failure") or "")
    if call.json:
        print_json(ended)


def _running(call: Call) -> str:
    found = call.client.get(path("smartplatform", "apps", call.app, "deploys"))
    if found:
        return str(found[0]["build"]["id"])
    raise UserError(
        "not_found",
        f"No deploy of {hexagon(call.app)} runs or waits.",
        f"`paas builds -a {call.app}` lists those that have ended.",
    )


@command(
    "Lists the deploys of an app that run or wait, in their order: one runs at a time.\n"
    "`paas apps:set --supersede on` lets a newer push take the place of those that wait.",
    options=[APP, REMOTE, JSON],
    examples=["paas deploys", "paas deploys -a hello --json"],
)
def deploys(call: Call) -> None:
    found = call.client.get(path("smartplatform", "apps", call.app, "deploys"))
    if call.json:
        print_json(found)
    elif not found:
        print_line(f"No deploy of {hexagon(call.app)} runs or waits.")
    else:
        header(f"{hexagon(call.app)} Deploys")
        print_columns([_queued(deploy) for deploy in found])


def _queued(deploy: dict[str, Any]) -> list[str]:
    running = deploy["state"] == "running"
    step = f"running: {deploy['step']}" if deploy.get("step") else "running"
    user = (deploy.get("user") or {}).get("email", "")
    return [
        str(deploy["build"]["id"])[:8],
        step if running else f"waiting, {deploy['place']} before it",
        str(deploy.get("commit") or "")[:10],
        user,
        when(deploy["created_at"]),
    ]


@command(
    "Prints the log of a build. One that runs is followed to its end.",
    arguments=[BUILD],
    options=[APP, REMOTE],
    examples=["paas builds:output", "paas builds:output 1f2e3d4c | less -R"],
)
def output(call: Call) -> None:
    _print_log(call, _find(call))


def _find(call: Call) -> dict[str, Any]:
    found = _newest(call, 200)
    typed = call.arguments[0] if call.arguments else ""
    matching = [build for build in found if str(build["id"]).startswith(typed)]
    if matching and (not typed or len(matching) == 1):
        return matching[0]
    word, verb = ("several builds", "start") if matching else ("no build", "starts")
    start = f" that {verb} with {typed}" if typed else ""
    raise UserError(
        "not_found",
        f"{hexagon(call.app)} has {word}{start}.",
        f"`paas builds -a {call.app}` lists them.",
    )


def _print_log(call: Call, build: dict[str, Any]) -> None:
    stream = sys.stderr if call.json else sys.stdout
    if not build.get("output_stream_url"):
        return
    for line in call.client.lines(build["output_stream_url"], forever=True):
        print(plain_but_colours(line), file=stream, flush=True)
