"""The node's socket without zones: real frames, and machines that only say what they would do."""

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from router.wire import frames

Machine = dict[str, Any]
Behaviour = Callable[[Machine], str]


def well_behaved(machine: Machine) -> str:
    return "listens" if "smartplatform:port" in machine["internal_metadata"] else "runs"


class FakeNode:
    """Machines behave as `behaviour` says when they boot:

    `listens`, `runs` (and never listens), `exits` (status 1, once), `fails` (create is refused with
    StartFailed), `refused` (with another error), `full` (the pool is), `no room` (there
    is none any more), `hangs` (create is never answered). `free_shares` is what `room` says.
    """

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.behaviour: Behaviour = well_behaved
        self.machines: dict[str, Machine] = {}
        self.images: dict[str, dict[str, Any]] = {}
        self.free_shares: int | None = None
        self.asked: list[tuple[str, str]] = []
        self._watchers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self.socket.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._talk, self.socket)

    async def stop(self) -> None:
        """As `kill -9` would: every connection breaks, machines go on."""
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.socket.unlink(missing_ok=True)

    def named(self, name: str) -> list[Machine]:
        tag = "smartplatform:instance"
        return [item for item in self.machines.values() if item["tags"].get(tag) == name]

    def running(self) -> list[str]:
        found = [item for item in self.machines.values() if item["state"] == "running"]
        return sorted(item["tags"]["smartplatform:instance"] for item in found)

    def change(self, uuid: str, **changes: Any) -> None:
        self.machines[uuid] |= changes
        self._tell("modify", uuid)

    def lose(self, uuid: str) -> None:
        """An operator deletes it."""
        del self.machines[uuid]
        self._tell("delete", uuid)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            request = await frames.read(reader)
            if request is not None and request["verb"] == "events":
                await self._stream(reader, writer)
            elif request is not None:
                writer.write(frames.encode(await self._answer(request)))
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        vms = json.dumps(list(self.machines.values()))
        writer.write(frames.encode({"event": {"type": "ready", "vms": vms}}))
        self._watchers.add(writer)
        try:
            await reader.read()
        finally:
            self._watchers.discard(writer)

    async def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        verb = request["verb"]
        if verb == "create":
            self.asked.append((verb, request["payload"]["uuid"]))
            return await self._create(request["payload"])
        uuid = request.get("uuid", "")
        self.asked.append((verb, uuid))
        if verb == "room":
            return {"result": self._room(request["payloads"])}
        if verb in ("list", "images"):
            return {"result": list((self.machines if verb == "list" else self.images).values())}
        if verb == "delete_image":
            if self.images.pop(uuid, None) is None:
                return _error("ImageNotInstalled")
            return {"result": {}}
        if uuid not in self.machines:
            return _error("VmNotFound")
        return self._change(verb, uuid)

    async def _create(self, payload: dict[str, Any]) -> dict[str, Any]:
        machine = {**payload, "state": "stopped", "nics": [{"ip": "10.9.0.5"}], "listening": None}
        does = self.behaviour(machine)
        if does == "hangs":
            await asyncio.Event().wait()
        if does == "no room":
            return _error("InsufficientCapacity")
        if does == "refused":
            return _error("InternalError")
        if does == "full":
            return _error("NoSpace")
        if machine["uuid"] not in self.machines:
            self.machines[machine["uuid"]] = machine
            self._tell("create", machine["uuid"])
        if does == "fails":
            self.change(machine["uuid"], state="failed", failure="no such command")
            return _error("StartFailed")
        self._boot(machine["uuid"], does)
        return {"result": self.machines[machine["uuid"]]}

    def _room(self, payloads: list[dict[str, Any]]) -> dict[str, Any]:
        asked = sum(payload["cpu_shares"] for payload in payloads)
        most = None if self.free_shares is None else 8192
        return {"cpu_shares": {"asked": asked, "free": self.free_shares, "most": most}}

    def _change(self, verb: str, uuid: str) -> dict[str, Any]:
        if verb == "start":
            self._boot(uuid, self.behaviour(self.machines[uuid]))
        if verb == "stop":
            self.change(uuid, state="stopped", listening=None)
        found = self.machines[uuid]
        if verb == "delete":
            self.lose(uuid)
        return {"result": found}

    def _boot(self, uuid: str, does: str) -> None:
        self.change(uuid, state="running", boot_timestamp="2026-11-22T12:00:00Z")
        if does == "listens":
            self.change(uuid, listening="unix")
        if does == "exits":
            self.change(uuid, state="stopped", exit_status=1, exit_timestamp="2026-11-22T12:00:01Z")

    def _tell(self, kind: str, uuid: str) -> None:
        event = {"type": kind, "uuid": uuid, "zonename": uuid, "vm": self.machines.get(uuid)}
        for writer in self._watchers:
            with contextlib.suppress(ConnectionError):
                writer.write(frames.encode({"event": event}))


def _error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": f"{code} by the test"}}
