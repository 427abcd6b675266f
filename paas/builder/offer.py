"""Which Node.js versions there are: installed on the node, and in the npm registry.

The registry is asked with npm itself, at most every few hours and never while a push waits if there
is an older answer: that serves meanwhile, and whenever the registry is away.
"""

import asyncio
import json
import logging
import re
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from buildpacks.nodejs import ranges
from buildpacks.nodejs.versions import Offer
from paas.builder import npm
from paas.errors import PlatformError
from paas.node.client import Manifest
from paas.settings import Settings

FRESH_S = 6 * 3600.0
OLDEST = (20, 17, 0)
"""The platform's npm needs it."""
VIEW_TIMEOUT_S = 30.0
PATIENCE_S = 4.0
"""How long a push waits for the first answer, if there is an installed runtime without it."""
AWAY_S = 120.0
"""For so long after a failure no push waits."""
_RELEASE = re.compile(r"\d{1,5}\.\d{1,5}\.\d{1,5}")
_refreshing: dict[Path, asyncio.Task[list[str]]] = {}
_away_until: dict[Path, float] = {}
log = logging.getLogger(__name__)


async def offer(settings: Settings, images: Sequence[Manifest]) -> Offer:
    """What a build may choose from. Without registry and older answer: what is installed."""
    installed = [str(version) for version in runtimes(images)]
    available = await _available(settings, wait=not installed)
    return Offer(available, installed, datetime.now(UTC).date())


def runtimes(images: Sequence[Manifest]) -> dict[str, str]:
    """Version → image uuid of the installed runtimes."""
    return {
        str(image["tags"]["smartplatform:version"]): str(image["uuid"])
        for image in images
        if image.get("tags", {}).get("smartplatform:role") == "runtime"
    }


async def _available(settings: Settings, *, wait: bool) -> list[str]:
    file = settings.control_state / f"nodejs-versions-{npm.architecture()}.json"
    known, age_s = await asyncio.to_thread(_read, file)
    if known and age_s < FRESH_S:
        return known
    task = _refreshing.get(file)
    if task is None:
        task = _refreshing[file] = asyncio.create_task(_refresh(settings, file))
        task.add_done_callback(lambda done: _ended(file, done))
    if known or (not wait and time.monotonic() < _away_until.get(file, 0.0)):
        return known
    try:
        async with asyncio.timeout(None if wait else PATIENCE_S):
            return await asyncio.shield(task)
    except (PlatformError, TimeoutError):
        if wait:
            raise
        return []


def _ended(file: Path, task: asyncio.Task[list[str]]) -> None:
    _refreshing.pop(file, None)
    if not task.cancelled() and task.exception() is not None:
        _away_until[file] = time.monotonic() + AWAY_S
        log.warning("the npm registry does not say which Node.js there is: %s", task.exception())


async def _refresh(settings: Settings, file: Path) -> list[str]:
    name = package(npm.architecture())
    said = await npm.run(settings, "view", name, "versions", "--json", timeout_s=VIEW_TIMEOUT_S)
    versions = parse(said)
    if not versions:
        raise PlatformError(f"the npm registry has no versions of {name}")
    await asyncio.to_thread(_write, file, versions)
    return versions


def package(architecture: str) -> str:
    """The registry's name of Node.js's binaries for Linux."""
    return f"node-linux-{architecture}"


def parse(said: str) -> list[str]:
    """The releases in what `npm view … versions --json` prints, those that we can serve."""
    try:
        listed = json.loads(said)
    except ValueError as error:
        raise PlatformError(f"npm view printed no JSON: {error}") from error
    listed = [listed] if isinstance(listed, str) else listed
    releases = [text for text in listed if isinstance(text, str) and _RELEASE.fullmatch(text)]
    return [text for text in releases if ranges.release(text) >= OLDEST]


def _read(file: Path) -> tuple[list[str], float]:
    try:
        return json.loads(file.read_text()), time.time() - file.stat().st_mtime
    except (FileNotFoundError, ValueError):
        return [], 0.0


def _write(file: Path, versions: list[str]) -> None:
    partial = file.with_suffix(".new")
    partial.write_text(json.dumps(versions))
    partial.rename(file)
