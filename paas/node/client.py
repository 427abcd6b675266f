"""The only client of the node's socket: vmadm's and imgadm's verbs as async methods.

One connection carries one request (docs/contracts/node.md). Closing it, which cancelling
the awaiting task does, cancels `exec`, `connect`, `events` and `derive_image`; every other verb
runs to its end in the node. All can be repeated. What a machine or a manifest means is the
caller's matter.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from paas.node import protocol
from paas.node.errors import NodeError
from paas.node.protocol import ExitStatus
from router.wire import frames

__all__ = [
    "Event",
    "Execution",
    "ExitStatus",
    "Machine",
    "Machines",
    "Manifest",
    "Manifests",
    "Node",
]

Machine = dict[str, Any]
Manifest = dict[str, Any]
Event = dict[str, Any]
Machines = list[Machine]
Manifests = list[Manifest]


class Execution:
    """A command that runs in a machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ended(self) -> ExitStatus:
        """Wait for its end."""
        result = protocol.value(await _read(self._reader))
        return ExitStatus(code=int(result["code"]), signal=result.get("signal"))

    async def hang_up(self, timeout_s: float) -> None:
        """SIGHUP, and SIGKILL as was asked; returns when it has ended, or the time is over."""
        with contextlib.suppress(OSError, TimeoutError):
            self._writer.write_eof()
            async with asyncio.timeout(timeout_s):
                await self._reader.read()


class Node:
    """The node behind `socket`. Cheap to make, holds nothing open, safe to share between tasks.

    Every method raises NodeError; with code `Unavailable` when no node answers on the socket.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    async def create(self, payload: Mapping[str, Any]) -> Machine:
        """Make a machine from a vmadm payload and boot it; returns when its first process runs."""
        return await self._call("create", payload=dict(payload))

    async def get(self, uuid: str) -> Machine:
        return await self._call("get", uuid=uuid)

    async def list(self) -> Machines:
        return await self._call_list("list")

    async def lookup(self, **filters: Any) -> Machines:
        """Machines with these properties; keys may be dotted (`tags.role`), values `~regex`."""
        return await self._call_list("lookup", filters=filters)

    async def update(self, uuid: str, payload: Mapping[str, Any]) -> Machine:
        return await self._call("update", uuid=uuid, payload=dict(payload))

    async def start(self, uuid: str) -> Machine:
        return await self._call("start", uuid=uuid)

    async def stop(
        self, uuid: str, *, force: bool = False, timeout_s: float = 10.0, for_now: bool = False
    ) -> Machine:
        """SIGTERM, `timeout_s` of grace, SIGKILL. `force` goes without SIGTERM and grace.

        `for_now`: a machine with `autoboot` keeps it, and is started when the platform is.
        """
        return await self._call(
            "stop", uuid=uuid, force=force, timeout_s=timeout_s, for_now=for_now
        )

    async def reboot(self, uuid: str, *, force: bool = False, timeout_s: float = 10.0) -> Machine:
        return await self._call("reboot", uuid=uuid, force=force, timeout_s=timeout_s)

    async def reprovision(self, uuid: str, image_uuid: str) -> Machine:
        """Its dataset anew from another image; address and metadata stay."""
        return await self._call("reprovision", uuid=uuid, image_uuid=image_uuid)

    async def kill(self, uuid: str, signal: int | str) -> Machine:
        """Send a signal (15, `TERM` or `SIGTERM`) to the machine's first process."""
        return await self._call("kill", uuid=uuid, signal=signal)

    async def delete(self, uuid: str, missing_ok: bool = True) -> None:
        """Stop the machine and remove everything of it but its log."""
        try:
            await self._call("delete", uuid=uuid)
        except NodeError as error:
            if not (missing_ok and error.code == "VmNotFound"):
                raise

    async def create_snapshot(self, uuid: str, name: str) -> Machine:
        """`zones/<uuid>@vmsnap-<name>`, shown in the machine's `snapshots`."""
        return await self._call("create_snapshot", uuid=uuid, name=name)

    async def rollback_snapshot(self, uuid: str, name: str) -> Machine:
        """Stop the machine, make its data what it was, start it. Later snapshots are deleted."""
        return await self._call("rollback_snapshot", uuid=uuid, name=name)

    async def delete_snapshot(self, uuid: str, name: str) -> Machine:
        return await self._call("delete_snapshot", uuid=uuid, name=name)

    async def exec(
        self,
        uuid: str,
        command: Sequence[str],
        *,
        stdin: int,
        stdout: int,
        stderr: int,
        environment: Mapping[str, str] | None = None,
        user: str = "app",
        working_directory: str = "/app",
    ) -> ExitStatus:
        """Run a command in a running machine on the caller's own descriptors, and wait for its end.

        Cancelling kills the command and its children inside the machine.
        """
        async with self.executing(
            uuid,
            command,
            (stdin, stdout, stderr),
            environment=environment,
            user=user,
            working_directory=working_directory,
        ) as execution:
            return await execution.ended()

    @contextlib.asynccontextmanager
    async def executing(
        self,
        uuid: str,
        command: Sequence[str],
        streams: tuple[int, int, int],
        *,
        environment: Mapping[str, str] | None = None,
        user: str = "app",
        working_directory: str = "/app",
        terminal: bool = False,
        hang_up_s: float = 0.0,
    ) -> AsyncIterator["Execution"]:
        """The same, but it goes on: the node has the streams, the caller may close them.

        Leaving before kills the command; with `hang_up_s` it and its children get SIGHUP, and so
        long to end. With `terminal` the streams are a terminal (its slave's side), and the command
        has one of its own that is like it in bytes and size.
        """
        arguments = {
            "uuid": uuid,
            "command": list(command),
            "environment": dict(environment or {}),
            "user": user,
            "working_directory": working_directory,
            "terminal": terminal,
            "hang_up_s": hang_up_s,
        }
        request = protocol.request("exec", arguments)
        async with self._open(request, streams) as (reader, writer):
            yield Execution(reader, writer)

    async def connect(self, uuid: str, port: int) -> socket.socket:
        """A connection to what listens on the port inside a running machine, also on loopback."""
        own, other = socket.socketpair()
        with own, other:
            arguments = {"uuid": uuid, "port": port}
            request = protocol.request("connect", arguments)
            async with self._connection(request, (other.fileno(),)) as reader:
                protocol.value(await _read(reader))
            _, descriptors, _, _ = socket.recv_fds(own, 1, 1, socket.MSG_DONTWAIT)
        connection = socket.socket(fileno=descriptors[0])
        connection.setblocking(False)
        return connection

    async def events(self) -> AsyncIterator[Event]:
        """vminfod's stream: first `ready` (with `vms`, a JSON string), then changes, for ever."""
        async with self._connection(protocol.request("events", {})) as reader:
            while True:
                frame = await _read(reader)
                if "event" not in frame:
                    protocol.value(frame)
                yield frame["event"]

    async def images(self) -> Manifests:
        return await self._call_list("images")

    async def image(self, uuid: str) -> Manifest:
        return await self._call("image", uuid=uuid)

    async def create_image(
        self, machine: str, manifest: Mapping[str, Any], *, keep_machine: bool
    ) -> Manifest:
        """Make `manifest["uuid"]` from a machine's dataset (docs/contracts/node.md)."""
        return await self._call(
            "create_image", machine=machine, manifest=dict(manifest), keep_machine=keep_machine
        )

    async def derive_image(
        self, origin: str, manifest: Mapping[str, Any], *, quota_gib: int, differences: int
    ) -> Manifest:
        """Make `manifest["uuid"]` from an image and the differences that a descriptor gives.

        What it gives, and as whom that is written: docs/contracts/node.md. Cancelling undoes it.
        """
        arguments = {"origin": origin, "manifest": dict(manifest), "quota": quota_gib}
        request = protocol.request("derive_image", arguments)
        async with self._connection(request, (differences,)) as reader:
            made: Manifest = protocol.value(await _read(reader))
        return made

    async def delete_image(self, uuid: str, missing_ok: bool = True) -> None:
        try:
            await self._call("delete_image", uuid=uuid)
        except NodeError as error:
            if not (missing_ok and error.code == "ImageNotInstalled"):
                raise

    async def room(self, payloads: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What these machines would ask for and what is free; makes nothing, promises nothing.

        `{"cpu_shares": {"asked", "free", "most"}, "memory_mib": …}`; the last two are null where
        the operator lets nothing be counted.
        """
        return await self._call("room", payloads=[dict(payload) for payload in payloads])

    async def sysinfo(self) -> dict[str, Any]:
        return await self._call("sysinfo")

    async def _call(self, verb: str, **arguments: Any) -> dict[str, Any]:
        result: dict[str, Any] = await self._value(verb, arguments)
        return result

    async def _call_list(self, verb: str, **arguments: Any) -> Machines:
        result: Machines = await self._value(verb, arguments)
        return result

    async def _value(self, verb: str, arguments: dict[str, Any]) -> Any:
        async with self._connection(protocol.request(verb, arguments)) as reader:
            return protocol.value(await _read(reader))

    @contextlib.asynccontextmanager
    async def _connection(
        self, message: bytes, descriptors: Sequence[int] = ()
    ) -> AsyncIterator[asyncio.StreamReader]:
        async with self._open(message, descriptors) as (reader, _):
            yield reader

    @contextlib.asynccontextmanager
    async def _open(
        self, message: bytes, descriptors: Sequence[int]
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            await _send(connection, self.socket, message, descriptors)
            reader, writer = await asyncio.open_unix_connection(sock=connection)
        except OSError as error:
            connection.close()
            raise NodeError("Unavailable", f"no node answers on {self.socket}: {error}") from error
        except BaseException:
            connection.close()
            raise
        try:
            yield reader, writer
        finally:
            writer.close()


async def _send(
    connection: socket.socket, path: Path, message: bytes, descriptors: Sequence[int]
) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_connect(connection, str(path))
    if descriptors:
        ancillary = struct.pack(f"{len(descriptors)}i", *descriptors)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, ancillary)]
        # The buffer of a fresh connection is empty, so this never blocks; the rest may.
        message = message[connection.sendmsg([message], rights) :]
    # Not nothing: the node may have answered and hung up by now, and its answer is still there.
    if message:
        await loop.sock_sendall(connection, message)


async def _read(reader: asyncio.StreamReader) -> dict[str, Any]:
    try:
        frame = await frames.read(reader)
    except (OSError, frames.FrameError) as error:
        raise NodeError("Unavailable", f"the node broke off: {error}") from error
    if frame is None:
        raise NodeError("Unavailable", "the node closed the connection before it answered")
    return frame
