"""Commands in machines of their own, and what is done inside instances."""

import os
import re
import shlex
import socket
import threading
from pathlib import Path
from typing import Any

from paas.cli.call import Call, usage
from paas.cli.command import APP, JSON, REMOTE, Argument, Option, command
from paas.cli.output import note, print_json, print_line, progress
from paas.client import attach
from paas.client.api import path
from paas.errors import UserError

NO_TTY = Option("no-tty", "no terminal there, also where there is one here: bytes stay as they are")
SIZE = Option("size", "the package of its machine (default: standard-512m)", "PACKAGE", "s")
ENVIRONMENT = Option("env", "a further variable, as often as needed", "NAME=VALUE", "e", True)
TYPE = Option("type", "with the folder and runtimes of this process type", "TYPE")
LIMIT = Option("time-limit", "end it after so long: 90s, 10m, 24h (default: 24h)", "TIME")
DETACH = Option("detach", "return at once; its output goes to the app's log", short="d")
EXIT_CODE = Option("exit-code", "exit as the command does, which happens in any case", short="x")
_UNITS = {"s": 1, "m": 60, "h": 3600, "": 1}
_NAME = re.compile(
    r"(cron\.[a-z][a-z0-9-]{0,29}\.|[a-zA-Z0-9][a-zA-Z0-9_-]{0,29}\.)[1-9][0-9]{0,5}"
    r"|[a-zA-Z0-9][a-zA-Z0-9_-]{0,29}"
)


@command(
    "Runs a command in a machine of its own: the current release's image, with the config vars.\n"
    "It is attached to this terminal, or to this command's input and output where one of them is\n"
    "a file or a pipe; who closes the connection ends it. One word is a line for bash; several\n"
    "words are run as they are. A first word that is a process type stands for its command.\n"
    "Options come before the command.",
    arguments=[Argument("COMMAND", "what to run", 1, 0, verbatim=True)],
    options=[APP, REMOTE, DETACH, SIZE, ENVIRONMENT, LIMIT, TYPE, NO_TTY, EXIT_CODE, JSON],
    examples=[
        "paas run bash",
        "paas run -a hello node --version",
        "paas run 'echo $DATABASE_URL | cut -c1-8'",
        "paas run node migrate.js < data.json > result.json",
        "paas run -d --size standard-1g --time-limit 30m -e BATCH=1000 node import.js",
    ],
)
def run(call: Call) -> int:
    attached = DETACH.name not in call.flags
    if call.json and attached:
        raise usage("run", "--json is for runs with --detach.")
    terminal = attached and NO_TTY.name not in call.flags and attach.is_terminal()
    body = {
        "command": _line(call.arguments),
        "attach": attached,
        "force_no_tty": not terminal,
        "env": _environment(call, terminal=terminal),
        "size": call.options.get(SIZE.name),
        "type": call.options.get(TYPE.name),
        "time_to_live": _seconds(call),
    }
    if attached:
        dyno = call.client.post(path("apps", call.app, "dynos"), body)
        if terminal:
            note(f"Running {body['command']} on {call.app} as {dyno['name']}")
        return _attach(call, dyno["attach_url"], terminal=terminal)
    with progress(f"Running {body['command']} on {call.app}") as state:
        dyno = call.client.post(path("apps", call.app, "dynos"), body)
        state.result = str(dyno["name"])
    if call.json:
        print_json(dyno)
    else:
        print_line(f"Its output: paas logs -a {call.app} -d {dyno['name']}")
    return 0


@command(
    "Runs a command in an instance that runs, beside the app; without one, a shell. It has the\n"
    "app's own rights and shares its limits. Options come before the command.",
    arguments=[
        Argument("DYNO", "the instance, as `paas ps` names it"),
        Argument("COMMAND", "what to run (default: bash)", 0, 0, verbatim=True),
    ],
    options=[APP, REMOTE, ENVIRONMENT, NO_TTY],
    examples=[
        "paas exec web.1",
        "paas exec web.1 cat /proc/meminfo",
        "paas exec -a hello web.1 tar -c -C /app uploads > uploads.tar",
    ],
)
def execute(call: Call) -> int:
    dyno, words = call.arguments[0], call.arguments[1:]
    terminal = NO_TTY.name not in call.flags and attach.is_terminal()
    body = {
        "command": _line(words),
        "force_no_tty": not terminal,
        "env": _environment(call, terminal=terminal),
    }
    answer = call.client.post(path("apps", call.app, "dynos", _checked(call, dyno)), body)
    return _attach(call, answer["attach_url"], terminal=terminal)


@command(
    "Copies a file out of an instance. For folders: paas exec web.1 tar -c FOLDER > files.tar",
    arguments=[
        Argument("SOURCE", "instance and file: web.1:/app/uploads/a.png"),
        Argument("TARGET", "where to, here (default: the file's name)", least=0),
    ],
    options=[APP, REMOTE],
    examples=["paas ps:copy web.1:/tmp/heap.heapsnapshot", "paas ps:copy web.1:log.txt /tmp/log"],
)
def copy(call: Call) -> int:
    dyno, colon, source = call.arguments[0].partition(":")
    if not colon or not source or source.endswith("/"):
        raise usage("ps:copy", "Name an instance and a file: web.1:/app/file.")
    target = Path(call.arguments[1] if len(call.arguments) > 1 else source.rpartition("/")[2])
    if target.is_dir():
        target /= source.rpartition("/")[2]
    body = {"command": shlex.join(["cat", "--", source]), "force_no_tty": True}
    answer = call.client.post(path("apps", call.app, "dynos", _checked(call, dyno)), body)
    return _copied(call, answer["attach_url"], target)


@command(
    "Takes connections to a port here and brings them to an instance's port, also where that is\n"
    "open to the instance alone, as Node.js's inspector is. Until Ctrl-C.",
    arguments=[
        Argument("DYNO", "the instance, as `paas ps` names it"),
        Argument("PORT", "[HERE:]THERE", 1, 0),
    ],
    options=[APP, REMOTE],
    examples=[
        "paas forward web.1 9229            # then chrome://inspect",
        "paas forward web.1 8080:3000 -a hello",
    ],
)
def forward(call: Call) -> int:
    dyno = _checked(call, call.arguments[0])
    pairs = [_ports(text) for text in call.arguments[1:]]
    listeners = [(_listener(here), there) for here, there in pairs]
    # Before anybody connects: what can't be is said at once.
    target = path("smartplatform", "apps", call.app, "dynos", dyno, "ports")
    call.client.get(path("apps", call.app, "dynos", dyno))
    for listener, there in listeners:
        here = listener.getsockname()[1]
        note(f"Listening on 127.0.0.1:{here} for {dyno}:{there}")
        threading.Thread(
            target=_accept, args=(call, listener, f"{target}/{there}"), daemon=True
        ).start()
    threading.Event().wait()
    return 0


def _line(words: list[str]) -> str:
    """One word is a line of shell; several are what they are, whatever is in them."""
    return words[0] if len(words) == 1 else shlex.join(words)


def _environment(call: Call, *, terminal: bool) -> dict[str, str]:
    found = {}
    for pair in call.repeated.get(ENVIRONMENT.name, ()):
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise usage(call.command, f"--env is NAME=VALUE, not {pair!r:.60}.")
        found[name] = value
    if terminal:
        columns, rows = os.get_terminal_size(1)
        found |= {"TERM": os.environ.get("TERM") or "dumb"}
        found |= {"COLUMNS": str(columns), "LINES": str(rows)}
    return found


def _seconds(call: Call) -> int | None:
    text = call.options.get(LIMIT.name)
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smh]?)", text)
    seconds = int(match[1]) * _UNITS[match[2]] if match else 0
    if not 0 < seconds <= 24 * 3600:
        raise usage("run", f"--time-limit is 90s, 10m or 2h, at most 24h; not {text!r}.")
    return seconds


def _checked(call: Call, dyno: str) -> str:
    if not _NAME.fullmatch(dyno):
        raise usage(call.command, f"{dyno!r} names no instance: `paas ps` lists them.")
    return dyno if "." in dyno else f"{dyno}.1"


def _attach(call: Call, url: str, *, terminal: bool) -> int:
    status, said = attach.attach(call.client.endpoint, url, terminal=terminal)
    if said:
        note(f" !     Ended: {said}.")
    return status


def _copied(call: Call, url: str, target: Path) -> int:
    """Into a new file that takes the target's place when it is whole."""
    unfinished = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        with unfinished.open("xb") as file:
            status, said, complaint = attach.output(call.client.endpoint, url, file.write)
        if status:
            reason = complaint.strip().removeprefix("cat: ") or said
            raise UserError("not_copied", f"It could not be copied: {reason}.")
        unfinished.replace(target)
    except OSError as error:
        raise UserError("not_copied", f"{target} can't be written: {error.strerror}.") from error
    finally:
        unfinished.unlink(missing_ok=True)
    note(f"Copied {target.stat().st_size} bytes to {target}")
    return 0


def _ports(text: str) -> tuple[int, int]:
    here, colon, there = text.partition(":")
    found = [int(each) if re.fullmatch(r"[0-9]{1,5}", each) else -1 for each in (here, there)]
    if not colon:
        found[1] = found[0]
    if not 0 <= found[0] < 65536 or not 0 < found[1] < 65536:
        raise usage("forward", f"{text!r} is no port: write 9229 or 8080:3000.")
    return found[0], found[1]


def _listener(port: int) -> socket.socket:
    try:
        return socket.create_server(("127.0.0.1", port))
    except OSError as error:
        message = f"Port {port} here can't be listened on: {error.strerror}."
        hint = f"Choose another: paas forward web.1 0:{port}"
        raise UserError("port_taken", message, hint) from error


def _accept(call: Call, listener: socket.socket, target: str) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_bring, args=(call, connection, target), daemon=True).start()


def _bring(call: Call, connection: socket.socket, target: str) -> None:
    from paas.client.api import Client

    with connection:
        try:
            answer: dict[str, Any] = Client(call.client.endpoint).post(target, {})
            said = attach.bridge(call.client.endpoint, answer["attach_url"], connection)
        except UserError as error:
            said = error.message
        if said:
            note(f" !     {said}")
