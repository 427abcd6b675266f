"""Commands on pipelines: make, fill, show, compare, promote."""

import time
from datetime import UTC, datetime
from typing import Any

from paas.cli.call import Call, usage
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.output import (
    header,
    hexagon,
    note,
    print_columns,
    print_json,
    print_line,
    progress,
)
from paas.client.api import path
from paas.errors import UserError

POLL_S = 0.5
SHOWN_MAX = 50
PIPELINE = Argument("PIPELINE", "the pipeline's name")
STAGE = Option("stage", "development, staging, production or review", "STAGE", "s")
_ENDINGS = {
    "development": ("-dev", "-development", "-uat", "-tst", "-test", "-qa"),
    "staging": ("-stg", "-staging"),
    "production": ("-prd", "-prod", "-production", "-admin", "-demo"),
}
"""By which Heroku's command guesses the stage of an app."""
_ORDER = ("development", "staging", "production")


@command("Lists your pipelines.", options=[JSON], examples=["paas pipelines"])
def pipelines(call: Call) -> None:
    found = call.client.get("/pipelines")
    if call.json:
        print_json(found)
    elif not found:
        note("You have no pipelines. Make one: paas pipelines:create NAME -a APP")
    else:
        header("Pipelines")
        for pipeline in found:
            print_line(pipeline["name"])


@command(
    "Makes a pipeline with an app in it. An image that was tried in one app of a pipeline is\n"
    "released in the apps of the next stage by `paas pipelines:promote`, without a build.\n"
    "Without a name or a stage they are guessed from the app's name: hello-staging is the\n"
    "staging of hello; an app with no such ending is in production.",
    arguments=[Argument("NAME", "the pipeline's name", least=0)],
    options=[APP, REMOTE, STAGE, JSON],
    examples=["paas pipelines:create -a hello-staging", "paas pipelines:create shop -a hello"],
)
def create(call: Call) -> None:
    guessed, stage = _guess(call.app)
    name = call.arguments[0] if call.arguments else guessed
    stage = call.options.get("stage", stage)
    with progress(f"Creating the pipeline {name}"):
        pipeline = call.client.post("/pipelines", {"name": name})
    try:
        _couple(call, pipeline, stage)
    except UserError:
        call.client.delete(path("pipelines", pipeline["id"]))  # a pipeline without its app is none
        raise
    if call.json:
        print_json(pipeline)


@command(
    "Puts an app into a pipeline. Without a stage it is guessed from the app's name.",
    arguments=[PIPELINE],
    options=[APP, REMOTE, STAGE, JSON],
    examples=[
        "paas pipelines:add hello -a hello",
        "paas pipelines:add hello -a try -s development",
    ],
)
def add(call: Call) -> None:
    pipeline = call.client.get(path("pipelines", call.arguments[0]))
    coupling = _couple(call, pipeline, call.options.get("stage", _guess(call.app)[1]))
    if call.json:
        print_json(coupling)


def _couple(call: Call, pipeline: dict[str, Any], stage: str) -> Any:
    with progress(f"Adding {hexagon(call.app)} to {pipeline['name']} as {stage}"):
        body = {"app": call.app, "pipeline": pipeline["id"], "stage": stage}
        return call.client.post("/pipeline-couplings", body)


def _guess(app: str) -> tuple[str, str]:
    for stage, endings in _ENDINGS.items():
        for ending in endings:
            if app.endswith(ending) and app != ending:
                return app.removesuffix(ending), stage
    return app, "production"


@command(
    "Shows the apps of a pipeline and their stages. Without a name: the pipeline of the app.",
    arguments=[Argument("PIPELINE", "the pipeline's name", least=0)],
    options=[APP, REMOTE, JSON],
    examples=["paas pipelines:info hello", "paas pipelines:info -a hello-staging"],
)
def info(call: Call) -> None:
    name = call.arguments[0] if call.arguments else _coupling(call)["pipeline"]["id"]
    pipeline = call.client.get(path("pipelines", name))
    found = _members(call, pipeline["id"])
    if call.json:
        print_json({"pipeline": pipeline, "apps": found})
        return
    header(f"Pipeline {pipeline['name']}")
    rows = [[app["name"], app["pipelineCoupling"]["stage"]] for app in found]
    if rows:
        print_columns(rows)
    else:
        print_line("It has no apps.")


def _members(call: Call, pipeline_id: str) -> list[dict[str, Any]]:
    """Its apps, each with its coupling, in the order of stages and names."""
    couplings = call.client.get(path("pipelines", pipeline_id, "pipeline-couplings"))
    by_app = {coupling["app"]["id"]: coupling for coupling in couplings}
    found = call.client.post("/filters/apps", {"in": {"id": list(by_app)}})
    order = ("review", *_ORDER)
    members = [{**app, "pipelineCoupling": by_app[app["id"]]} for app in found]
    return sorted(
        members, key=lambda app: (order.index(app["pipelineCoupling"]["stage"]), app["name"])
    )


def _coupling(call: Call) -> dict[str, Any]:
    found: dict[str, Any] = call.client.get(path("apps", call.app, "pipeline-couplings"))
    return found


@command(
    "Moves an app to another stage of its pipeline.",
    options=[APP, REMOTE, STAGE, JSON],
    examples=["paas pipelines:update -s staging -a hello-staging"],
)
def update(call: Call) -> None:
    stage = call.options.get("stage")
    if stage is None:
        raise usage(call.command, "Which stage? Say --stage staging, for instance.")
    with progress(f"Moving {hexagon(call.app)} to {stage}"):
        coupling = _coupling(call)
        changed = call.client.patch(path("pipeline-couplings", coupling["id"]), {"stage": stage})
    if call.json:
        print_json(changed)


@command(
    "Takes an app out of its pipeline. The app stays.",
    options=[APP, REMOTE, JSON],
    examples=["paas pipelines:remove -a hello-staging"],
)
def remove(call: Call) -> None:
    with progress(f"Removing {hexagon(call.app)} from its pipeline"):
        gone = call.client.delete(path("pipeline-couplings", _coupling(call)["id"]))
    if call.json:
        print_json(gone)


@command(
    "Gives a pipeline another name.",
    arguments=[PIPELINE, Argument("NAME", "the new name")],
    options=[JSON],
    examples=["paas pipelines:rename hello shop"],
)
def rename(call: Call) -> None:
    name, new = call.arguments
    with progress(f"Renaming the pipeline {name} to {new}"):
        changed = call.client.patch(path("pipelines", name), {"name": new})
    if call.json:
        print_json(changed)


@command(
    "Deletes a pipeline. Its apps stay, in no pipeline.",
    arguments=[PIPELINE],
    options=[JSON],
    examples=["paas pipelines:destroy hello"],
)
def destroy(call: Call) -> None:
    with progress(f"Destroying the pipeline {call.arguments[0]}"):
        gone = call.client.delete(path("pipelines", call.arguments[0]))
    if call.json:
        print_json(gone)


@command(
    "Releases an app's image in the apps of the next stage, or in those that --to names:\n"
    "nothing is built. Each runs it with its own config vars, after the release command; one\n"
    "that fails keeps what it ran. Exit code 1 when one has failed. `paas rollback` goes back.",
    options=[
        APP,
        REMOTE,
        Option("to", "apps of the pipeline, with commas between them", "APPS", "t"),
        JSON,
    ],
    examples=[
        "paas pipelines:promote -a hello-staging",
        "paas pipelines:promote -a hello-staging --to hello,hello-eu",
    ],
)
def promote(call: Call) -> int:
    coupling = _coupling(call)
    members = _members(call, coupling["pipeline"]["id"])
    chosen = _targets(call, coupling, members)
    names = ", ".join(app["name"] for app in chosen)
    with progress(f"Promoting {hexagon(call.app)} to {names}"):
        body = {
            "pipeline": {"id": coupling["pipeline"]["id"]},
            "source": {"app": {"id": coupling["app"]["id"]}},
            "targets": [{"app": {"id": app["id"]}} for app in chosen],
        }
        promotion = call.client.post("/pipeline-promotions", body)
        ended = _ended(call, promotion)
    if call.json:
        print_json(ended)
    else:
        known = {app["id"]: app["name"] for app in members}
        print_columns([_outcome(known, target) for target in ended])
    return 0 if all(target["status"] == "succeeded" for target in ended) else 1


def _targets(
    call: Call, coupling: dict[str, Any], members: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    named = [name for name in call.options.get("to", "").split(",") if name]
    if named:
        known = {app["name"]: app for app in members} | {app["id"]: app for app in members}
        for name in named:
            if name not in known:
                raise UserError(
                    "not_found",
                    f"{hexagon(name)} is not in the pipeline {coupling['pipeline']['name']}.",
                    f"To put it there: paas pipelines:add {coupling['pipeline']['name']} -a {name}",
                )
        return [known[name] for name in named]
    place = _ORDER.index(coupling["stage"]) + 1 if coupling["stage"] in _ORDER else len(_ORDER)
    stage = _ORDER[place] if place < len(_ORDER) else None
    found = [app for app in members if app["pipelineCoupling"]["stage"] == stage]
    if found:
        return found
    where = f"no app of the pipeline is in {stage}" if stage else "nothing comes after that"
    raise UserError(
        "not_found",
        f"{hexagon(call.app)} is in {coupling['stage']}, and {where}.",
        f"Who is where: paas pipelines:info {coupling['pipeline']['name']}",
    )


def _ended(call: Call, promotion: dict[str, Any]) -> list[dict[str, Any]]:
    """Its targets, when none is pending any more."""
    while True:
        place = path("pipeline-promotions", promotion["id"], "promotion-targets")
        found: list[dict[str, Any]] = call.client.get(place)
        if all(target["status"] != "pending" for target in found):
            return found
        time.sleep(POLL_S)


def _outcome(known: dict[str, str], target: dict[str, Any]) -> list[str]:
    app = target["app"]["id"]
    return [hexagon(known.get(app, app)), target["status"], target.get("error_message") or ""]


@command(
    "Lists the commits that an app has and the apps of the next stage have not: what\n"
    "`paas pipelines:promote` would bring there.",
    options=[APP, REMOTE, JSON],
    examples=["paas pipelines:diff -a hello-staging"],
)
def diff(call: Call) -> None:
    found = call.client.get(path("smartplatform", "apps", call.app, "pipeline-differences"))
    if call.json:
        print_json(found)
        return
    for each in found:
        _say_difference(call.app, each)


def _say_difference(app: str, found: dict[str, Any]) -> None:
    mine, other = hexagon(app), hexagon(found["app"]["name"])
    if not found["commit"]:
        print_line(f"{other} has no release yet: promoting brings it the first.")
        return
    if not found["compared"]:
        print_line(f"{other} runs {found['commit'][:10]}, which was not pushed to {mine}.")
        return
    ahead, behind = found["ahead"], found["behind"]
    if behind:
        print_line(f"{mine} lacks {_commits(behind)} of {other}: promoting goes back over them.")
    if not ahead:
        if not behind:
            print_line(f"{mine} is up to date with {other}.")
        return
    header(f"{mine} is ahead of {other} by {_commits(len(ahead))}")
    print_columns([_commit(commit) for commit in ahead[:SHOWN_MAX]])
    if len(ahead) > SHOWN_MAX:
        print_line(f"and {len(ahead) - SHOWN_MAX:,} more")


def _commits(count: int) -> str:
    return f"{count:,} commit" + ("" if count == 1 else "s")


def _commit(commit: dict[str, Any]) -> list[str]:
    day = datetime.fromtimestamp(commit["time"], UTC).strftime("%Y-%m-%d")
    return [commit["id"][:8], day, commit["author"], commit["subject"]]
