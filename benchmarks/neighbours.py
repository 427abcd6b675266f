"""What noisy neighbours cost an app, and whether its shares explain that.

An app is asked at fixed times over its Unix socket, by a client with real-time priority: what is
measured is the app's waiting, never the client's. Of each round there is a p50 and a p99, alone and
beside the neighbour in turns; the median over the rounds counts, so that one burst of other work on
the host decides nothing.
"""

import contextlib
import gzip
import math
import os
import platform
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from own_node import OwnNode, UnixConnection, percentile, wait_answer

from paas.node.zone import classes

CORES = os.cpu_count() or 1
ASK_EVERY_S = 0.01
TICKS_PER_S = 250
"""Debian's and Ubuntu's kernels, where the kernel's own configuration can't be read."""
BASE_SLICE_MS = 0.7
"""Of Linux 6.6 and later, for one core; it grows with the logarithm of up to eight."""

BURN = f"for i in $(seq {2 * CORES}); do (while :; do :; done) & done; wait"
FORK = "for i in 1 2 3 4; do (while :; do /bin/true; done) & done; wait"
FILL = "while :; do dd if=/dev/zero of=/app/fill bs=1M 2>/dev/null; sync; rm -f /app/fill; done"
FLOOD = "exec yes 'a line of the log that is long enough to cost something to write'"
EAT = "const kept = []; for (;;) kept.push(Buffer.alloc(1 << 20, 1))"
BUILD = (
    f"for i in $(seq {CORES}); do (while :; do tar -c /usr/bin /app | gzip >/app/out$i;"
    " node -e 'require(\"express\")'; done) & done; wait"
)

Running = Callable[[OwnNode, Sequence[Any]], AbstractContextManager[list[str]]]


@dataclass(frozen=True)
class Neighbour:
    """A noisy one: its command, and what differs in its metadata."""

    name: str
    command: Sequence[str]
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_build(self) -> bool:
        return self.metadata.get("smartplatform:class") == "builds"


def shell(text: str) -> list[str]:
    return ["sh", "-c", text]


NEIGHBOURS = (
    Neighbour("burns CPU", shell(BURN)),
    Neighbour("forks", shell(FORK)),
    Neighbour("fills its disk", shell(FILL)),
    Neighbour("floods its log", shell(FLOOD)),
    Neighbour("eats memory", ["node", "-e", EAT], {"docker:restartpolicy": "always"}),
    Neighbour("builds", shell(BUILD), {"smartplatform:class": "builds"}),
)


def report(
    node: OwnNode, running: Running, app_shares: int, *, seconds: float, rounds: int
) -> None:
    """Alone and beside each neighbour in turns; prints a line for each, and a judgement."""
    wait_ms = longest_wait_ms()
    print(
        "what the shares explain: with w of the weight at its core a request takes 1/w of the\n"
        f"time it takes alone, and waits for one turn of the neighbour ({wait_ms:.1f} ms here)"
    )
    heads = ("p50", "p99", "p50 with", "p99 with", "p99 ÷", "explained")
    print(f"{'neighbour, ms':24}" + "".join(f"{head:>10}" for head in heads))
    app = node.payload(cpu_shares=app_shares)
    with running(node, [app]) as (uuid,), real_time():
        socket = node.socket(uuid)
        wait_answer(socket)
        latencies_ms(socket, seconds)
        for neighbour in NEIGHBOURS:
            without: list[list[float]] = []
            beside: list[list[float]] = []
            for _ in range(rounds):
                without.append(latencies_ms(socket, seconds))
                with running(node, [_payload(node, neighbour, app_shares)]):
                    beside.append(latencies_ms(socket, seconds))
            _print_line(neighbour, without, beside, wait_ms)


def explained_ms(p99_ms: float, weight: float, neighbours_weight: float, wait_ms: float) -> float:
    """The p99 that a fair scheduler owes an app beside a neighbour that never sleeps."""
    return p99_ms * (weight + neighbours_weight) / weight + wait_ms


def longest_wait_ms() -> float:
    """Until the kernel looks again who may run: a tick, and what is left of a slice then."""
    slice_ms = BASE_SLICE_MS * (1 + math.log2(min(CORES, 8)))
    with contextlib.suppress(OSError, ValueError):
        slice_ms = int(Path("/sys/kernel/debug/sched/base_slice_ns").read_text()) / 1e6
    return 1000 / _ticks_per_s() + slice_ms


def latencies_ms(socket: Path, seconds: float) -> list[float]:
    """Of requests at fixed times, counted from when each was due (no coordinated omission)."""
    connection = UnixConnection(socket)
    found, due, end = [], time.perf_counter(), time.perf_counter() + seconds
    while due < end:
        time.sleep(max(0, due - time.perf_counter()))
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        found.append((time.perf_counter() - due) * 1000)
        due += ASK_EVERY_S
    connection.close()
    return found


@contextlib.contextmanager
def real_time() -> Iterator[None]:
    """The client never waits for a core."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        os.setpriority(os.PRIO_PROCESS, 0, -20)
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.setpriority(os.PRIO_PROCESS, 0, 0)


def _payload(node: OwnNode, neighbour: Neighbour, shares: int) -> Any:
    metadata = {"smartplatform:port": None, **neighbour.metadata}
    return node.payload(neighbour.command, cpu_shares=shares, metadata=metadata)


def _print_line(
    neighbour: Neighbour,
    without: Sequence[Sequence[float]],
    beside: Sequence[Sequence[float]],
    wait_ms: float,
) -> None:
    p50, p50_with = (_median(rounds, 50) for rounds in (without, beside))
    p99, worse = (_median(rounds, 99) for rounds in (without, beside))
    mine, other = 1.0, 1.0
    if neighbour.is_build:
        mine, other = classes.CPU_SHARES["machines"], classes.CPU_SHARES["builds"]
    bound = explained_ms(p99, mine, other, wait_ms)
    figures = (p50, p99, p50_with, worse)
    cells = "".join(f"{value:10.2f}" for value in figures)
    judgement = "ok" if worse <= bound else "worse"
    print(f"{neighbour.name:24}{cells}{worse / p99:10.1f}{bound:10.2f}  {judgement}")


def _median(rounds: Sequence[Sequence[float]], percent: float) -> float:
    return statistics.median(percentile(values, percent) for values in rounds)


def _ticks_per_s() -> int:
    """CONFIG_HZ of the kernel that runs."""
    for path in (Path("/proc/config.gz"), Path(f"/boot/config-{platform.release()}")):
        with contextlib.suppress(OSError):
            data = path.read_bytes()
            text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
            found = re.search(r"^CONFIG_HZ=(\d+)$", text, re.MULTILINE)
            if found:
                return int(found[1])
    return TICKS_PER_S
