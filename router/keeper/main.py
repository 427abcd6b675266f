"""The keeper: holds the listening sockets and the counters, and never carries traffic.

    paas-router --control-socket PATH --table FILE --log-folder DIR
                [--workers N] [--listen HOST:PORT] [--listen-tls HOST:PORT]
                [--limit NAME=NUMBER] [--trusted-proxy NETWORK] [--forwarding-proxy NETWORK]

Sockets come from LISTEN_FDS (descriptors from 3, as systemd passes them; those that LISTEN_FDNAMES
calls `https` speak TLS) or are opened from `--listen` and `--listen-tls`. Workers are processes of
their own on the same sockets: a dead one is replaced at once, SIGHUP starts a new generation and
lets the old one finish, SIGTERM ends all when their requests in flight are done. A byte goes to the
descriptor that PAAS_READY_FD names when all workers serve.
"""

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from router.keeper import control, credentials, listeners, orphans, state
from router.keeper.worker_process import Inheritance
from router.keeper.workers import Workers
from router.memory import bells, counters, limits
from router.traffic import visitors

DRAIN_LIMIT_S = 30.0
TICKET_KEYS_LIFE_S = 12 * 3600.0


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    try:
        asyncio.run(_keep(options))
    except KeyboardInterrupt:
        sys.exit(130)


async def _keep(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    sockets = listeners.passed() or listeners.opened(options.listen, options.listen_tls)
    if not sockets:
        sys.exit("paas-router: no listening socket: pass LISTEN_FDS or --listen HOST:PORT")
    shared = counters.create()
    known = state.State(options.table, shared)
    passed_on = ["--log-folder", str(options.log_folder), *(f"--limit={x}" for x in options.limit)]
    passed_on += [f"--trusted-proxy={each}" for each in options.trusted_proxy]
    passed_on += [f"--forwarding-proxy={each}" for each in options.forwarding_proxy]
    kept = credentials.Credentials(options.table.with_name("certificates.json"))
    left = orphans.Orphans(options.table.with_name(options.table.name + ".workers"))
    inheritance = Inheritance(sockets, shared, bells.create(), passed_on)
    workers = Workers(options.workers, inheritance, known, kept, left)
    server = await control.serve(options.control_socket, known, kept, workers)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_signal_handler(signal.SIGHUP, workers.renew)
    await workers.start()
    rotating = asyncio.create_task(_rotate_ticket_keys(kept, workers))
    _report_ready()
    await ended.wait()
    server.close()
    rotating.cancel()
    await workers.end(options.drain_limit)


async def _rotate_ticket_keys(kept: credentials.Credentials, workers: Workers) -> None:
    """Who gets hold of a key can read no older sessions than the key itself."""
    while True:
        await asyncio.sleep(TICKET_KEYS_LIFE_S)
        kept.rotate()
        for message in kept.messages():
            await workers.share(message, 0)


def _report_ready() -> None:
    descriptor = os.environ.get("PAAS_READY_FD")
    if descriptor:
        with contextlib.suppress(OSError):  # the supervisor may have been killed meanwhile
            os.write(int(descriptor), b"1")
        os.close(int(descriptor))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="paas-router", description="The HTTP router.")
    parser.add_argument("--control-socket", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True, help="the last table is kept here")
    parser.add_argument("--log-folder", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=0, help="0: one a core, less one")
    parser.add_argument("--listen", action="append", default=[], metavar="HOST:PORT")
    parser.add_argument("--listen-tls", action="append", default=[], metavar="HOST:PORT")
    parser.add_argument("--drain-limit", type=float, default=DRAIN_LIMIT_S, metavar="SECONDS")
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=NUMBER")
    parser.add_argument(
        "--trusted-proxy",
        action="append",
        default=[],
        metavar="NETWORK",
        help="who connects from there begins with a PROXY header, which says who the visitor is",
    )
    parser.add_argument(
        "--forwarding-proxy",
        action="append",
        default=[],
        metavar="NETWORK",
        help="who connects from there is believed in X-Forwarded-* and Forwarded",
    )
    options = parser.parse_args(arguments)
    try:
        limits.parse(options.limit)
        visitors.networks(options.trusted_proxy)
        visitors.networks(options.forwarding_proxy)
    except ValueError as error:
        parser.error(str(error))
    most = counters.ROWS // 2 - 1  # twice as many while a new generation takes over
    if options.workers > most:
        parser.error(f"--workers: {most} at most")
    options.workers = options.workers or min(max((os.cpu_count() or 2) - 1, 1), most)
    return options
