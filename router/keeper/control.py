"""The keeper's socket: requests in frames, answered in order, with events between the answers.

The requests are in docs/contracts/router.md. Whoever can open the socket may ask
anything: the permissions of its folder decide.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from router.keeper import metrics
from router.keeper.credentials import Credentials
from router.keeper.live import LiveCounts
from router.keeper.state import State
from router.keeper.workers import Workers
from router.table.route_table import TableError
from router.tls.certificates import CertificateError
from router.wire import frames

COUNT_INTERVAL_S = 1.0
UNREAD_BYTES_MAX = 1024 * 1024
WAKE_AGAIN_S = 10.0
WOKEN_MAX = 16_384

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Control:
    """Answers requests. `watchers` are the connections that asked for events."""

    def __init__(self, state: State, credentials: Credentials, workers: Workers) -> None:
        self._state = state
        self._credentials = credentials
        self._workers = workers
        self.watchers: set[asyncio.StreamWriter] = set()
        self._counted: set[asyncio.StreamWriter] = set()
        self._counting: asyncio.Task[None] | None = None
        self._woken: dict[str, float] = {}
        workers.wake = self._announce_wake

    async def answer(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> dict[str, Any]:
        try:
            return await self._answer(request, writer)
        except TimeoutError:
            return _error("a worker neither obeys nor ends")

    async def _answer(
        self, request: dict[str, Any], writer: asyncio.StreamWriter
    ) -> dict[str, Any]:
        match request:
            case {"type": "table", "table": table}:
                return await self._table(table)
            case {"type": "certificates"}:
                return await self._certificates(request)
            case {"type": "challenges", "challenges": challenges}:
                return await self._challenges(challenges)
            case {"type": "machine", "machine": str(machine), "up": bool(up)}:
                self._state.note(machine, up)
                self._workers.note(machine, up)
                return {"type": "noted"}
            case {"type": "drain", "instance": str(instance)}:
                return await self._drain(instance)
            case {"type": "status"}:
                return self._status()
            case {"type": "metrics"}:
                return self._metrics()
            case {"type": "watch"}:
                self.watchers.add(writer)
                asyncio.get_running_loop().call_soon(self._remind, writer)
                return {"type": "watching"}
            case {"type": "counts"}:
                self._count_for(writer)
                return {"type": "counting"}
            case {"type": "renew"}:
                self._workers.renew()
                return {"type": "renewing"}
        return _error(f"there is no request of this form: {request.get('type')!r:.100}")

    async def _table(self, raw: Any) -> dict[str, Any]:
        try:
            newer = self._state.accept(raw)
        except (TableError, OSError) as error:
            return _error(str(error))
        if newer:
            for app in self._state.changed_apps():
                self._woken.pop(app, None)
            return {"type": "applied", "version": await self._workers.apply()}
        version = self._state.table.version
        await self._workers.confirmed(version)
        return {"type": "applied", "version": version}

    async def _certificates(self, raw: dict[str, Any]) -> dict[str, Any]:
        try:
            version = await self._credentials.accept(raw)
        except (CertificateError, OSError) as error:
            return _error(str(error))
        await self._workers.share(self._credentials.certificates_message(), version)
        return {"type": "certificates", "version": version}

    async def _challenges(self, challenges: Any) -> dict[str, Any]:
        try:
            version = self._credentials.challenge(challenges)
        except CertificateError as error:
            return _error(str(error))
        await self._workers.share(self._credentials.challenges_message(), version)
        return {"type": "challenges", "version": version}

    async def _drain(self, instance: str) -> dict[str, Any]:
        if self._state.has_instance(instance):
            return _error(f"instance {instance} is still in the table: take it out first")
        await self._workers.drained(instance)
        return {"type": "drained", "instance": instance}

    def _status(self) -> dict[str, Any]:
        figures = self._state.figures(self._workers.rows())
        return {
            "type": "status",
            "version": self._state.table.version,
            "certificates": self._credentials.version,
            "workers": self._workers.summary(),
            "apps": {app.id: _app_status(app) for app in figures},
        }

    def _metrics(self) -> dict[str, Any]:
        figures = self._state.figures(self._workers.rows())
        version, workers = self._state.table.version, len(self._workers.running)
        return {"type": "metrics", "text": metrics.exposition(figures, version, workers)}

    def leave(self, writer: asyncio.StreamWriter) -> None:
        """The connection is gone."""
        self.watchers.discard(writer)
        self._counted.discard(writer)

    def _announce_wake(self, app: str) -> None:
        """Once until the table changes the app; again after a while, lest it sleep for ever."""
        now = asyncio.get_running_loop().time()
        if now - self._woken.get(app, -WAKE_AGAIN_S) < WAKE_AGAIN_S or not self.watchers:
            return
        if len(self._woken) >= WOKEN_MAX:
            self._woken.clear()
        self._woken[app] = now
        for writer in self.watchers:
            writer.write(frames.encode({"type": "wake", "app": app}))

    def _remind(self, writer: asyncio.StreamWriter) -> None:
        """Tell a new watcher what was wanted when nobody watched."""
        now = asyncio.get_running_loop().time()
        for app in self._state.asleep(self._workers.rows()):
            self._woken[app] = now
            writer.write(frames.encode({"type": "wake", "app": app}))

    def _count_for(self, writer: asyncio.StreamWriter) -> None:
        self._counted.add(writer)
        if self._counting is None:
            self._counting = asyncio.create_task(self._count())

    async def _count(self) -> None:
        """Each second, as long as someone listens. Who does not read misses some."""
        loop = asyncio.get_running_loop()
        state, rows = self._state, self._workers.rows
        counts = LiveCounts(state.readings(rows()), lambda slot: state.histogram(slot, rows()))
        since = loop.time()
        try:
            while self._counted:
                await asyncio.sleep(COUNT_INTERVAL_S)
                apps = counts.update(state.readings(rows()))
                seconds, since = loop.time() - since, loop.time()
                text = frames.encode({"type": "counts", "seconds": round(seconds, 3), "apps": apps})
                for writer in self._counted:
                    if writer.transport.get_write_buffer_size() < UNREAD_BYTES_MAX:
                        writer.write(text)
        finally:
            self._counting = None


async def serve(
    path: Path, state: State, credentials: Credentials, workers: Workers
) -> asyncio.Server:
    """Listen on the socket at `path`."""
    control = Control(state, credentials, workers)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await frames.read(reader)) is not None:
                writer.write(frames.encode(await control.answer(request, writer)))
                await writer.drain()
        except frames.FrameError as error:
            with contextlib.suppress(ConnectionError):
                writer.write(frames.encode(_error(str(error))))
        except ConnectionError:
            pass
        finally:
            control.leave(writer)
            writer.close()

    return await _listen(talk, path)


async def _listen(talk: Talk, path: Path) -> asyncio.Server:
    try:
        listener = _socket(path)
    except OSError as error:
        sys.exit(f"paas-router: can't listen on {path}: {error.strerror}")
    return await asyncio.start_unix_server(talk, sock=listener)


def _socket(path: Path) -> socket.socket:
    """A socket that anyone may use who can reach it."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    path.chmod(0o666)
    return listener


def _app_status(app: metrics.AppFigures) -> dict[str, Any]:
    return {
        **app.totals,
        **metrics.percentiles_ms(app.histogram),
        "in_flight": sum(app.in_flight.values()),
        "instances": app.in_flight,
        "unhealthy": list(app.unhealthy),
    }


def _error(message: str) -> dict[str, Any]:
    return {"type": "error", "message": message}
