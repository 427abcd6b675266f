"""`vmadm`: the operator's command for machines, as on SmartOS (vmadm(8)).

Data on stdout; every text for people, success too, on stderr, in SmartOS's words, which programs
read. Exit status 0, 1 for an error, 2 for wrong usage. Starting what runs and stopping what is
stopped succeeds. What it can be told is in `manual`; it knows nothing of machines itself.
"""

import contextlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from paas.errors import UserError
from paas.node.commands import manual, queries, words
from paas.node.commands.ask import Node
from paas.node.commands.words import Usage, Words
from paas.node.errors import NodeError
from paas.settings import load
from paas.system.plaintext import plain

_GRACE_S, _DOCKER_GRACE_S, _GRACE_MAX_S = 60.0, 10.0, 3600.0
"""SmartOS's for zones, and for docker's; the node waits no longer than the last."""

_STREAM_S = 24 * 3600.0
"""How long a machine may be on its way; what stands still is given up much sooner."""
_MUST_RUN = 'must be "running" or "stopping".'


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script; returns the exit status."""
    try:
        return _run(list(sys.argv[1:] if arguments is None else arguments))
    except Usage as error:
        return _fail("\n".join(filter(None, (str(error), manual.usage()))), 2)
    except NodeError as error:
        return _fail(error.message, 1)
    except UserError as error:
        return _fail(error.message, error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        with contextlib.suppress(OSError):
            sys.stdout.close()  # Or it would be tried once more at the end, with a traceback.
        return _fail(f"{error.filename or 'output'}: {error.strerror}", 1)
    except KeyboardInterrupt:
        return 130


def _run(typed: list[str]) -> int:
    if typed[:1] in (["-h"], ["-?"], ["--help"]):
        typed = ["help"]
    parsed = words.parse(typed)
    said = _RUN[parsed.command.names[0]](Node(load().node_socket), parsed)
    sys.stdout.flush()
    if said:
        _say(said)
    return 0


def _create(node: Node, typed: Words) -> str:
    payload = _object(_payload(typed))
    vm = node.ask("create", payload=payload)
    said = f"Successfully created VM {vm['uuid']}" + _not_run(payload.get("customer_metadata"))
    return _with_dropped(said, _dropped(payload, update=False))


def _update(node: Node, typed: Words) -> str:
    """What a program sends is taken as far as it can be, as on SmartOS; what is typed, whole."""
    uuid = typed.uuid()
    given = dict(typed.assignments())
    changes = given or _object(_payload(typed))
    if changes.get("uuid", uuid) != uuid:
        raise UserError("invalid_params", f"{uuid} can't become another VM: uuid")
    without_effect = _dropped(changes, update=True)
    if without_effect and given:
        names = ",".join(without_effect)
        raise UserError("invalid_params", f"Can't be updated: {names}. Nothing was changed.")
    node.ask("update", uuid=uuid, payload=changes)
    said = f"Successfully updated VM {uuid}" + _not_run(changes.get("set_customer_metadata"))
    return _with_dropped(said, without_effect)


def _validate(_node: Node, typed: Words) -> str:
    from paas.node.machines.payload import validate

    action = typed.rest[0] if typed.rest else ""
    if action not in ("create", "update"):
        raise Usage("Will not validate without a valid action.")
    if len(typed.rest) != (1 if action == "create" else 2):
        raise Usage("Will not validate without a valid action and brand.")
    payload = _object(_payload(typed))
    brand = payload.get("brand", "joyent") if action == "create" else typed.rest[1]
    problems = validate(action, brand, payload)
    if problems is not None:
        raise UserError("invalid_params", json.dumps(problems, indent=2))
    return f"VALID '{action}' payload for {brand} brand VMs."


def _start(node: Node, typed: Words) -> str:
    uuid = typed.uuid()
    for key, _ in typed.assignments():
        if key not in ("order", "disk", "cdrom"):
            raise Usage(f"Invalid argument to start: {key}")
        raise UserError("invalid_params", f"Unable to start VM {uuid}: {key} is for kvm and bhyve")
    ran = node.ask("get", uuid=uuid)["state"] == "running"
    with _told(f"Unable to start VM {uuid}: "):
        node.ask("start", uuid=uuid)
    return f"VM {uuid} is already 'running'" if ran else f"Successfully started VM {uuid}"


def _stop(node: Node, typed: Words) -> str:
    uuid = typed.uuid()
    typed.no_more()
    state = _end(node, "stop", uuid, typed)
    if state == "running":
        return f"Successfully completed stop for VM {uuid}"
    return f"VM {uuid} is already not 'running' (currently: {state})"


def _reboot(node: Node, typed: Words) -> str:
    uuid = typed.uuid()
    typed.no_more()
    _end(node, "reboot", uuid, typed)
    return f"Successfully completed reboot for VM {uuid}"


def _end(node: Node, verb: str, uuid: str, typed: Words) -> str:
    """The state that it was in before."""
    vm = node.ask("get", uuid=uuid)
    grace_s = _DOCKER_GRACE_S if vm.get("docker") else _GRACE_S
    if "timeout" in typed.options:
        grace_s = _seconds(typed.options["timeout"])
    force = "force" in typed.options
    node.ask(verb, patience_s=grace_s, uuid=uuid, force=force, timeout_s=grace_s)
    return str(vm["state"])


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        raise Usage(f"Invalid timeout: {text}") from None
    if not found >= 0:
        raise Usage(f"Invalid timeout: {text}")
    return min(found, _GRACE_MAX_S)


def _kill(node: Node, typed: Words) -> str:
    signal = typed.options.get("signal", "SIGTERM").lstrip("-")
    uuid = typed.uuid()
    typed.no_more()
    node.ask("kill", uuid=uuid, signal=signal)
    return f'Sent signal "{signal}" to init process for VM {uuid}'


def _delete(node: Node, typed: Words) -> str:
    uuid = typed.uuid()
    with _told(f"Failed to delete VM {uuid}: "):
        node.ask("delete", uuid=uuid)
    return f"Successfully deleted VM {uuid}"


def _reprovision(node: Node, typed: Words) -> str:
    uuid = typed.uuid()
    image = _object(_payload(typed)).get("image_uuid")
    with _told(f"Failed to reprovision VM {uuid}: "):
        if not isinstance(image, str):
            raise UserError("invalid_params", "payload is missing image_uuid")
        node.ask("reprovision", uuid=uuid, image_uuid=image)
    return f"Successfully reprovisioned VM {uuid}"


def _send(node: Node, typed: Words) -> str:
    uuid = typed.uuid()
    typed.no_more()
    if sys.stdout.isatty():
        raise UserError("invalid_params", "Cannot send VM to a TTY.")
    descriptors = [sys.stdout.fileno()]
    node.ask("send", patience_s=_STREAM_S, descriptors=descriptors, uuid=uuid, timeout_s=_GRACE_S)
    return f"Successfully sent VM {uuid}"


def _receive(node: Node, typed: Words) -> str:
    typed.no_more()
    name = typed.options.get("file", "-")
    if name == "-" and sys.stdin.isatty():
        raise UserError("invalid_params", "Cannot receive VM from a TTY.")
    with sys.stdin if name == "-" else Path(name).open("rb") as source:
        vm = node.ask("receive", patience_s=_STREAM_S, descriptors=[source.fileno()])
    return f"Successfully received VM {vm['uuid']}"


def _install(node: Node, typed: Words) -> str:
    uuid = typed.uuid()
    typed.no_more()
    node.ask("install", uuid=uuid)
    return f"Successfully installed VM {uuid}"


def _console(node: Node, typed: Words) -> str | None:
    uuid = typed.uuid()
    typed.no_more()
    state = node.ask("get", uuid=uuid)["state"]
    if state != "running":
        text = f'cannot connect to console when state is "{state}" must be "running".'
        raise UserError("invalid_params", text)
    from paas.node.commands.console import show

    show(load().machines_run / uuid, uuid)
    return None


def _create_snapshot(node: Node, typed: Words) -> str:
    return f"Created snapshot {_snapshot(node, 'create_snapshot', typed)}"


def _rollback_snapshot(node: Node, typed: Words) -> str:
    return f"Rolled back snapshot {_snapshot(node, 'rollback_snapshot', typed)}"


def _delete_snapshot(node: Node, typed: Words) -> str:
    return f"Deleted snapshot {_snapshot(node, 'delete_snapshot', typed)}"


def _snapshot(node: Node, verb: str, typed: Words) -> str:
    uuid, name = typed.uuid(), typed.one()
    node.ask(verb, uuid=uuid, name=name)
    return f"{name} for VM {uuid}"


def _info(node: Node, typed: Words) -> str:
    uuid = typed.uuid()
    vm = node.ask("get", uuid=uuid)
    why = f"no info types supported for brand {vm['brand']}"
    if vm["state"] != "running":
        why = f'Unable to get info for vm from state "{vm["state"]}", {_MUST_RUN}'
    raise UserError("invalid_params", f"Unable to get VM info for VM {uuid}: {why}")


def _sysrq(node: Node, typed: Words) -> str:
    uuid, kind = typed.uuid(), typed.one()
    if kind not in ("nmi", "screenshot"):
        raise Usage(f"Invalid sysrq type: {kind}")
    state = node.ask("get", uuid=uuid)["state"]
    text = 'The sysrq command is only supported for VMs  with brand "bhyve" or "kvm".'
    if state != "running":
        text = f'Unable to send request to vm from state "{state}", {_MUST_RUN}'
    raise UserError("invalid_params", text)


def _dropped(payload: dict[str, Any], *, update: bool) -> list[str]:
    from paas.node.machines.payload import dropped

    return dropped(payload, update=update)


def _payload(typed: Words) -> Any:
    """Raises Usage, and UserError in SmartOS's words."""
    name = typed.options.get("file", "-")
    if name == "-" and sys.stdin.isatty():
        raise Usage(f"Will not {typed.name} from stdin when stdin is a tty.")
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text()
        return json.loads(text)
    except FileNotFoundError:
        raise UserError("invalid_params", f"File: {name} does not exist.") from None
    except OSError as error:
        raise UserError("invalid_params", f"Error reading: {name} {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError("invalid_params", f"Invalid JSON payload: {error}") from error


def _object(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise UserError("invalid_params", "Invalid JSON payload: not an object")
    return payload


@contextlib.contextmanager
def _told(prefix: str) -> Any:
    """What goes wrong is said with these words before it."""
    try:
        yield
    except (NodeError, UserError) as error:
        raise UserError("invalid_params", prefix + error.message) from error


def _with_dropped(success: str, names: Sequence[str]) -> str:
    """Behind the line of success, which programs expect first."""
    dropped = f"Dropped, for they mean nothing here: {','.join(names)}"
    return f"{success}\n{dropped}" if names else success


def _not_run(metadata: Any) -> str:
    """What a machine is told in vain, said behind the line of success as well."""
    if not isinstance(metadata, dict) or "user-script" not in metadata:
        return ""
    return "\nuser-script is kept and not run: zones have no metadata service yet"


def _say(text: str) -> None:
    print(plain(text), file=sys.stderr)


def _fail(message: str, status: int) -> int:
    _say(message)
    return status


_RUN: dict[str, Callable[[Node, Words], str | None]] = {
    "console": _console,
    "create": _create,
    "create-snapshot": _create_snapshot,
    "delete": _delete,
    "delete-snapshot": _delete_snapshot,
    "events": queries.events,
    "get": queries.get,
    "help": queries.help_,
    "info": _info,
    "install": _install,
    "kill": _kill,
    "list": queries.list_,
    "lookup": queries.lookup,
    "reboot": _reboot,
    "receive": _receive,
    "reprovision": _reprovision,
    "rollback-snapshot": _rollback_snapshot,
    "send": _send,
    "start": _start,
    "stop": _stop,
    "sysrq": _sysrq,
    "update": _update,
    "validate": _validate,
}


if __name__ == "__main__":
    sys.exit(main())
