"""The rehearsal: V8's compile cache is made by starting the app once, before its tree is an image.

The cache is in the image, and in those that are derived from it: Node.js looks a file's code up by
its path, and takes it only for the same content and the same version of itself. It is written here
alone: the user of the rehearsal owns it, and can change nothing of the app's; instances, which are
another user's, only read it. What becomes of the start is nobody's matter: it has no config vars,
makes no connection, and is over after seconds; without a cache an app starts a little slower.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from buildpacks import nodejs
from buildpacks.plan import Plan
from paas.apps.processes import PORT, WEB
from paas.builder import zone
from paas.builder.work import Building, must

FOLDER = "/var/tmp/nodejs-compile-cache"
"""Anybody may make it there (the sticky bit), and nobody but its maker change it."""
VARIABLES = {"NODE_COMPILE_CACHE": FOLDER}
"""Of a web process whose image has a cache."""
USER = "1001"
"""Neither `app`, who runs builds and instances, nor anybody else in the base image."""
_INSTANCE_USER = "1000"
_SINCE_MAJOR = 24
"""V8 takes no code that was made under other flags, and counted the limits of the heap among them
before: these follow from an instance's memory, which is not known yet."""
_SIZE_KIB_MAX = 32 * 1024
_TIME_S = 10
_TIMEOUT_S = 30.0
_PRELOAD_SOURCE = Path(__file__).with_name("nodejs") / "rehearsal.cjs"
_PRELOAD = "/tmp/smartplatform-rehearsal.cjs"
# Node.js names the folder inside by its version, V8's flags and the user.
_REHEARSE = f"""
umask 022
rm -rf {FOLDER} {_PRELOAD} || exit
mkdir {FOLDER} || exit
cat > {_PRELOAD}
timeout -s KILL {_TIME_S} "$@" < /dev/null > /dev/null 2>&1
kill -KILL -1 2> /dev/null
cd {FOLDER} || exit
chmod -R a+rX .
[ "$(du -sk . | cut -f 1)" -le {_SIZE_KIB_MAX} ] || rm -rf -- *
for made in *-{USER}; do
  [ ! -d "$made" ] || mv "$made" "${{made%-{USER}}}-{_INSTANCE_USER}"
done
"""


def is_wanted(plan: Plan) -> bool:
    """Has the app a web process of a Node.js to which the cache is of use?"""
    if plan.site or WEB not in plan.processes or plan.runtime.name != "Node.js":
        return False
    return plan.runtime.major >= _SINCE_MAJOR


async def rehearse(building: Building, *, installed: bool) -> None:
    """Where the cache that is there is of other dependencies, or of another Node.js."""
    start = building.start
    trunk = start.trunk
    same = trunk is not None and trunk.rehearsed and trunk.runtime == start.runtimes.get("node")
    if not start.rehearsed or (same and not installed):
        return
    web = start.plan.processes[WEB]
    environment = {**start.plan.environment, **web.environment, **variables(start.plan.folder)}
    async with building.work.timeline.step("rehearsal"):
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await building.machine.run(
                    command(web.argv),
                    environment=environment,
                    fill=write_preload,
                    user=USER,
                    working_directory=zone.at(start.plan.folder),
                )
        except TimeoutError:
            return


async def forget(building: Building) -> None:
    """The cache that is there is gone, as its user alone can have it."""
    await must(building.machine.run(("rm", "-rf", FOLDER), user=USER, working_directory="/"))


def command(argv: Sequence[str]) -> tuple[str, ...]:
    """Runs the start command, by USER, with `variables` and what `write_preload` writes."""
    return ("sh", "-c", _REHEARSE, "sh", *argv)


def variables(folder: str = "") -> dict[str, str]:
    """`folder` is the app's in its repository."""
    return {
        **VARIABLES,
        "NODE_ENV": "production",
        "NODE_OPTIONS": f"--require={_PRELOAD}",
        "HOME": "/tmp",
        "PATH": nodejs.path(folder),
        "PORT": str(PORT),
    }


def write_preload(stream: BinaryIO) -> None:
    stream.write(_PRELOAD_SOURCE.read_bytes())
