"""The keeper: holds the listening sockets and the counters, and never carries traffic.

    paas-router --control-socket PATH --table FILE --log-folder DIR
                [--workers N] [--listen HOST:PORT]

Sockets come from LISTEN_FDS (descriptors from 3, as systemd passes them) or are opened from
`--listen`. Workers are processes of their own on the same sockets: a dead one is replaced at once,
SIGHUP starts a new generation and lets the old one finish, SIGTERM ends all when their requests in
flight are done. A byte goes to the descriptor that PAAS_READY_FD names when all workers serve.
"""

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from router import control, counters, crew, limits, orphans, state

DRAIN_LIMIT_S = 30.0


def main(arguments: Sequence[str] | None = None) -> None:
    options = _options(arguments)
    try:
        asyncio.run(_keep(options))
    except KeyboardInterrupt:
        sys.exit(130)


async def _keep(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    listeners = passed_sockets() or [_open(address) for address in options.listen]
    if not listeners:
        sys.exit("paas-router: no listening socket: pass LISTEN_FDS or --listen HOST:PORT")
    shared = counters.create()
    known = state.State(options.table, shared)
    passed_on = ["--log-folder", str(options.log_folder), *(f"--limit={x}" for x in options.limit)]
    left = orphans.Orphans(options.table.with_name(options.table.name + ".workers"))
    workers = crew.Crew(known, shared, listeners, passed_on, options.workers, left)
    server = await control.serve(options.control_socket, known, workers)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    loop.add_signal_handler(signal.SIGHUP, workers.renew)
    await workers.start()
    _report_ready()
    await ended.wait()
    server.close()
    await workers.end(options.drain_limit)


def passed_sockets() -> list[socket.socket]:
    """The sockets of sd_listen_fds(3)."""
    count = int(os.environ.get("LISTEN_FDS") or 0)
    meant_for = os.environ.get("LISTEN_PID")
    if meant_for and int(meant_for) != os.getpid():
        return []
    return [socket.socket(fileno=3 + index) for index in range(count)]


def _open(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host or not host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        listener.bind((host, int(port)))
    except OSError as error:
        sys.exit(f"paas-router: can't listen on {address}: {error.strerror}")
    listener.listen(4096)
    return listener


def _report_ready() -> None:
    descriptor = os.environ.get("PAAS_READY_FD")
    if descriptor:
        os.write(int(descriptor), b"1")
        os.close(int(descriptor))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="paas-router", description="The HTTP router.")
    parser.add_argument("--control-socket", type=Path, required=True)
    parser.add_argument("--table", type=Path, required=True, help="the last table is kept here")
    parser.add_argument("--log-folder", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=0, help="0: one a core, less one")
    parser.add_argument("--listen", action="append", default=[], metavar="HOST:PORT")
    parser.add_argument("--drain-limit", type=float, default=DRAIN_LIMIT_S, metavar="SECONDS")
    parser.add_argument("--limit", action="append", default=[], metavar="NAME=NUMBER")
    options = parser.parse_args(arguments)
    try:
        limits.parse(options.limit)
    except ValueError as error:
        parser.error(str(error))
    options.workers = options.workers or max((os.cpu_count() or 2) - 1, 1)
    return options


if __name__ == "__main__":
    main()
