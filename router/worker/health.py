"""Active checks: the path that an app names is asked of each of its instances, again and again.

One worker asks, the one with the lowest row that lives; what it finds goes to the others by way of
the keeper. An instance that fails three times in a row is left alone until it answers twice, unless
no other is there: see `App.refresh`.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Final

from router.choice.apps import App
from router.choice.instances import Instance
from router.traffic.visit import WorkerState
from router.wire import dial

FAILURES: Final = 3
SUCCESSES: Final = 2
AT_ONCE_MAX: Final = 64
LINE_BYTES_MAX: Final = 4096
_HEALTHY = re.compile(rb"HTTP/1\.[01] [23][0-9][0-9](?: .*)?\r\n")

Report = Callable[[Instance], None]


def judged(healthy: bool, against: int, good: bool) -> tuple[bool, int]:
    """What an instance is after one more check, and how many in a row have spoken against that."""
    if good == healthy:
        return healthy, 0
    against += 1
    if against >= (FAILURES if healthy else SUCCESSES):
        return good, 0
    return healthy, against


def check_due(state: WorkerState, report: Report) -> None:
    """Start the checks that are due; `report` is told of each instance that changes."""
    if not state.is_first():
        return
    now = asyncio.get_running_loop().time()
    for app in state.routes.checked.values():
        for instance in app.instances:
            if not instance.up or now < instance.next_check:
                continue
            if state.checks_running >= AT_ONCE_MAX:
                return
            instance.next_check = now + state.limits.check_s
            state.start_task(_check(state, app, instance, report))


async def _check(state: WorkerState, app: App, instance: Instance, report: Report) -> None:
    state.checks_running += 1
    try:
        good = await _answers(instance, app.check, state.limits.check_timeout_s)
    finally:
        state.checks_running -= 1
    healthy, instance.against = judged(instance.healthy, instance.against, good)
    if healthy != instance.healthy and not instance.retired:
        report(instance)


async def _answers(instance: Instance, text: bytes, timeout_s: float) -> bool:
    """Does it answer in time with 2xx or 3xx? Nothing else that it sends is read."""
    writer = None
    try:
        async with asyncio.timeout(timeout_s):
            if instance.tcp is not None:
                reader, writer = await asyncio.open_connection(*instance.tcp, limit=LINE_BYTES_MAX)
            else:
                reader = asyncio.StreamReader(LINE_BYTES_MAX)
                protocol = asyncio.StreamReaderProtocol(reader)
                transport = await dial.connect(lambda: protocol, instance.unix)
                loop = asyncio.get_running_loop()
                writer = asyncio.StreamWriter(transport, protocol, reader, loop)
            writer.write(text)
            return _HEALTHY.fullmatch(await reader.readuntil(b"\r\n")) is not None
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        return False
    finally:
        if writer is not None:
            writer.transport.abort()
