"""paas-node: the machines of this host behind a Unix socket.

Start: pool, images, network, sweep, adopt; then it serves. Its end ends no machine. The socket is
equal to root, so only root and control's group may open it.
"""

import asyncio
import contextlib
import errno
import functools
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from paas.errors import PlatformError, UserError
from paas.node import pools, protocol
from paas.node.brands import lx
from paas.node.errors import NodeError
from paas.node.images import prepare as install_images
from paas.node.images.store import Images
from paas.node.machines.host import Host, own_by_control
from paas.node.machines.machine import Machine
from paas.node.machines.machines import Machines, ports
from paas.node.machines.properties import Invalid
from paas.node.machines.properties import user as check_user
from paas.node.machines.records import Records
from paas.node.network import lan, openings
from paas.node.pools.interface import explain
from paas.node.server import requests
from paas.node.server.events import Events
from paas.node.server.notices import Notices
from paas.node.upkeep import poolwatch, remount
from paas.node.upkeep.sweep import sweep
from paas.node.upkeep.sysinfo import sysinfo
from paas.node.zone import classes, logs
from paas.node.zone.bundle import files, supplies
from paas.settings import Settings, load, reread
from paas.system import orphans
from router.wire import frames

log = logging.getLogger(__name__)
_DAY_S = 86400.0
_FOREIGN_S = 20.0
_POOL_RETRY_S = 5.0
_POOL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)
_WITHOUT_POOL = ("get", "list", "lookup", "stop", "kill", "sysinfo", "images", "image")
"""What a node can do while its pool is gone."""
Verb = Callable[[dict[str, Any]], Awaitable[Any]]


class Server:
    """Answers requests. Verbs run to their end even if the caller goes; `exec` does not."""

    def __init__(self, machines: Machines, images: Images, events: Events) -> None:
        self.machines, self.images, self.events = machines, images, events
        self._verbs: Mapping[str, Verb] = {
            "create": lambda m: machines.create(*requests.arguments(m, "payload")),
            "get": self._get,
            "list": self._list,
            "lookup": self._lookup,
            "update": lambda m: machines.update(*requests.arguments(m, "uuid", "payload")),
            "start": lambda m: machines.start(*requests.arguments(m, "uuid")),
            "stop": lambda m: machines.stop(*requests.arguments(m, "uuid"), **_patience(m)),
            "reboot": lambda m: machines.reboot(*requests.arguments(m, "uuid"), **_patience(m)),
            "kill": self._kill,
            "delete": self._delete,
            "create_snapshot": lambda m: machines.create_snapshot(*_snapshot(m)),
            "rollback_snapshot": lambda m: machines.rollback_snapshot(*_snapshot(m)),
            "delete_snapshot": lambda m: machines.delete_snapshot(*_snapshot(m)),
            "images": lambda m: asyncio.to_thread(images.list),
            "image": lambda m: asyncio.to_thread(images.get, *requests.arguments(m, "uuid")),
            "create_image": self._create_image,
            "delete_image": self._delete_image,
            "room": self._room,
            "sysinfo": self._sysinfo,
        }

    async def answer(self, connection: socket.socket) -> None:
        """One connection: its request, then frames until it is answered."""
        try:
            request = await requests.read(connection)
        except (frames.FrameError, OSError, TimeoutError) as error:
            log.warning("a request was refused: %s", error)
            connection.close()
            return
        if request is None:
            connection.close()
            return
        reader, writer = await asyncio.open_unix_connection(sock=connection)
        try:
            with contextlib.suppress(ConnectionError):
                await self._answer(request, reader, writer)
                await writer.drain()
        finally:
            request.close()
            writer.close()

    async def _answer(
        self,
        request: requests.Request,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        verb = str(request.message.get("verb"))
        try:
            if verb == "events":
                await requests.until_closed(reader, self._stream_events(writer))
            elif verb == "exec":
                status = await requests.until_closed(reader, self._exec(request))
                writer.write(protocol.result(status))
            elif verb in self._verbs:
                if verb not in _WITHOUT_POOL:
                    host = self.machines.host
                    await asyncio.to_thread(pools.ensure, host.settings, host.pool)
                writer.write(protocol.result(await self._verbs[verb](request.message)))
            else:
                raise NodeError("UnknownVerb", f"there is no verb {verb[:64]!r}")
        except ConnectionError:
            raise
        except Exception as error:
            writer.write(protocol.refusal(_refusal(error, self.machines.host.pool)))

    async def _get(self, message: dict[str, Any]) -> Any:
        return self.machines.get(*requests.arguments(message, "uuid"))

    async def _list(self, message: dict[str, Any]) -> Any:
        return self.machines.list()

    async def _lookup(self, message: dict[str, Any]) -> Any:
        (filters,) = requests.arguments(message, "filters")
        return self.machines.lookup(filters)

    async def _kill(self, message: dict[str, Any]) -> Any:
        uuid, name = requests.arguments(message, "uuid", "signal")
        return self.machines.kill(uuid, signal_number(name))

    async def _delete(self, message: dict[str, Any]) -> Any:
        await self.machines.delete(*requests.arguments(message, "uuid"))
        return {}

    async def _create_image(self, message: dict[str, Any]) -> Any:
        machine, manifest, keep = requests.arguments(message, "machine", "manifest", "keep_machine")
        return await self.machines.create_image(machine, manifest, keep_machine=bool(keep))

    async def _delete_image(self, message: dict[str, Any]) -> Any:
        (uuid,) = requests.arguments(message, "uuid")
        await self.machines.delete_image(uuid)
        return {}

    async def _room(self, message: dict[str, Any]) -> Any:
        return self.machines.room(*requests.arguments(message, "payloads"))

    async def _sysinfo(self, message: dict[str, Any]) -> Any:
        host = self.machines.host
        return await asyncio.to_thread(sysinfo, host.settings, host.pool, host.network6)

    async def _exec(self, request: requests.Request) -> dict[str, Any]:
        message = {"environment": {}, **request.message}
        uuid, command, variables = requests.arguments(message, "uuid", "command", "environment")
        user = str(request.message.get("user", "app"))
        if len(request.descriptors) != 3:
            raise NodeError("InvalidRequest", "exec needs three descriptors with its request")
        status = await self.machines.exec(
            uuid,
            [str(word) for word in command],
            {str(k): str(v) for k, v in variables.items()},
            check_user(user),
            str(request.message.get("working_directory", "/app")),
            request.descriptors,
        )
        return asdict(status)

    async def _stream_events(self, writer: asyncio.StreamWriter) -> None:
        queue = self.events.subscribe(self.machines.list())
        try:
            while (event := await queue.get()) is not None:
                writer.write(protocol.event(event))
                await writer.drain()
        finally:
            self.events.unsubscribe(queue)


def signal_number(name: Any) -> int:
    """15, `15`, `TERM` or `SIGTERM`. Raises NodeError."""
    text = str(name).upper()
    try:
        if text.isdigit():
            return signal.Signals(int(text)).value
        return signal.Signals[text if text.startswith("SIG") else f"SIG{text}"].value
    except (KeyError, ValueError) as error:
        raise NodeError("InvalidSignal", f"there is no signal {text:.32}") from error


async def serve(settings: Settings, ready: Callable[[], None]) -> None:
    """Prepare everything and serve until cancelled. Raises UserError when this host can't."""
    say_ready = _once(ready)
    machines, zones, events, notices = await _prepared(settings, say_ready)
    folder = settings.logs / "machines"
    listener = requests.listen(settings.node_socket)
    tasks = [
        asyncio.ensure_future(notices.run()),
        asyncio.ensure_future(_daily(machines, folder)),
        asyncio.ensure_future(_keep_passing(settings)),
        asyncio.ensure_future(
            poolwatch.watch(machines.host.pool, machines.needs_mending, machines.mend)
        ),
    ]
    watch = _watch_logs(folder)
    try:
        await machines.adopt()
        for machine in machines.known():
            _notice(notices, machine)
        own_by_control(settings.node_socket, 0o660)
        say_ready()
        await requests.serve(listener, Server(machines, machines.images, events).answer)
    finally:
        listener.close()
        machines.detach()
        zones.close()
        if watch is not None:
            watch.close()
        for task in tasks:
            task.cancel()


async def _prepared(
    settings: Settings, ready: Callable[[], None]
) -> tuple[Machines, lx.Zones, Events, Notices]:
    """As `prepare`; a pool that was there before and can't be used now is waited for.

    Meanwhile every request is refused with the reason, and the rest of the platform goes on: the
    router serves what runs, and control says what is the matter.
    """
    said = ""
    while True:
        try:
            return await prepare(settings)
        except (pools.PoolError, OSError) as error:
            own = isinstance(error, pools.PoolError) or error.errno in _POOL_ERRORS
            if not own or settings.pool_device or not settings.pool_file.exists():
                raise
            text = f"{error}. {getattr(error, 'hint', '')}".strip()
        if text != said:
            said = text
            log.error("the pool can't be used, and is waited for: %s", text)
        listener = requests.listen(settings.node_socket)
        own_by_control(settings.node_socket, 0o660)
        ready()
        try:
            async with asyncio.timeout(_POOL_RETRY_S):
                await requests.serve(listener, functools.partial(_refuse, text))
        except TimeoutError:
            continue
        finally:
            listener.close()


async def _refuse(text: str, connection: socket.socket) -> None:
    with connection, contextlib.suppress(frames.FrameError, OSError, TimeoutError):
        request = await requests.read(connection)
        if request is not None:
            request.close()
            error = NodeError("PoolUnavailable", f"the pool zones can't be used: {text}")
            await asyncio.get_running_loop().sock_sendall(connection, protocol.refusal(error))


def _once(ready: Callable[[], None]) -> Callable[[], None]:
    said: list[bool] = []

    def say() -> None:
        if not said:
            said.append(True)
            ready()

    return say


async def prepare(settings: Settings) -> tuple[Machines, lx.Zones, Events, Notices]:
    """Pool, images, network, and no traces of what a killed node left; `adopt` comes next."""
    for done in await remount.remount(settings):
        log.warning("%s", done)
    pool, images = await asyncio.to_thread(_open_storage, settings)
    _make_folders(settings)
    # conmon leaves a file `oom` in the folder that it is started in.
    os.chdir(settings.run)
    supplies.open_sums()
    events, notices = Events(), Notices(settings.router_socket)
    host = _host(settings, pool, events, notices)
    zones = lx.Zones(host)
    machines = Machines(host, images, zones.brand)
    records = list(host.records.load()[0].values())
    await asyncio.to_thread(_prepare_network, host, records)
    for done in await sweep(host, records):
        log.warning("%s", done)
    return machines, zones, events, notices


def main() -> None:
    """The console script `paas-node`."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        settings = load()
        if os.geteuid() != 0:
            raise UserError(
                "forbidden", "paas-node needs root: it makes zones, mounts and networks"
            )
        said = classes.enter_platform(settings.installation)
        for line in filter(None, (said, *classes.prepare(settings.installation))):
            log.warning("%s", line)
        asyncio.run(_until_told(settings))
    except (UserError, PlatformError, NodeError, OSError) as error:
        hint = getattr(error, "hint", "")
        print(f"paas-node: {error}{'. ' + hint if hint else ''}", file=sys.stderr)
        raise SystemExit(getattr(error, "exit_code", 1)) from error


async def _until_told(settings: Settings) -> None:
    orphans.take_in()
    task = asyncio.ensure_future(serve(settings, _say_ready))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def _say_ready() -> None:
    print("paas-node is ready", file=sys.stderr, flush=True)
    number = os.environ.get("PAAS_READY_FD", "")
    if number.isdigit():
        with contextlib.suppress(OSError):
            os.write(int(number), b"\n")
            os.close(int(number))


def _open_storage(settings: Settings) -> tuple[pools.Pool, Images]:
    settings.state.mkdir(mode=0o755, parents=True, exist_ok=True)
    pool = pools.open_pool(settings)
    return pool, install_images.prepare(settings, pool)


async def _keep_passing(settings: Settings) -> None:
    """For ever: other firewalls may start, or load their rules anew, while the node runs."""
    while True:
        await asyncio.sleep(_FOREIGN_S)
        try:
            await asyncio.to_thread(lan.pass_through, settings)
        except OSError as error:
            log.error("other firewalls can't be looked at: %s", error)


async def _daily(machines: Machines, folder: Path) -> None:
    """For ever, at once and then every day: what only grows is cut back."""
    while True:
        try:
            removed = await asyncio.to_thread(logs.prune, folder, machines.uuids())
            if removed:
                log.info("deleted %d logs of machines that are gone", len(removed))
            await asyncio.to_thread(machines.host.pool.tidy)
        except OSError as error:
            log.error("the daily clearing up failed: %s", error)
        await asyncio.sleep(_DAY_S)


def _watch_logs(folder: Path) -> logs.Watch | None:
    """conmon's logs stay control's to read, also those that it replaced while no node lived."""

    def give(path: Path) -> None:
        own_by_control(path, 0o640)

    for path in folder.glob("*.log"):
        give(path)
    try:
        return logs.Watch(folder, give)
    except OSError as error:
        log.warning("logs that reach their bound stay unreadable until the next start: %s", error)
        return None


def _make_folders(settings: Settings) -> None:
    for folder, mode in (
        (settings.run, 0o711),
        (settings.machines_run, 0o711),
        (settings.run / "runc", 0o700),
        (settings.logs / "machines", 0o750),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        if folder != settings.run or not os.access(folder, os.X_OK):
            folder.chmod(mode)
    settings.run.chmod(settings.run.stat().st_mode | 0o711)


def _host(settings: Settings, pool: pools.Pool, events: Events, notices: Notices) -> Host:
    def changed(old: Machine | None, new: Machine | None) -> None:
        before, after = (host.shown(machine) if machine else None for machine in (old, new))
        events.publish(before, after)
        if new is not None:
            _notice(notices, new)
        elif old is not None:
            notices.forget(old.uuid)

    network6 = lan.network6(settings)
    host = Host(
        settings=settings,
        pool=pool,
        records=Records(pool.root),
        resolvers=files.upstream_resolvers(ipv6=network6 is not None),
        search=files.search_line(),
        changed=changed,
        network6=network6,
        reread=reread,
    )
    lx.install_shared_files(host)
    return host


def _notice(notices: Notices, machine: Machine) -> None:
    if machine.port is not None:
        notices.tell(machine.uuid, machine.listening is not None)


def _prepare_network(host: Host, records: list[Machine]) -> None:
    settings = host.settings
    opened = [
        *openings.operator_openings(),
        *openings.registry_openings(openings.npmrc_files(settings.npmrc)),
    ]
    lan.prepare(settings, host.network6, host.resolvers, opened, ports(host, records))


def _snapshot(message: dict[str, Any]) -> list[Any]:
    return requests.arguments(message, "uuid", "name")


def _patience(message: dict[str, Any]) -> dict[str, Any]:
    try:
        timeout_s = float(message.get("timeout_s", 10.0))
        if math.isnan(timeout_s):
            raise ValueError
    except (TypeError, ValueError, OverflowError) as error:
        raise NodeError("InvalidRequest", "timeout_s is not a number") from error
    return {"force": bool(message.get("force", False)), "timeout_s": min(max(timeout_s, 0), 3600)}


def _refusal(error: Exception, pool: pools.Pool) -> NodeError:
    """As the caller is told it; what is ours is logged with its traceback."""
    if isinstance(error, NodeError):
        return error
    if isinstance(error, (frames.FrameError, Invalid)):
        return NodeError("InvalidRequest", str(error) or "an argument has the wrong form")
    found = explain(error, pool) if isinstance(error, OSError) else None
    if found is not None:
        log.error("a request failed: %s", found)
        return found
    log.error("a request failed", exc_info=error)
    return NodeError("InternalError", str(error) or type(error).__name__)
