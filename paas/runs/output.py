"""What the processes of a machine printed last."""

import asyncio

from paas import logs
from paas.settings import Settings

TAIL_LINES = 40


async def last_output(settings: Settings, app_id: str, machine_uuid: str, process: str) -> str:
    """The newest lines, also of a machine that is gone. `process` is the name in them: `web.1`."""
    only = logs.Filter(source="app", process=process)
    machines = [(machine_uuid, process)]
    lines = await asyncio.to_thread(logs.read, settings, app_id, machines, TAIL_LINES, only)
    return "\n".join(line.text for line in lines)
