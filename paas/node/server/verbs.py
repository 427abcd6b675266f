"""The verbs of the node's socket (docs/contracts/node.md): one record each, by name."""

import asyncio
import json
import math
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from paas.node.errors import NodeError
from paas.node.machines.brand import Held
from paas.node.machines.machines import Machines
from paas.node.machines.properties import user as check_user
from paas.node.server.events import Events
from paas.node.upkeep.sysinfo import sysinfo

_GRACE_S, _GRACE_MAX_S = 10.0, 3600.0
_HANG_UP_MAX_S = 60.0
_STREAMS = 3
_QUOTA_MAX_GIB = 1024
_NEEDED = object()


@dataclass(frozen=True)
class Call:
    """What a verb acts on, and what came with its request. `tell` sends an event to the caller."""

    machines: Machines
    events: Events
    descriptors: Sequence[int]
    tell: Callable[[dict[str, Any]], Awaitable[None]]


@dataclass(frozen=True)
class Argument:
    """`form` is what nothing further checks for. Without a default it must be given."""

    name: str
    form: type | tuple[type, ...] = object
    default: Any = _NEEDED


@dataclass(frozen=True)
class Verb:
    """`run` gets the call and the arguments in their order; its result is the answer.

    `needs_pool`: it is refused while the pool is gone. `outlives_caller`: it runs to its end even
    if the caller goes.
    """

    name: str
    arguments: Sequence[Argument]
    needs_pool: bool
    run: Callable[..., Awaitable[Any]]
    outlives_caller: bool = True

    def arguments_of(self, message: Mapping[str, Any]) -> list[Any]:
        """Raises NodeError that names what is missing or misshapen."""
        needed = [argument.name for argument in self.arguments if argument.default is _NEEDED]
        missing = [name for name in needed if name not in message]
        if missing:
            given = json.dumps(sorted(message))[:200]
            raise _wrong(f"the request lacks {', '.join(missing)} (it has {given})")
        found = []
        for argument in self.arguments:
            value = message.get(argument.name, argument.default)
            if not isinstance(value, argument.form):
                raise _wrong(f"{argument.name} has the wrong form: {value!r:.64}")
            found.append(value)
        return found


async def _create(call: Call, payload: Any) -> Any:
    return await call.machines.create(payload)


async def _get(call: Call, uuid: str) -> Any:
    return call.machines.get(uuid)


async def _list(call: Call) -> Any:
    return call.machines.list()


async def _lookup(call: Call, filters: dict[str, Any]) -> Any:
    return call.machines.lookup(filters)


async def _update(call: Call, uuid: str, payload: Any) -> Any:
    return await call.machines.update(uuid, payload)


async def _start(call: Call, uuid: str) -> Any:
    return await call.machines.start(uuid)


async def _stop(call: Call, uuid: str, force: Any, timeout_s: Any, for_now: Any) -> Any:
    grace_s, ends = _seconds(timeout_s), bool(force)
    return await call.machines.stop(uuid, force=ends, timeout_s=grace_s, for_now=bool(for_now))


async def _reboot(call: Call, uuid: str, force: Any, timeout_s: Any) -> Any:
    return await call.machines.reboot(uuid, force=bool(force), timeout_s=_seconds(timeout_s))


async def _send(call: Call, uuid: str, timeout_s: Any) -> Any:
    await call.machines.send(uuid, _one_stream(call, "send"), _seconds(timeout_s))
    return {}


async def _receive(call: Call) -> Any:
    return await call.machines.receive(_one_stream(call, "receive"))


def _one_stream(call: Call, verb: str) -> int:
    if len(call.descriptors) != 1:
        raise _wrong(f"{verb} needs one descriptor with its request: the stream")
    return call.descriptors[0]


async def _install(call: Call, uuid: str) -> Any:
    return await call.machines.install(uuid)


async def _reprovision(call: Call, uuid: str, image: str) -> Any:
    return await call.machines.reprovision(uuid, image)


async def _kill(call: Call, uuid: str, name: int | str) -> Any:
    return call.machines.kill(uuid, signal_number(name))


async def _delete(call: Call, uuid: str) -> Any:
    await call.machines.delete(uuid)
    return {}


async def _create_snapshot(call: Call, uuid: str, name: Any) -> Any:
    return await call.machines.create_snapshot(uuid, name)


async def _rollback_snapshot(call: Call, uuid: str, name: Any) -> Any:
    return await call.machines.rollback_snapshot(uuid, name)


async def _delete_snapshot(call: Call, uuid: str, name: Any) -> Any:
    return await call.machines.delete_snapshot(uuid, name)


async def _exec(
    call: Call,
    uuid: str,
    command: list[Any],
    environment: dict[Any, Any],
    user: Any,
    folder: Any,
    terminal: bool,
    hang_up_s: Any,
) -> Any:
    if len(call.descriptors) != _STREAMS:
        raise _wrong("exec needs three descriptors with its request")
    if terminal and not all(map(os.isatty, call.descriptors)):
        raise _wrong("with `terminal` the descriptors of exec must be one")
    status = await call.machines.exec(
        uuid,
        [str(word) for word in command],
        {str(name): str(value) for name, value in environment.items()},
        check_user(str(user)),
        str(folder),
        call.descriptors,
        Held(terminal, min(_seconds(hang_up_s), _HANG_UP_MAX_S)),
    )
    return asdict(status)


async def _connect(call: Call, uuid: str, port: int) -> Any:
    """The connection goes to the caller by the socket that came with the request (SCM_RIGHTS)."""
    if len(call.descriptors) != 1:
        raise _wrong("connect needs one descriptor with its request: a socket for the connection")
    if isinstance(port, bool) or not 0 < port < 65536:
        raise _wrong("port is not a number from 1 to 65535")
    with (
        await call.machines.connect(uuid, port) as connection,
        socket.socket(fileno=os.dup(call.descriptors[0])) as way,
    ):
        socket.send_fds(way, [b"\0"], [connection.fileno()])
    return {}


async def _events(call: Call) -> Any:
    """Until the caller goes; one that reads too slowly is hung up on."""
    queue = call.events.subscribe(call.machines.list())
    try:
        while (event := await queue.get()) is not None:
            await call.tell(event)
    finally:
        call.events.unsubscribe(queue)
    raise ConnectionAbortedError("the caller reads its events too slowly")


async def _images(call: Call) -> Any:
    return await asyncio.to_thread(call.machines.images.list)


async def _image(call: Call, uuid: str) -> Any:
    return await asyncio.to_thread(call.machines.images.get, uuid)


async def _create_image(
    call: Call, machine: str, manifest: dict[str, Any], keep_machine: Any
) -> Any:
    return await call.machines.imaging.create(machine, manifest, keep_machine=bool(keep_machine))


async def _derive_image(call: Call, origin: str, manifest: dict[str, Any], quota: int) -> Any:
    if len(call.descriptors) != 1:
        raise _wrong("derive_image needs one descriptor with its request: the differences")
    if isinstance(quota, bool) or not 0 < quota <= _QUOTA_MAX_GIB:
        raise _wrong(f"quota is not between 1 and {_QUOTA_MAX_GIB} GiB")
    return await call.machines.imaging.derive(origin, manifest, quota, call.descriptors[0])


async def _image_records(call: Call) -> Any:
    return await call.machines.imaging.records()


async def _install_image(call: Call, manifest: dict[str, Any], source: str) -> Any:
    stream = _one_stream(call, "install_image")
    return await call.machines.imaging.install(manifest, source[:2048], stream)


async def _export_image(call: Call, machine: str, incremental: bool) -> Any:
    target = _one_stream(call, "export_image")
    return await call.machines.imaging.export(machine, incremental=incremental, target=target)


async def _delete_image(call: Call, uuid: str) -> Any:
    await call.machines.imaging.delete(uuid)
    return {}


async def _room(call: Call, payloads: Any) -> Any:
    return call.machines.promises.room(payloads)


async def _sysinfo(call: Call) -> Any:
    host = call.machines.host
    return await asyncio.to_thread(sysinfo, host.settings, host.pool, host.network6)


def signal_number(name: Any) -> int:
    """15, `15`, `TERM` or `SIGTERM`. Raises NodeError."""
    text = str(name).upper()
    try:
        if text.isdigit():
            return signal.Signals(int(text)).value
        return signal.Signals[text if text.startswith("SIG") else f"SIG{text}"].value
    except (KeyError, ValueError) as error:
        raise NodeError("InvalidSignal", f'Unknown signal "{text:.32}"') from error


def _seconds(timeout_s: Any) -> float:
    try:
        found = float(timeout_s)
        if math.isnan(found):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise _wrong("timeout_s is not a number") from error
    return min(max(found, 0), _GRACE_MAX_S)


def _wrong(message: str) -> NodeError:
    return NodeError("InvalidRequest", message)


_UUID = Argument("uuid", str)
_PAYLOAD = Argument("payload")
_NAME = Argument("name")
_PATIENCE = (Argument("force", default=False), Argument("timeout_s", default=_GRACE_S))
_COMMAND = (
    Argument("command", list),
    Argument("environment", dict, {}),
    Argument("user", default="app"),
    Argument("working_directory", default="/app"),
    Argument("terminal", bool, False),
    Argument("hang_up_s", default=0.0),
)
_IMAGE = (Argument("machine", str), Argument("manifest", dict), Argument("keep_machine"))
_INSTALLED = (Argument("manifest", dict), Argument("source", str, ""))
_EXPORTED = (Argument("machine", str), Argument("incremental", bool, False))
_DIFFERENCES = (Argument("origin", str), Argument("manifest", dict), Argument("quota", int))

VERBS: Mapping[str, Verb] = {
    verb.name: verb
    for verb in (
        Verb("create", [_PAYLOAD], True, _create),
        Verb("get", [_UUID], False, _get),
        Verb("list", [], False, _list),
        Verb("lookup", [Argument("filters", dict)], False, _lookup),
        Verb("update", [_UUID, _PAYLOAD], True, _update),
        Verb("start", [_UUID], True, _start),
        Verb("stop", [_UUID, *_PATIENCE, Argument("for_now", default=False)], False, _stop),
        Verb("reboot", [_UUID, *_PATIENCE], True, _reboot),
        Verb("send", [_UUID, _PATIENCE[1]], True, _send),
        Verb("receive", [], True, _receive),
        Verb("install", [_UUID], True, _install),
        Verb("reprovision", [_UUID, Argument("image_uuid", str)], True, _reprovision),
        Verb("kill", [_UUID, Argument("signal", (str, int))], False, _kill),
        Verb("delete", [_UUID], True, _delete),
        Verb("create_snapshot", [_UUID, _NAME], True, _create_snapshot),
        Verb("rollback_snapshot", [_UUID, _NAME], True, _rollback_snapshot),
        Verb("delete_snapshot", [_UUID, _NAME], True, _delete_snapshot),
        Verb("exec", [_UUID, *_COMMAND], False, _exec, outlives_caller=False),
        Verb("connect", [_UUID, Argument("port", int)], False, _connect, outlives_caller=False),
        Verb("events", [], False, _events, outlives_caller=False),
        Verb("images", [], False, _images),
        Verb("image", [_UUID], False, _image),
        Verb("create_image", _IMAGE, True, _create_image),
        Verb("derive_image", _DIFFERENCES, True, _derive_image, outlives_caller=False),
        Verb("image_records", [], False, _image_records),
        Verb("install_image", _INSTALLED, True, _install_image),
        Verb("export_image", _EXPORTED, True, _export_image),
        Verb("delete_image", [_UUID], True, _delete_image),
        Verb("room", [Argument("payloads")], True, _room),
        Verb("sysinfo", [], False, _sysinfo),
    )
}
