"""Before the node serves: pool, images, network, and no traces of what a killed node left."""

import asyncio
import contextlib
import errno
import functools
import logging
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from paas.node import pools, protocol
from paas.node.brands import lx
from paas.node.errors import NodeError
from paas.node.images.prepare import prepare_images
from paas.node.images.store import Images
from paas.node.machines.host import Host, own_by_control
from paas.node.machines.machine import Machine
from paas.node.machines.machines import Machines, ports
from paas.node.machines.records import Records
from paas.node.network import lan, openings
from paas.node.server import requests
from paas.node.server.events import Events
from paas.node.server.notices import Notices
from paas.node.upkeep import remount
from paas.node.upkeep.smartos_paths import SmartosPaths
from paas.node.upkeep.sweep import sweep
from paas.node.zone.bundle import files, supplies
from paas.settings import Settings, reread
from router.wire import frames

log = logging.getLogger(__name__)
_POOL_RETRY_S = 5.0
_POOL_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


@dataclass(frozen=True)
class Prepared:
    """The parts of a node that may serve. `zones` is what all of its zones share."""

    machines: Machines
    zones: lx.Zones
    events: Events
    notices: Notices


async def prepare_when_possible(settings: Settings, ready: Callable[[], None]) -> Prepared:
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


async def prepare(settings: Settings) -> Prepared:
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
    shown = [host.shown(machine) for machine in records]
    await asyncio.to_thread(SmartosPaths(settings).prepare, shown, wanted=settings.smartos_paths)
    for done in await sweep(host, records):
        log.warning("%s", done)
    return Prepared(machines, zones, events, notices)


def _open_storage(settings: Settings) -> tuple[pools.Pool, Images]:
    settings.state.mkdir(mode=0o755, parents=True, exist_ok=True)
    pool = pools.open_pool(settings)
    return pool, prepare_images(settings, pool)


def _prepare_network(host: Host, records: list[Machine]) -> None:
    settings = host.settings
    opened = [
        *openings.operator_openings(),
        *openings.registry_openings(openings.npmrc_files(settings.npmrc)),
    ]
    lan.prepare(settings, host.network6, host.resolvers, opened, ports(host, records))


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
    paths = SmartosPaths(settings) if settings.smartos_paths else None

    def changed(old: Machine | None, new: Machine | None) -> None:
        before, after = (host.shown(machine) if machine else None for machine in (old, new))
        events.publish(before, after)
        if paths is not None:
            paths.changed(before, after)
        if new is not None:
            notices.tell_of(new)
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
        begins=not settings.began.exists(),
        reread=reread,
    )
    lx.install_shared_files(host)
    return host
