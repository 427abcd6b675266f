"""What happens to a platform in benchmarks/events: one function a kind of event.

Each returns when the command has returned, or what was killed has ended, with what it did in words
and, where it killed something, the kill.
"""

import asyncio
import json
import math
import random
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from installation import Installation, git
from kills import Kill, kill, platform_pids, routed_instances

from paas.errors import PlatformError
from paas.node.client import Node
from paas.routes.client import Router
from paas.settings import Settings

APP = "bench"
HOST = f"{APP}.localhost"
READY_TIMEOUT_S = 60.0
INSTANCES_MAX = 3
SERVER = """"use strict";
const express = require("express");
const version = "%s";
const app = express();
app.get("/", (request, response) => {
  setTimeout(() => response.type("text/plain").send(`${version} ${process.env.DYNO}`), 20);
});
const server = app.listen(process.env.PORT);
process.on("SIGTERM", () => server.close(() => process.exit(0)));
"""


@dataclass
class Span:
    """From the return of one deploy or rollback to the start of the next one answers `version`."""

    version: str
    since: float
    until: float = math.inf


@dataclass
class World:
    """The app as its owner knows it; `versions` are by the number of the release."""

    installation: Installation
    settings: Settings
    folder: Path
    chance: random.Random
    versions: dict[int, str] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    serial: int = 0

    def paas(self, *words: str) -> str:
        return self.installation.paas(*words, "--app", APP, cwd=self.folder)

    def next(self) -> int:
        self.serial += 1
        return self.serial


def deploy(world: World) -> tuple[str, None]:
    version = f"version-{world.next()}"
    _begins(world)
    (world.folder / "server.js").write_text(SERVER % version)
    git(world.folder, "commit", "--quiet", "--all", "--message", version)
    environment = world.installation.environment
    git(world.folder, "push", "--quiet", "origin", "HEAD:main", environment=environment)
    _returned(world, version)
    return f"deploy {version}", None


def rollback(world: World) -> tuple[str, None]:
    *earlier, _current = sorted(world.versions)
    number = world.chance.choice(earlier)
    _begins(world)
    world.paas("rollback", f"v{number}")
    _returned(world, world.versions[number])
    return f"rollback to v{number} ({world.versions[number]})", None


def _begins(world: World) -> None:
    if world.spans:
        world.spans[-1].until = time.monotonic()


def _returned(world: World, version: str) -> None:
    world.spans.append(Span(version, time.monotonic()))
    newest = max(release["version"] for release in json.loads(world.paas("releases", "--json")))
    world.versions[newest] = version


def scale(world: World) -> tuple[str, None]:
    present = len(routed_instances(world.settings, APP))
    quantity = world.chance.choice([n for n in range(1, INSTANCES_MAX + 1) if n != present])
    world.paas("ps:scale", f"web={quantity}")
    return f"scale {present} → {quantity}", None


def kill_instance(world: World) -> tuple[str, Kill]:
    name, uuid = world.chance.choice(sorted(routed_instances(world.settings, APP).items()))
    machine = asyncio.run(Node(world.settings.node_socket).get(uuid))
    return f"kill -9 {name}", kill("instance", name, int(machine["pid"]))


def kill_worker(world: World) -> tuple[str, Kill]:
    pid = world.chance.choice(platform_pids(world.settings, "router.worker"))
    return f"kill -9 router worker {pid}", kill("worker", str(pid), pid)


def kill_control(world: World) -> tuple[str, Kill]:
    (pid,) = platform_pids(world.settings, "paas.control")
    killed = kill("control", str(pid), pid)
    wait_until(lambda: _serves(world), "control is back")
    return f"kill -9 control {pid}", killed


def swap_table(world: World) -> tuple[str, None]:
    """Another app comes or goes."""
    name = f"other-{world.next()}"
    world.installation.paas("create", name, "--no-remote")
    return f"table swap: app {name}", None


def swap_certificates(world: World) -> tuple[str, None]:
    """A domain more: the set of certificates is replaced by one that has its name."""
    before = _certificates(world)
    name = f"www-{world.next()}.example.com"
    world.paas("domains:add", name)
    wait_until(lambda: _certificates(world) > before, "the workers use other certificates")
    return f"certificate swap: {name}", None


KINDS: dict[str, Callable[[World], tuple[str, Kill | None]]] = {
    "deploy": deploy,
    "rollback": rollback,
    "scale": scale,
    "instance": kill_instance,
    "worker": kill_worker,
    "control": kill_control,
    "table": swap_table,
    "certificates": swap_certificates,
}


def wait_until(condition: Callable[[], bool], what: str) -> None:
    """Other processes send no events to us. Raises TimeoutError."""
    end = time.monotonic() + READY_TIMEOUT_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {READY_TIMEOUT_S:.0f} s: {what}")
        time.sleep(0.05)


def _serves(world: World) -> bool:
    try:
        world.paas("ps")
    except subprocess.CalledProcessError:
        return False
    return True


def _certificates(world: World) -> int:
    """The version of the certificates in force."""
    try:
        status = asyncio.run(Router(world.settings.router_socket).status())
    except (PlatformError, TimeoutError):
        return 0
    return int(status["certificates"])
