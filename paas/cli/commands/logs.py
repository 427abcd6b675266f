"""The `logs` command."""

import json
import re
import sys
from datetime import UTC, datetime, timedelta

from paas.cli.call import Call, usage
from paas.cli.command import APP, REMOTE, Option, command
from paas.cli.output import coloured, has_colour, hexagon, note
from paas.client.api import path
from paas.errors import UserError
from paas.system.plaintext import plain_but_colours

LINES_MAX = 10_000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
PLATFORM_PROCESSES = ("api", "cron", "postdeploy", "release", "router", "run")
"""What stands in lines of the platform's own, beside the app's process types."""
COLOURS = ("36", "33", "32", "35", "34", "31", "96", "93", "92", "95", "94")


@command(
    "Shows the newest lines of an app's log: what its processes print, what the router answered,\n"
    "and what the platform did.",
    options=[
        APP,
        REMOTE,
        Option("tail", "go on with new lines until Ctrl-C", short="t"),
        Option("num", "how many lines (default 100)", "LINES", "n"),
        Option("process-type", "only this process type", "TYPE", "p"),
        Option("dyno-name", "only this instance", "web.1", "d"),
        Option("source", "only what the app printed, or only the platform's lines",
               "app|heroku", "s"),
        Option("since", "from then on: 10m, 2h, 3d ago, or a moment (2026-11-22T17:50)", "TIME"),
        Option("until", "up to then", "TIME"),
        Option("grep", "only lines in which this text is, in small or large letters", "TEXT", "g"),
        Option("level", "only lines of this level or graver, as far as they say: debug, info, "
               "warn, error", "LEVEL", "l"),
        Option("request-id", "only what names this request", "ID"),
        Option("json", "print one JSON object a line"),
    ],
    examples=["paas logs -t", "paas logs -n 500 -p worker", "paas logs -s app -d web.1",
              "paas logs --since 10m --level error", "paas logs -t --grep timeout"],
)  # fmt: skip
def logs(call: Call) -> None:
    session = _session(call)
    _warn_of_unknown(call)
    tail = bool(session["tail"])
    answer = call.client.post(path("apps", call.app, "log-sessions"), session)
    paint = has_colour(sys.stdout)
    for line in call.client.lines(answer["logplex_url"], forever=tail):
        if not line:
            continue
        text = plain_but_colours(line)
        if call.json:
            text = json.dumps(split(text), ensure_ascii=False)
        elif paint:
            text = _painted(text)
        print(text, flush=tail)


def _warn_of_unknown(call: Call) -> None:
    """Older lines may be of a type that is gone, so it is no failure to ask for one."""
    typed = call.options.get("process-type") or call.options.get("dyno-name") or ""
    kind = typed.partition(".")[0]
    if not kind or kind in PLATFORM_PROCESSES:
        return
    types = [str(entry["type"]) for entry in call.client.get(path("apps", call.app, "formation"))]
    if kind not in types:
        known = ", ".join(sorted(types)) or "none before the first push"
        note(f"{hexagon(call.app)} has no process type {kind}. There are: {known}.")


def _session(call: Call) -> dict[str, object]:
    """The body of Heroku's `POST /apps/APP/log-sessions`; its `dyno` names a type as well."""
    kind, dyno = call.options.get("process-type"), call.options.get("dyno-name")
    if kind and dyno:
        raise usage("logs", "Name an instance (-d) or a process type (-p), not both.")
    source = call.options.get("source")
    if source not in (None, "app", "heroku"):
        raise usage("logs", f"--source is app or heroku, not {source!r}.")
    session: dict[str, object] = {
        "lines": call.number("num", 100, least=0, most=LINES_MAX),
        "tail": "tail" in call.flags,
    }
    named = {"dyno": dyno or kind, "source": source}
    named |= {"since": _moment(call, "since"), "until": _moment(call, "until")}
    named |= {"text": call.options.get("grep"), "level": call.options.get("level")}
    named |= {"request_id": call.options.get("request-id")}
    return session | {key: value for key, value in named.items() if value}


def _moment(call: Call, name: str) -> str | None:
    """In UTC. A moment without a zone is one of the clock here."""
    text = call.options.get(name)
    if text is None:
        return None
    ago = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    try:
        if ago:
            moment = datetime.now(UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
        else:
            moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        message = f"--{name} is 10m, 2h, 3d, or a moment like 2026-11-22T17:50; not {text!r:.60}."
        raise usage("logs", message) from error
    return moment.isoformat()


def split(line: str) -> dict[str, str]:
    """`<time> app[web.1]: text` → its parts. Raises UserError for any other line."""
    head, colon, text = line.partition(": ")
    time, _, who = head.partition(" ")
    source, bracket, process = who.removesuffix("]").partition("[")
    if not colon or not bracket:
        if line.endswith(":") and not colon:
            return split(line + " ")
        raise UserError("bad_answer", f"This is no line of a log: {line[:100]}")
    return {"time": time, "source": source, "process": process, "text": text}


def _painted(line: str) -> str:
    head, colon, text = line.partition(": ")
    name = head.rpartition(" ")[2]
    colour = COLOURS[sum(name.encode()) % len(COLOURS)]
    return f"{coloured(head + colon, colour)}{text}\x1b[0m" if colon else line
