"""A worker: the process that carries traffic, on sockets that the keeper holds.

    worker --row N --listen FD,FD --listen-tls FD --channel FD --counters FD --bells FD,FD,…
           --log-folder DIR

It serves once the keeper has sent the first table, obeys the keeper's messages, and ends when told
to, or when the keeper is gone: then it finishes what is in flight and leaves the visitors who queue
at the sockets to the next one. Messages (frames, see `frames`):

    to the worker                                     from it
                                                      {"type": "ready"}: told nothing before
    {"type": "table", version, changed, removed, …}  {"type": "applied", "version"}
    {"type": "machine", "machine", "up"}
    {"type": "health", "instance", "healthy"}         {"type": "health", "instance", "healthy"}
    {"type": "rows", "rows"}
    {"type": "drain", "instance"}                     {"type": "drained", "instance"}
    {"type": "stop", "limit_s"}                       {"type": "wake", "app"}
    {"type": "certificates", set, ticket_keys}        {"type": "certificates", "version"}
    {"type": "challenges", "version", "challenges"}   {"type": "challenges", "version"}
"""

import argparse
import asyncio
import gc
import signal
import socket
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

from router.choice import routes
from router.choice.apps import App
from router.choice.instances import Instance
from router.memory import limits
from router.memory.bells import Bells
from router.memory.counters import Counters
from router.table import route_table
from router.tls import certificates, tls
from router.traffic import endings, queue, release, retries, visitors
from router.traffic.accesslog import FLUSH_INTERVAL_S
from router.traffic.answers import CHALLENGE_PATH
from router.traffic.visit import WorkerState
from router.wire import frames
from router.worker import entrance, health, sweep
from router.worker.pace import Pace

ORPHAN_LIMIT_S = 30.0
"""How long requests in flight may go on when the keeper died."""
REPORT_INTERVAL_S = 10.0
"""Between two lines about visitors who were turned away."""
LEAVE_INTERVAL_S = 0.05
"""Between two looks at whether the last visitor has gone."""


class Worker:
    def __init__(
        self, state: WorkerState, listeners: list[socket.socket], secure: list[socket.socket]
    ) -> None:
        self.state = state
        self._front = tls.Front()
        self._entrance = entrance.Entrance(state, self._front, listeners, secure)
        self._serves = False
        self._departing: dict[str, Instance] = {}
        self._ended = asyncio.Event()
        self._writer: asyncio.StreamWriter | None = None
        state.left = partial(release.left, state)
        state.drained = self._drained
        state.wanted = self._wanted

    async def run(self, channel: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        self.state.now = loop.time()
        reader, self._writer = await asyncio.open_connection(sock=channel)
        loop.add_signal_handler(signal.SIGTERM, self.stop, ORPHAN_LIMIT_S)
        for number in (signal.SIGINT, signal.SIGHUP):  # a terminal's: they are the keeper's matter
            loop.add_signal_handler(number, lambda: None)
        pace = Pace(self.state)
        self._every(sweep.INTERVAL_S, lambda: sweep.sweep(self.state, pace))
        self._every(sweep.INTERVAL_S, self._forget_departed)
        self._every(sweep.INTERVAL_S, self._check)
        self._every(REPORT_INTERVAL_S, self.state.visitors.report)
        self._every(FLUSH_INTERVAL_S, self.state.log.flush)
        if self.state.bells.descriptors:
            loop.add_reader(self.state.bells.descriptors[self.state.row], self._rung)
        self._say({"type": "ready"})
        obeying = asyncio.create_task(self._obey(reader))
        await self._ended.wait()
        obeying.cancel()
        self.state.log.close()

    async def _obey(self, reader: asyncio.StreamReader) -> None:
        while (message := await frames.read(reader)) is not None:
            await self._handle(message)
        self._writer = None
        self.stop(ORPHAN_LIMIT_S)

    async def _handle(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "table":
                self._swap(message)
                if not self._serves and not self.state.stopping:
                    await self._serve()
                self._say({"type": "applied", "version": self.state.routes.version})
            case "machine":
                self._note(message["machine"], message["up"])
            case "health":
                self._judge(message["instance"], message["healthy"])
            case "rows":
                self.state.living_rows(message["rows"])
            case "drain":
                self._drain(message["instance"])
            case "certificates":
                certified = certificates.read(message["set"])
                self._front.swap(certified, bytes.fromhex(message["ticket_keys"]))
                self._say({"type": "certificates", "version": certified.version})
            case "challenges":
                self.state.challenges = {
                    f"{CHALLENGE_PATH}{token}".encode(): text.encode()
                    for token, text in message["challenges"].items()
                }
                self._say({"type": "challenges", "version": message["version"]})
            case "stop":
                self.stop(message["limit_s"])

    def _swap(self, message: dict[str, Any]) -> None:
        """One assignment makes the new table obeyed; the rest is tidying."""
        state = self.state
        old = state.routes
        change = routes.Change(
            message["version"],
            message["bases"],
            route_table.read_apps(message["changed"]),
            message["removed"],
            message["slots"],
            frozenset(message["down"]),
            frozenset(message.get("unhealthy", ())),
        )
        state.living_rows(message["rows"])
        state.routes = old.changed(change, state.row, state.now, state.limits)
        for id, instance in old.instances.items():
            if state.routes.instances.get(id) is not instance:
                self._retire(instance)
        for app in list(state.queues):
            known = state.routes.apps.get(app.id) is app
            if app.ready or not known or not queue.may_stay(app):
                release.release(state, app)

    def _rung(self) -> None:
        """A place is free for which a request waits here."""
        self.state.bells.heard(self.state.row)
        for app in list(self.state.queues):
            if app.ready:
                release.release(self.state, app)

    def _retire(self, instance: Instance) -> None:
        instance.retired = True
        idle, instance.idle = instance.idle, []
        for upstream in idle:
            upstream.drop()
        if self.state.counters.cells[instance.cell]:
            self._departing[instance.id] = instance

    def _note(self, machine: str, up: bool) -> None:
        state = self.state
        instance = state.routes.instances.get(machine)
        if instance is None:
            return
        if up and not instance.up:
            instance.connected()  # what it refused before counts no more
        instance.up = up
        app = state.routes.owner(machine)
        if app is not None:
            app.refresh(state.now)
        if not up:
            _end(state, instance)
        if app is not None and app.ready and queue.waiting(state, app):
            release.release(state, app)

    def _check(self) -> None:
        """Ask instances how they are, as long as there is a keeper to tell."""
        if self._writer is not None:
            health.check_due(self.state, self._report)

    def _report(self, instance: Instance) -> None:
        message = {"instance": instance.id, "healthy": not instance.healthy}
        self._say({"type": "health", **message})

    def _judge(self, id: str, healthy: bool) -> None:
        instance = self.state.routes.instances.get(id)
        app = self.state.routes.owner(id)
        if instance is not None and app is not None:
            instance.healthy = healthy or not app.check
            instance.against = 0
            app.refresh(self.state.now)

    def _drain(self, id: str) -> None:
        instance = self._departing.get(id)
        if instance is None or not self.state.counters.cells[instance.cell]:
            self._departing.pop(id, None)
            self._say({"type": "drained", "instance": id})
        else:
            instance.waiting_for_drain = instance.watched = True

    def _forget_departed(self) -> None:
        """Also those whose last request ended under another entry of the same machine."""
        for instance in list(self._departing.values()):
            if not self.state.counters.cells[instance.cell]:
                if instance.waiting_for_drain:
                    self._drained(instance)
                else:
                    del self._departing[instance.id]

    def _drained(self, instance: Instance) -> None:
        instance.waiting_for_drain = False
        self._departing.pop(instance.id, None)
        self._say({"type": "drained", "instance": instance.id})

    def _wanted(self, app: App) -> None:
        self._say({"type": "wake", "app": app.id})

    def _say(self, message: dict[str, Any]) -> None:
        if self._writer is not None:
            self._writer.write(frames.encode(message))

    async def _serve(self) -> None:
        self._serves = True
        await self._entrance.open()
        gc.collect()
        gc.freeze()

    def stop(self, limit_s: float) -> None:
        """Accept no more; finish what is in flight, at most for `limit_s`; then end."""
        if self.state.stopping:
            return
        self.state.stopping = True
        self._entrance.close()
        task = asyncio.create_task(self._leave(limit_s))
        self.state.tasks.add(task)

    async def _leave(self, limit_s: float) -> None:
        """Idle visitors get a moment: a request of theirs may be on its way, or a handshake.

        Whoever was let in as the entrance closed is a visit only after the first pause.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + limit_s
        quiet_after = loop.time() + 1.0
        while True:
            await asyncio.sleep(LEAVE_INTERVAL_S)
            now = loop.time()
            if now > quiet_after:
                for visit in list(self.state.visits):
                    endings.close_idle(visit)
            arriving = self.state.arriving and now < quiet_after
            if now >= end or not (self.state.visits or arriving):
                break
        for visit in list(self.state.visits):
            endings.cut_short(visit)
        self._ended.set()

    def _every(self, interval_s: float, work: Any) -> None:
        """Do `work` again and again; an error in it is reported and does not end it."""
        loop = asyncio.get_running_loop()

        def turn() -> None:
            loop.call_later(interval_s, turn)
            work()

        loop.call_later(interval_s, turn)


def _end(state: WorkerState, instance: Instance) -> None:
    """Its machine has ended: nothing more comes of its connections."""
    idle, instance.idle = instance.idle, []
    for upstream in idle:
        upstream.drop()
    for visit in list(state.visits):
        if visit.instance is instance and not visit.responding:
            retries.strand(visit)


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    state = WorkerState(
        Counters(options.counters),
        options.row,
        options.log_folder,
        limits.parse(options.limit),
        Bells([int(each) for each in options.bells.split(",") if each]),
        visitors.networks(options.trusted_proxy),
        visitors.networks(options.forwarding_proxy),
    )
    listeners, secure = _sockets(options.listen), _sockets(options.listen_tls)
    gc.set_threshold(50_000, 20, 50)
    channel = socket.socket(fileno=options.channel)
    channel.setblocking(False)
    for listener in (*listeners, *secure):
        listener.setblocking(False)

    async def work() -> None:
        await Worker(state, listeners, secure).run(channel)

    uvloop.run(work())


def _sockets(descriptors: str) -> list[socket.socket]:
    return [socket.socket(fileno=int(each)) for each in descriptors.split(",") if each]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="paas-router-worker")
    parser.add_argument("--row", type=int, required=True)
    parser.add_argument("--listen", default="")
    parser.add_argument("--listen-tls", default="")
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--counters", type=int, required=True)
    parser.add_argument("--bells", default="")
    parser.add_argument("--log-folder", type=Path, required=True)
    parser.add_argument("--limit", action="append", default=[])
    parser.add_argument("--trusted-proxy", action="append", default=[])
    parser.add_argument("--forwarding-proxy", action="append", default=[])
    return parser.parse_args(arguments)
