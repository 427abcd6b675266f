"""`vmadm`: the operator's command for machines, as on SmartOS (vmadm(8)).

Data on stdout; every text for people, success too, on stderr. Exit status 0, 1 for an error, 2 for
wrong usage. Starting what runs and stopping what is stopped succeeds. It knows nothing itself.
"""

import argparse
import contextlib
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paas.errors import UserError
from paas.node.commands.ask import Node
from paas.node.errors import NodeError
from paas.node.machines import lookup
from paas.node.machines.fields import unknown
from paas.node.machines.payload import dropped
from paas.settings import load
from paas.system.plaintext import plain

Machine = dict[str, Any]
_COLUMNS = "uuid,type,ram,state,alias"
_GRACE_S = 10.0
_GRACE_MAX_S = 3600.0
"""The node waits no longer."""
_WIDTHS = {"uuid": 36, "type": 4, "ram": 8, "state": 17, "alias": 20}


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script; returns the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    options = _parser().parse_args(_joined(words))
    try:
        options.run(Node(load().node_socket), options)
        sys.stdout.flush()
    except NodeError as error:
        return _fail(error.message, 1)
    except UserError as error:
        return _fail(error.message, error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        return 1
    except OSError as error:
        with contextlib.suppress(OSError):
            sys.stdout.close()  # Or it would be tried once more at the end, with a traceback.
        return _fail(f"{error.filename or 'output'}: {error.strerror}", 1)
    except KeyboardInterrupt:
        return 130
    return 0


def _list(node: Node, options: argparse.Namespace) -> None:
    columns = options.output.split(",")
    keys = [key.lstrip("+-") for key in options.sort.split(",")]
    _refuse_unknown([*columns, *keys])
    machines = _filtered(node.ask("list"), options.filters)
    rows = table(sort(machines, options.sort), columns, options.parsable, options.no_header)
    print(plain(rows), end="")


def _get(node: Node, options: argparse.Namespace) -> None:
    print(json.dumps(node.ask("get", uuid=options.uuid), indent=2))


def _lookup(node: Node, options: argparse.Namespace) -> None:
    fields = options.output.split(",") if options.output else []
    _refuse_unknown(fields)
    found = _filtered(node.ask("list"), options.filters)
    if options.unique and len(found) != 1:
        raise UserError("not_found", f"Requested unique lookup but found {len(found)} results.", "")
    if options.json:
        shown = [_picked(vm, fields) if fields else vm for vm in found]
        print(json.dumps(shown, indent=2))
        return
    for vm in found:
        print(vm["uuid"])


def _create(node: Node, options: argparse.Namespace) -> None:
    payload = _payload(options)
    vm = node.ask("create", payload=payload)
    _say(f"Successfully created VM {vm['uuid']}")
    _warn(dropped(payload, update=False))


def _update(node: Node, options: argparse.Namespace) -> None:
    """What a program sends is taken as far as it can be, as on SmartOS; what is typed, whole."""
    typed = dict(_assignment(item) for item in options.changes)
    changes = typed or _payload(options)
    if changes.get("uuid", options.uuid) != options.uuid:
        raise UserError("invalid_params", f"{options.uuid} can't become another VM: uuid")
    without_effect = dropped(changes, update=True)
    if without_effect and (typed or not changes.keys() - {"uuid", *without_effect}):
        names = ",".join(without_effect)
        raise UserError("invalid_params", f"Can't be updated: {names}. Nothing was changed.")
    node.ask("update", uuid=options.uuid, payload=changes)
    _say(f"Successfully updated VM {options.uuid}")
    _warn(without_effect)


def _start(node: Node, options: argparse.Namespace) -> None:
    node.ask("start", uuid=options.uuid)
    _completed("start", options.uuid)


def _stop(node: Node, options: argparse.Namespace) -> None:
    _end(node, "stop", options, options.timeout)


def _reboot(node: Node, options: argparse.Namespace) -> None:
    _end(node, "reboot", options, _GRACE_S)


def _end(node: Node, verb: str, options: argparse.Namespace, grace_s: float) -> None:
    patience_s = min(_GRACE_MAX_S, max(0.0, grace_s))
    node.ask(verb, patience_s=patience_s, uuid=options.uuid, force=options.force, timeout_s=grace_s)
    _completed(verb, options.uuid)


def _kill(node: Node, options: argparse.Namespace) -> None:
    node.ask("kill", uuid=options.uuid, signal=options.signal)
    _completed("kill", options.uuid)


def _delete(node: Node, options: argparse.Namespace) -> None:
    node.ask("delete", uuid=options.uuid)
    _completed("delete", options.uuid)


def _create_snapshot(node: Node, options: argparse.Namespace) -> None:
    node.ask("create_snapshot", uuid=options.uuid, name=options.snapshot)
    _say(f'Created snapshot "{options.snapshot}" for VM {options.uuid}')


def _rollback_snapshot(node: Node, options: argparse.Namespace) -> None:
    node.ask("rollback_snapshot", uuid=options.uuid, name=options.snapshot)
    _say(f'Successfully rolled back VM {options.uuid} to snapshot "{options.snapshot}"')


def _delete_snapshot(node: Node, options: argparse.Namespace) -> None:
    node.ask("delete_snapshot", uuid=options.uuid, name=options.snapshot)
    _say(f'Successfully deleted snapshot "{options.snapshot}" from VM {options.uuid}')


def _events(node: Node, options: argparse.Namespace) -> None:
    for event in node.events():
        if event["type"] == "ready" and not options.ready:
            continue
        if options.uuid in (None, event.get("uuid")):
            print(json.dumps(event) if options.json else plain(event_line(event)), flush=True)


def table(
    machines: Sequence[Machine], columns: Sequence[str], parsable: bool, no_header: bool
) -> str:
    """The rows of `vmadm list`. A missing value is `-`; TYPE has four characters."""
    rows = [] if no_header or parsable else [[column.upper() for column in columns]]
    rows += [[_cell(vm, column) for column in columns] for vm in machines]
    if parsable:
        return "".join(":".join(cell.replace(":", "\\:") for cell in row) + "\n" for row in rows)
    widths = [
        max([_WIDTHS.get(column, 0), *(len(row[number]) for row in rows)])
        for number, column in enumerate(columns)
    ]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)) for row in rows)
    return "".join(line.rstrip() + "\n" for line in lines)


def sort(machines: Sequence[Machine], keys: str) -> list[Machine]:
    """By comma-separated properties; `-` before one reverses it."""
    ordered = list(machines)
    for key in reversed(keys.split(",")):
        name = key.lstrip("+-")
        ordered.sort(key=lambda vm: _order(lookup.value(vm, name)), reverse=key.startswith("-"))
    return ordered


def event_line(event: dict[str, Any]) -> str:
    changes = ", ".join(
        f"{change['prettyPath']}: {change.get('from')} -> {change.get('to')}"
        for change in event.get("changes", [])
    )
    alias = event.get("vm", {}).get("alias", "-")
    return f"[{event['date']}] {event['type']} {event.get('uuid', '-')} {alias} {changes}".rstrip()


def _filtered(machines: Sequence[Machine], filters: Sequence[str]) -> list[Machine]:
    kept = list(machines)
    _refuse_unknown([item.partition("=")[0] for item in filters if "=" in item])
    for item in filters:
        key, equals, wanted = item.partition("=")
        if not equals:
            raise UserError("invalid_params", f"{item!r} is not key=value", exit_code=2)
        try:
            test = lookup.test(key, wanted)
        except re.error as error:
            raise UserError("invalid_params", f"{item!r}: {error}", exit_code=2) from error
        kept = [vm for vm in kept if test(vm)]
    return kept


def _picked(vm: Machine, fields: Sequence[str]) -> dict[str, Any]:
    found = {field: lookup.value(vm, field) for field in fields}
    return {field: item for field, item in found.items() if item is not None}


def _cell(vm: Machine, column: str) -> str:
    found = lookup.value(vm, column)
    text = lookup.text(found) if found not in (None, "") else "-"
    return text[:4] if column == "type" else text


def _order(found: Any) -> tuple[int, float, str]:
    if isinstance(found, (int, float)):
        return (1, float(found), "")
    return (0, 0.0, "") if found is None else (2, 0.0, lookup.text(found))


def _assignment(item: str) -> tuple[str, Any]:
    key, equals, text = item.partition("=")
    if not equals:
        raise UserError("invalid_params", f"{item!r} is not property=value", exit_code=2)
    return key, text


def _payload(options: argparse.Namespace) -> dict[str, Any]:
    try:
        text = Path(options.file).read_text() if options.file else sys.stdin.read()
        payload = json.loads(text)
    except OSError as error:
        raise UserError("invalid_params", f"{options.file}: {error.strerror}") from error
    except ValueError as error:
        raise UserError("invalid_params", f"Invalid JSON payload: {error}") from error
    if not isinstance(payload, dict):
        raise UserError("invalid_params", "Invalid JSON payload: not an object")
    return payload


def _joined(words: list[str]) -> list[str]:
    """`-s -ram,uuid` and `kill -SIGTERM`, as vmadm(8) writes them, in the parser's form."""
    verb = next((word for word in words if not word.startswith("-")), "")
    found: list[str] = []
    for word in words:
        if found and found[-1] == "-s" and re.fullmatch(r"-[A-Za-z].+", word):
            found[-1] += word
        elif verb == "kill" and re.fullmatch(r"-(SIG)?[A-Z][A-Z0-9]+", word):
            found += ["-s", word[1:]]
        else:
            found.append(word)
    return found


def _refuse_unknown(names: Sequence[str]) -> None:
    wrong = unknown(names)
    if wrong:
        text = f"Invalid field name: {','.join(wrong)}"
        raise UserError("invalid_params", text, exit_code=2)


def _warn(names: Sequence[str]) -> None:
    """Behind the line of success, which programs expect first."""
    if names:
        _say(f"Dropped, for they mean nothing here: {','.join(names)}")


def _completed(verb: str, uuid: str) -> None:
    _say(f"Successfully completed {verb} for VM {uuid}")


def _say(text: str) -> None:
    print(plain(text), file=sys.stderr)


def _fail(message: str, status: int) -> int:
    _say(message)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vmadm", description="Machines of this node.")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="command")
    listing = _verb(verbs, "list", _list, "machines as rows", uuid=False)
    listing.add_argument("-p", dest="parsable", action="store_true", help="`:` between values")
    listing.add_argument("-H", dest="no_header", action="store_true", help="no header")
    listing.add_argument("-o", dest="output", default=_COLUMNS, help="columns")
    listing.add_argument("-s", dest="sort", default="ram,uuid", help="order; -key reverses")
    listing.add_argument("filters", nargs="*", metavar="key=value")
    for name in ("get", "json"):
        _verb(verbs, name, _get, "a machine as JSON")
    lookup = _verb(verbs, "lookup", _lookup, "uuids of machines", uuid=False)
    lookup.add_argument("-j", dest="json", action="store_true", help="JSON")
    lookup.add_argument("-1", dest="unique", action="store_true", help="exactly one")
    lookup.add_argument("-o", dest="output", default="", help="properties, with -j")
    lookup.add_argument("filters", nargs="*", metavar="key=[~]value")
    create = _verb(verbs, "create", _create, "from JSON on standard input", uuid=False)
    create.add_argument("-f", dest="file", default="")
    update = _verb(verbs, "update", _update, "from JSON, or property=value")
    update.add_argument("-f", dest="file", default="")
    update.add_argument("changes", nargs="*", metavar="property=value")
    for name in ("start", "boot"):
        _verb(verbs, name, _start, "boot a machine")
    for name in ("stop", "halt"):
        stop = _verb(verbs, name, _stop, "stop a machine")
        stop.add_argument("-F", dest="force", action="store_true", help="at once")
        stop.add_argument("-t", dest="timeout", type=float, default=_GRACE_S, help="grace, seconds")
    reboot = _verb(verbs, "reboot", _reboot, "stop and boot a machine")
    reboot.add_argument("-F", dest="force", action="store_true", help="at once")
    kill = _verb(verbs, "kill", _kill, "signal the first process")
    kill.add_argument("-s", dest="signal", default="SIGKILL")
    for name in ("delete", "destroy"):
        _verb(verbs, name, _delete, "remove a machine and its data")
    for name, run, help in (
        ("create-snapshot", _create_snapshot, "keep a machine's data as it is now"),
        ("rollback-snapshot", _rollback_snapshot, "go back to a snapshot; later ones are lost"),
        ("delete-snapshot", _delete_snapshot, "forget a snapshot"),
    ):
        _verb(verbs, name, run, help).add_argument("snapshot", metavar="snapname")
    events = _verb(verbs, "events", _events, "what happens, as it happens", uuid=False)
    events.add_argument("-j", dest="json", action="store_true", help="JSON lines")
    events.add_argument("-f", dest="full", action="store_true", help="nothing is cut (always so)")
    events.add_argument("-r", dest="ready", action="store_true", help="begin with all machines")
    events.add_argument("uuid", nargs="?")
    return parser


def _verb(verbs: Any, name: str, run: Any, help: str, *, uuid: bool = True) -> Any:
    parser = verbs.add_parser(name, help=help)
    parser.set_defaults(run=run)
    if uuid:
        parser.add_argument("uuid")
    return parser


if __name__ == "__main__":
    sys.exit(main())
