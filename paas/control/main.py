"""The control process: API, git server, builder and provisioner around one database.

One ASGI application answers on loopback and on the control socket, which the supervisor opened:
what connects while control is started again waits, and nobody else can answer meanwhile. Who
reaches the socket in the file system is the owner (its folder lets in root and the control user
only).
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import uvicorn
import uvloop
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

import gitserver
from gitserver.interface import ASGIApp, Receive, Scope, Send
from paas.api.application import application as api_application
from paas.api.authentication import OWNER_SCOPE
from paas.control import attaching, damaged, gitaccess, housekeeping, repositories, sshaccess
from paas.control.compose import compose
from paas.control.connections import Connection
from paas.control.encryption import Encryption
from paas.deploys import connected, cut_off
from paas.errors import UserError
from paas.host import handed
from paas.host.sockets import CONTROL, SSH, Listener, named
from paas.operations.served import served
from paas.platform.platform import Platform
from paas.provisioner import heal
from paas.routes import hooks
from paas.runs import cron, one_off
from paas.settings import Settings, load
from paas.store.sql import backups, file
from paas.store.sql.backups import DatabaseDamaged
from paas.store.sql.database import Database

DRAIN_S = 5
log = logging.getLogger(__name__)


def main() -> None:
    logging.basicConfig(level=logging.INFO, format="control: %(levelname)s %(name)s: %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        uvloop.run(serve(load()))
    except UserError as error:
        raise SystemExit(f" !     {error.message}\n !     {error.hint}") from error


async def serve(settings: Settings) -> None:
    """Run until SIGTERM."""
    listeners = _listeners()
    sockets = [item.socket for item in named(listeners, CONTROL)]
    try:
        database = await asyncio.to_thread(_open, settings)
    except DatabaseDamaged as damage:
        await _serve_damaged(settings, damage, sockets)
        return
    platform = compose(settings, database)
    try:
        await platform.outputs.restore(database)
        await cut_off.fail_unfinished(platform)
        await repositories.delete_unclaimed(platform)
        await cut_off.keep_promises(platform)
        async with (
            _following(platform),
            _git_server(platform) as git_server,
            sshaccess.serving(platform, git_server, named(listeners, SSH)),
        ):
            collect = partial(repositories.collect_garbage, platform, git_server)
            platform.background.keep_up(collect, "garbage collection")
            await connected.resume(platform, git_server)
            await _answer(application(platform, git_server), sockets, **_attaching(platform))
    finally:
        database.close()


def _open(settings: Settings) -> Database:
    path = file.path_of(settings.database_url)
    if path is not None:
        backups.check(path, settings.repositories)
    database = Database.open(settings.database_url)
    # What is in memory may be wrong from then on: the next control looks at the file first.
    database.on_damage = lambda damage: os.kill(os.getpid(), signal.SIGTERM)
    return database


async def _serve_damaged(
    settings: Settings, damage: DatabaseDamaged, sockets: list[socket.socket]
) -> None:
    log.error("%s", damage)
    _say_ready()
    path = file.path_of(settings.database_url)
    assert path is not None
    app = damaged.application(settings, str(damage))
    await damaged.until_replaced(path, lambda: _answer(app, sockets))


@contextlib.asynccontextmanager
async def _following(platform: Platform) -> AsyncIterator[None]:
    """What goes on for ever beside the answers; whatever is under way at the end is cancelled."""
    settings, outputs = platform.settings, platform.outputs
    for name, work in (
        ("machines", platform.machines.run),
        ("routes", platform.routes.run),
        ("heal", lambda: heal.run(platform)),
        ("start", lambda: _start(platform)),
        ("housekeeping", lambda: housekeeping.run(platform)),
        ("backups", lambda: housekeeping.back_up(platform.database)),
        ("drains", lambda: platform.drains.run(settings, platform.database, outputs)),
        ("certificates", lambda: _keep_certificates(platform)),
    ):
        platform.background.keep_up(work, name)
    try:
        yield
    finally:
        await platform.background.cancel()


@contextlib.asynccontextmanager
async def _git_server(platform: Platform) -> AsyncIterator[gitserver.GitServer]:
    server = platform.git.made = gitaccess.application(platform)
    await server.start()
    try:
        yield server
    finally:
        await server.aclose()


def application(platform: Platform, git_server: gitserver.GitServer) -> ASGIApp:
    """git below `/<app>.git`, the API everywhere else; at the address of hooks, these alone."""
    api_server = api_application(served(platform, git_server))

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        # uvicorn names the server's address and port; only a Unix socket has no port.
        scope[OWNER_SCOPE] = not (scope.get("server") or (None, None))[1]
        host = Headers(scope=scope).get("host", "")
        if hooks.is_elsewhere(platform.settings, host, scope["path"]):
            await PlainTextResponse("Nothing but hooks is here.\n", 404)(scope, receive, send)
            return
        chosen = git_server if gitserver.matches(scope["path"]) else api_server
        await chosen(scope, receive, send)

    return answer


async def _keep_certificates(platform: Platform) -> None:
    """Where TLS is spoken. What that needs is imported then only: it takes megabytes."""
    settings = platform.settings
    if settings.router_tls_port:
        from paas.certificates.keeping import Keeping

        parts = (settings, platform.database, platform.router, platform.hostnames_changed)
        await Keeping(*parts).run()


async def _start(platform: Platform) -> None:
    """As soon as the node answers: bring its machines in line with the database, and say to the
    supervisor when that is so."""
    machines = platform.machines
    waits = [asyncio.create_task(event.wait()) for event in (machines.connected, machines.unusable)]
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if machines.unusable.is_set():
        # Nothing more can start until somebody has mended the pool: what runs is to be reached.
        _say_ready()
    await machines.connected.wait()
    for wait in waits:
        wait.cancel()
    await one_off.resume(platform)
    await cron.resume(platform)
    platform.background.keep_up(lambda: cron.run(platform), "cron")
    await heal.reconcile(platform)
    await heal.answering(platform, platform.settings.boot_timeout_s)
    _say_ready()


def _say_ready() -> None:
    descriptor = os.environ.pop("PAAS_READY_FD", "")
    if descriptor:
        with contextlib.suppress(OSError):  # the supervisor may have been killed meanwhile
            os.write(int(descriptor), b"1")
        os.close(int(descriptor))


def _attaching(platform: Platform) -> dict[str, Any]:
    """How connections come in that are no requests."""
    attachments = platform.attachments

    def rendezvous(secret: bytes, transport: asyncio.Transport) -> asyncio.StreamReader | None:
        return attaching.rendezvous(secret, transport, attachments)

    return {
        "http": Connection.with_tls(Encryption(platform.settings), rendezvous),
        "ws": partial(attaching.Upgraded, attachments),
    }


async def _answer(
    app: ASGIApp, sockets: list[socket.socket], http: Any = Connection, ws: Any = "none"
) -> None:
    config = uvicorn.Config(
        app,
        http=http,
        ws=ws,
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=64 * 1024,
    )
    # It raises a signal that it took once more at its end: the database is still to be closed then.
    signal.signal(signal.SIGTERM, lambda *_: None)
    await uvicorn.Server(config).serve(sockets)


def _listeners() -> list[Listener]:
    """UserError when there are none: only the supervisor knows that nobody else listens there."""
    passed = handed.take(os.environ).listeners
    if not passed:
        hint = "Start the platform with `paas up`."
        raise UserError("no_sockets", "control was started without its listening sockets", hint)
    return passed
