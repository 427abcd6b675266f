"""Commands on instances: list, scale, restart, stop."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from paas.cli.call import Call, usage
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.output import (
    coloured,
    header,
    hexagon,
    parsed_time,
    plain,
    print_json,
    print_line,
    progress,
    span,
    when,
)
from paas.client.api import path
from paas.errors import UserError

DYNO = Option("dyno-name", "one instance, as `paas ps` names it", "web.1", "d")
TYPE = Option("process-type", "all instances of a process type", "TYPE", "p")


@command(
    "Lists an app's instances: their process type, package, command, state and age.",
    arguments=[Argument("TYPE", "only these process types", least=0, most=0)],
    options=[APP, REMOTE, JSON],
    examples=["paas ps", "paas ps web -a hello", "paas ps --json | jq -r '.[].name'"],
)
def ps(call: Call) -> None:
    dynos = sorted(call.client.get(path("apps", call.app, "dynos")), key=_order)
    for kind in call.arguments:
        if not any(dyno["type"] == kind for dyno in dynos):
            raise _no_instances(call, kind)
    dynos = [dyno for dyno in dynos if not call.arguments or dyno["type"] in call.arguments]
    if call.json:
        print_json(dynos)
    elif not dynos:
        print_line(f"No instances on {hexagon(call.app)}")
    else:
        _print_groups(dynos)


def _no_instances(call: Call, kind: str) -> UserError:
    """The type is scaled to none, or `kind` is none: perhaps it is the name of an app."""
    types = [str(entry["type"]) for entry in call.client.get(path("apps", call.app, "formation"))]
    if kind in types:
        hint = f"Start one: paas ps:scale {kind}=1 -a {call.app}"
    elif kind in [str(app["name"]) for app in call.client.get("/apps")]:
        hint = f"{kind} is an app: paas ps -a {kind}"
    else:
        hint = f"Its process types: {', '.join(sorted(types)) or 'none before the first push'}"
    return UserError("not_found", f"No {kind} instances on {hexagon(call.app)}.", hint)


def _order(dyno: dict[str, Any]) -> tuple[str, int, str]:
    number = str(dyno["name"]).rpartition(".")[2]
    return str(dyno["type"]), int(number) if number.isdigit() else 0, str(dyno["name"])


def _print_groups(dynos: list[dict[str, Any]]) -> None:
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for dyno in dynos:
        key = tuple(str(dyno.get(name) or "") for name in ("type", "size", "runtime", "command"))
        groups.setdefault(key, []).append(dyno)
    for (kind, size, runtime, command_line), members in groups.items():
        about = plain(", ".join(filter(None, (size, runtime))))
        package = f" ({about})" if about else ""
        header(f"{kind}{package}: {command_line} ({len(members)})")
        for dyno in members:
            state = plain(dyno["state"])
            good = state == "up" and not dyno.get("fails_checks")
            shown = coloured(state, "32" if good else "33")
            line = f"{plain(dyno['name'])}: {shown} {when(dyno.get('updated_at'))}".rstrip()
            told = plain(history(dyno, datetime.now(UTC)))
            print(f"{line} ({told})" if told else line)
        print()


def history(dyno: Mapping[str, Any], now: datetime) -> str:
    """How it ended last, how often it was started again, which limits it hit; empty for nothing.

    `exit 137: out of memory, 3rd restart` of one that is down, `3 restarts, last exit 137: out of
    memory, 2m ago` of one that is up.
    """
    parts = []
    restarts = int(dyno.get("restarts") or 0)
    down = dyno["state"] in ("crashed", "down")
    ended = _ended(dyno)
    if down:
        parts += [ended, f"{_ordinal(restarts)} restart" if restarts else ""]
    elif restarts:
        parts += [_times(restarts, "restart")]
        parts += [f"last {ended}, {_ago(dyno.get('exited_at'), now)}"] if ended else []
    if dyno.get("fails_checks"):
        parts.append("fails its health checks")
    kills, hits = int(dyno.get("oom_kills") or 0), int(dyno.get("lwps_hits") or 0)
    if kills and not (down and dyno.get("exit_reason") == "out of memory"):
        killed = _ago(dyno.get("oom_killed_at"), now)
        parts.append(f"{_times(kills, 'process', 'processes')} killed for memory, {killed}")
    if hits:
        reached = _ago(dyno.get("lwps_hit_at"), now)
        parts.append(f"process limit reached {_times(hits, 'time')}, {reached}")
    return ", ".join(part for part in parts if part)


def _ended(dyno: Mapping[str, Any]) -> str:
    status, reason = dyno.get("exit_status"), dyno.get("exit_reason")
    if status is None:
        return str(reason) if reason else ""
    return f"exit {status}: {reason}" if reason else f"exit {status}"


def _ago(stamp: str | None, now: datetime) -> str:
    time = parsed_time(stamp)
    return f"{span((now - time).total_seconds())} ago" if time else "once"


def _times(count: int, one: str, more: str = "") -> str:
    return f"{count} {one if count == 1 else more or one + 's'}"


def _ordinal(number: int) -> str:
    last = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{last}"


@command(
    "Changes how many instances of each process type run, and their package.\n"
    "Returns when the new instances are ready and those that went have finished.\n"
    "Without changes it prints the formation in a form that ps:scale takes back.",
    arguments=[Argument("CHANGE", "TYPE=COUNT[:PACKAGE], TYPE+COUNT or TYPE-COUNT", 0, 0)],
    options=[APP, REMOTE, JSON],
    examples=[
        "paas ps:scale web=3 worker+1",
        "paas ps:scale web=2:standard-2x",
        "paas ps:scale $(cat formation)     # what `paas ps:scale > formation` printed",
    ],
)
def scale(call: Call) -> None:
    changes = [parse_change(text) for text in call.arguments]
    if not changes:
        _show_formation(call)
        return
    types = [change["type"] for change in changes]
    for kind in types:
        if types.count(kind) > 1:
            raise usage("ps:scale", f"{kind} is given twice.")
    with progress("Scaling dynos") as state:
        answer = call.client.patch(path("apps", call.app, "formation"), {"updates": changes})
        changed = {change["type"] for change in changes}
        now = [_at(entry) for entry in answer if entry["type"] in changed]
        state.result = f"now running {', '.join(now)}"
    if call.json:
        print_json(answer)


def parse_change(text: str) -> dict[str, Any]:
    """`web=3:Standard-2X` → {"type", "quantity": 3, "size"}; `worker+1` has the quantity "+1".

    The form is the Heroku CLI's, and the API takes both kinds of quantity.
    """
    match = re.fullmatch(r"([\w-]+?)(=|\+|-)(\d{1,6})(?::([\w.-]+))?", text, re.ASCII)
    if not match:
        raise usage("ps:scale", f"{text!r} is no change: write web=2, web+1 or web=2:PACKAGE.")
    kind, sign, count, size = match.groups()
    change: dict[str, Any] = {"type": kind}
    change["quantity"] = int(count) if sign == "=" else f"{sign}{count}"
    return change | ({"size": size} if size else {})


def _show_formation(call: Call) -> None:
    formation = sorted(call.client.get(path("apps", call.app, "formation")), key=_by_type)
    if call.json:
        print_json(formation)
        return
    if not formation:
        raise UserError(
            "not_found",
            f"No process types on {hexagon(call.app)}.",
            "They come with the first push: git push paas main",
        )
    print_line(" ".join(f"{e['type']}={e['quantity']}:{e['size']}" for e in formation))


def _by_type(entry: dict[str, Any]) -> str:
    return str(entry["type"])


def _at(entry: dict[str, Any]) -> str:
    return f"{entry['type']} at {entry['quantity']}:{entry['size']}"


@command(
    "Restarts instances: all, those of a process type, or one.",
    arguments=[Argument("DYNO", "one instance, as `paas ps` names it", least=0)],
    options=[APP, REMOTE, DYNO, TYPE],
    examples=["paas ps:restart", "paas ps:restart web.1", "paas ps:restart -p worker -a hello"],
)
def restart(call: Call) -> None:
    target, words = _target(call, "dynos")
    with progress(f"Restarting {words} on {hexagon(call.app)}"):
        call.client.delete(target)


@command(
    "Stops one instance, or all of a process type. The platform starts them again with the\n"
    "next release or restart; to have fewer of them for good, use ps:scale.",
    arguments=[Argument("DYNO", "one instance, as `paas ps` names it", least=0)],
    options=[APP, REMOTE, DYNO, TYPE],
    examples=["paas ps:stop web.2", "paas ps:stop -p worker -a hello"],
)
def stop(call: Call) -> None:
    if not call.arguments and not call.options.keys() & {DYNO.name, TYPE.name}:
        raise usage("ps:stop", "Say what to stop: an instance (web.1) or -p TYPE.")
    target, words = _target(call, "")
    with progress(f"Stopping {words} on {hexagon(call.app)}"):
        call.client.post(f"{target}/actions/stop")


def _target(call: Call, everything: str) -> tuple[str, str]:
    """The API's path of what was named, and the words for it."""
    dyno = call.arguments[0] if call.arguments else call.options.get(DYNO.name)
    kind = call.options.get(TYPE.name)
    if dyno and kind:
        raise usage(call.command, "Name an instance or a process type, not both.")
    if kind:
        return path("apps", call.app, "formations", kind), f"all {kind} dynos"
    if dyno and "." not in dyno:
        return path("apps", call.app, "formations", dyno), f"all {dyno} dynos"
    if dyno:
        return path("apps", call.app, "dynos", dyno), f"dyno {dyno}"
    return path("apps", call.app, everything), "all dynos"
