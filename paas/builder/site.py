"""The last step of a site's build: what was built is found, and the web server is told about it."""

import asyncio
from typing import BinaryIO

from buildpacks import output, static
from buildpacks.findings import Notice
from buildpacks.plan import Site
from paas.builder import zone
from paas.builder.work import BuildFailed, Building, must
from paas.errors import PlatformError

_LINES_MAX = 5000
_TIMEOUT_S = 300.0
_WRITE = f"""
set -e
cat > "$1"
echo > {static.LISTEN}
exec /usr/sbin/nginx -t -q -p /tmp -e stderr -c "$1"
"""


async def finish(building: Building, site: Site) -> None:
    """Raises BuildFailed where there is nothing to serve."""
    work, machine = building.work, building.machine
    async with work.timeline.step("site"):
        folder = building.start.plan.folder
        seen = await _look(machine, site, folder)
        if seen.folder is None:
            raise BuildFailed(static.lost(site, seen))
        made = static.configuration(site, seen, folder)
        await _write(machine, made.text)
    await work.write(output.step(said(site, seen.folder)))
    for notice in made.notices:
        await work.write(_noted(notice))


def said(site: Site, folder: str) -> str:
    return f"Serving {folder or 'the repository'} ({site.source})"


async def _look(machine: zone.Zone, site: Site, folder: str) -> static.Seen:
    lines: list[str] = []

    async def keep(line: str) -> None:
        if len(lines) < _LINES_MAX:
            lines.append(line)

    command = ("sh", "-c", static.LOOK, "sh", *site.folders)
    async with asyncio.timeout(_TIMEOUT_S):
        result = await machine.run(command, write_line=keep, working_directory=zone.at(folder))
    if result.code:
        raise PlatformError(f"the site could not be read ({result.code}): {result.tail}")
    return static.read(lines)


async def _write(machine: zone.Zone, text: str) -> None:
    def fill(stream: BinaryIO) -> None:
        stream.write(text.encode())

    command = ("sh", "-c", _WRITE, "sh", static.CONFIGURATION)
    await must(machine.run(command, fill=fill))


def _noted(notice: Notice) -> str:
    return output.detail(f"Note: {notice.message}") + output.detail(notice.hint)
