"""What is done again and again while the node runs, whatever it is asked."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from paas.node.machines.machines import Machines
from paas.node.network import lan
from paas.node.zone import logs
from paas.settings import Settings

log = logging.getLogger(__name__)
_DAY_S = 86400.0
_FOREIGN_S = 20.0


async def keep_passing(settings: Settings) -> None:
    """For ever: other firewalls may start, or load their rules anew, while the node runs."""
    while True:
        await asyncio.sleep(_FOREIGN_S)
        try:
            await asyncio.to_thread(lan.pass_through, settings)
        except OSError as error:
            log.error("other firewalls can't be looked at: %s", error)


async def daily(machines: Machines, folder: Path) -> None:
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


def watch_logs(folder: Path, give: Callable[[Path], None]) -> logs.Watch | None:
    """conmon's logs stay control's to read, also those that it replaced while no node lived."""
    for path in folder.glob("*.log"):
        give(path)
    try:
        return logs.Watch(folder, give)
    except OSError as error:
        log.warning("logs that reach their bound stay unreadable until the next start: %s", error)
        return None
