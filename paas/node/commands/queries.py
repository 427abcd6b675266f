"""What `vmadm` only asks: list, lookup, get, events, help."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from paas.errors import UserError
from paas.node.commands import listing, manual
from paas.node.commands.ask import Node
from paas.node.commands.words import Words
from paas.system.plaintext import plain


def list_(node: Node, typed: Words) -> str | None:
    columns = typed.options.get("order", listing.COLUMNS).split(",")
    keys = typed.options.get("sortby", listing.ORDER).split(",")
    tests = _tests(typed, "filter")
    _refuse_unknown(columns, "order field", stars=False)
    _refuse_unknown([key.lstrip("+-") for key in keys], "sort field", stars=False)
    parsable = "parsable" in typed.options
    header = "header" in typed.options or not (parsable or "no-header" in typed.options)
    machines = [vm for vm in node.ask("list") if all(test(vm) for test in tests)]
    shown = listing.in_order(machines, keys)
    for row in listing.rows(shown, columns, parsable=parsable, header=header):
        print(plain(row))
    return None


def lookup(node: Node, typed: Words) -> str | None:
    fields = typed.options["output"].split(",") if "output" in typed.options else []
    if fields and "json" not in typed.options:
        raise UserError("invalid_params", "Cannot specify -o without -j")
    _refuse_unknown(fields, "output field")
    tests = _tests(typed, "lookup")
    found = [vm for vm in node.ask("list") if all(test(vm) for test in tests)]
    if "unique" in typed.options and len(found) != 1:
        text = f"Requested unique lookup but found {len(found)} results."
        raise UserError("invalid_params", text)
    if "json" in typed.options:
        print(json.dumps([_picked(vm, fields) for vm in found], indent=2))
    else:
        for vm in found:
            print(vm["uuid"])
    return None


def get(node: Node, typed: Words) -> str | None:
    print(json.dumps(node.ask("get", uuid=typed.uuid()), indent=2))
    return None


def events(node: Node, typed: Words) -> str | None:
    from paas.node.commands.event_lines import lines

    wanted = typed.uuid() if typed.rest else None
    full = "full" in typed.options
    for event in node.events():
        if event["type"] == "ready" and "ready" not in typed.options:
            continue
        if wanted is not None and event.get("uuid", wanted) != wanted:
            continue
        shown = [json.dumps(event)] if "json" in typed.options else lines(event, full=full)
        for line in shown:
            print(plain(line), flush=True)
    return None


def help_(_node: Node, typed: Words) -> str | None:
    if typed.rest[:1] == ["properties"]:
        from paas.node.commands.property_lines import lines

        print("\n".join(lines()))
    else:
        print(manual.usage())
    return None


def _tests(typed: Words, what: str) -> list[Callable[[Any], bool]]:
    from paas.node.machines.lookup import test

    found = []
    for key, wanted in typed.assignments():
        _refuse_unknown([key], f"{what} key")
        try:
            found.append(test(key, wanted))
        except Exception as error:  # re.error: whatever is wrong with a regular expression.
            raise UserError("invalid_params", f"{key}={wanted}: {error}") from error
    return found


def _refuse_unknown(names: Sequence[str], what: str, *, stars: bool = True) -> None:
    """The names of columns need no table: it is loaded for others."""
    if all(name in listing.KNOWN for name in names):
        return
    from paas.node.machines.fields import unknown

    for name in names:
        if unknown([name]) or (not stars and ".*" in name):
            raise UserError("invalid_params", f'Invalid {what}: "{name}"')


def _picked(vm: dict[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    from paas.node.machines.lookup import value

    if not fields:
        return vm
    found = {field: value(vm, field) for field in fields}
    return {field: item for field, item in found.items() if item is not None}
