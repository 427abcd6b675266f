"""The control process: API, git server, builder and provisioner around one database.

One ASGI application answers on loopback and on the control socket; who reaches the socket is the
owner (its folder lets in root and the control user only).
"""

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from typing import Any

import uvicorn
import uvloop

import gitserver
from gitserver.interface import ASGIApp, Receive, Scope, Send
from paas import gitaccess, housekeeping, push
from paas.api.application import application as api_application
from paas.api.authentication import OWNER_SCOPE
from paas.errors import UserError
from paas.operations import served
from paas.platform import Platform, compose
from paas.provisioner import heal
from paas.settings import Settings, load
from paas.store.database import Database
from paas.supervision.sockets import holder

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
DRAIN_S = 5
FAILED_PAUSE_S = 1.0
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
    database = await asyncio.to_thread(Database.open, settings.database_url)
    platform = compose(settings, database)
    try:
        with _listening(settings) as sockets:
            await heal.fail_unfinished(platform)
            await housekeeping.delete_repositories(platform)
            await push.repair_refs(platform)
            async with _following(platform), _git_server(platform) as git_server:
                collect = partial(housekeeping.collect_garbage, platform, git_server)
                platform.background(
                    _to_success("garbage collection", collect), "garbage collection"
                )
                await _answer(application(platform, git_server), sockets)
    finally:
        database.close()


@contextlib.asynccontextmanager
async def _following(platform: Platform) -> AsyncIterator[None]:
    """What goes on for ever beside the answers; whatever is under way at the end is cancelled."""
    for name, work in (
        ("machines", platform.machines.run),
        ("routes", platform.routes.run),
        ("heal", lambda: heal.run(platform)),
        ("start", lambda: _start(platform)),
        ("housekeeping", lambda: housekeeping.run(platform)),
        ("certificates", lambda: _keep_certificates(platform)),
    ):
        platform.background(_to_success(name, work), name)
    try:
        yield
    finally:
        tasks = list(platform.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def _git_server(platform: Platform) -> AsyncIterator[gitserver.GitServer]:
    server = gitaccess.application(platform)
    await server.start()
    try:
        yield server
    finally:
        await server.aclose()


def application(platform: Platform, git_server: ASGIApp) -> ASGIApp:
    """git below `/<app>.git`, the API everywhere else."""
    api_server = api_application(served(platform))

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        # uvicorn names the server's address and port; only a Unix socket has no port.
        scope[OWNER_SCOPE] = not (scope.get("server") or (None, None))[1]
        chosen = git_server if gitserver.matches(scope["path"]) else api_server
        await chosen(scope, receive, send)

    return answer


async def _keep_certificates(platform: Platform) -> None:
    """Where TLS is spoken. What that needs is imported then only: it takes megabytes."""
    settings = platform.settings
    if settings.router_tls_port:
        from paas.certificates.keeping import Keeping

        parts = (settings, platform.database, platform.router, platform.hostnames)
        await Keeping(*parts).run()


async def _to_success(name: str, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Do it, and again when it fails: control without one of these would only seem to work."""
    while True:
        try:
            return await work()
        except Exception:
            log.exception("%s failed; it is started again", name)
        await asyncio.sleep(FAILED_PAUSE_S)


async def _start(platform: Platform) -> None:
    """As soon as the node answers: bring its machines in line with the database."""
    await platform.machines.connected.wait()
    await heal.reconcile(platform)


async def _answer(app: ASGIApp, sockets: list[socket.socket]) -> None:
    config = uvicorn.Config(
        app,
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=64 * 1024,
    )
    await _Server(config).serve(sockets)


class _Server(uvicorn.Server):
    """Says to the supervisor when it serves."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        descriptor = os.environ.get("PAAS_READY_FD")
        if descriptor:
            os.write(int(descriptor), b"1")
            os.close(int(descriptor))


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[list[socket.socket]]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(_listen_unix(settings))]
        for family, address in LOOPBACK:
            item = _listen(family, address, settings.control_port)
            if item is not None:
                sockets.append(stack.enter_context(item))
        yield sockets


def _listen_unix(settings: Settings) -> socket.socket:
    path = settings.control_socket
    path.unlink(missing_ok=True)
    item = socket.socket(socket.AF_UNIX)
    item.bind(str(path))
    path.chmod(0o660)
    item.listen(128)
    return item


def _listen(family: socket.AddressFamily, address: str, port: int) -> socket.socket | None:
    """None where the host has no IPv6. UserError names the process that has the port."""
    try:
        item = socket.socket(family, socket.SOCK_STREAM)
    except OSError:
        return None
    item.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        item.bind((address, port))
    except OSError as error:
        item.close()
        if family == socket.AF_INET6 and not holder(port):
            return None
        raise UserError(
            "port_taken",
            f"port {port} is taken by {holder(port) or 'another process'}",
            f"Stop that process, or choose another port: PAAS_CONTROL_PORT={port + 10} paas up",
        ) from error
    item.listen(128)
    return item


if __name__ == "__main__":
    main()
