"""kill -9 of a part of a platform, and what of a prober's ledger was in flight on it."""

import json
import os
import re
import select
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from prober import Asked

from paas.settings import Settings

END_TIMEOUT_S = 30.0
LOG_TIMEOUT_S = 5.0
"""An access line is on disk a quarter of a second after its request."""


@dataclass(frozen=True)
class Kill:
    """`what` is worker, control or instance; `began` before the signal, `gone` after the end."""

    what: str
    name: str
    began: float
    gone: float

    def held(self, asked: Asked, line: str) -> bool:
        """Whether a failed request was in flight on what was killed; `line` is its access line.

        A worker's visitors meet the end of their connection. What an instance held is answered by
        the router with H13 or H18, and the line names the instance.
        """
        if not asked.during(self.began, self.gone):
            return False
        if self.what == "worker":
            return asked.status == 0
        found = re.search(r" code=(H1[38]) .* dyno=(\S*) ", line)
        return self.what == "instance" and found is not None and found[2] == self.name


def kill(what: str, name: str, pid: int) -> Kill:
    """kill -9; returns when the process has ended and its connections are closed."""
    watch = os.pidfd_open(pid)
    try:
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        if not select.select([watch], [], [], END_TIMEOUT_S)[0]:
            raise TimeoutError(f"{what} {name} ({pid}) does not end")
        return Kill(what, name, began, time.monotonic())
    finally:
        os.close(watch)


def platform_pids(settings: Settings, module: str) -> list[int]:
    """Processes of an installation that run a Python module and have not ended."""
    mark = f"PAAS_INSTALLATION={settings.installation}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        runs = b"-m" in words and words[words.index(b"-m") + 1] == module.encode()
        if runs and mark in environment:
            found.append(int(folder.name))
    return sorted(found)


def routed_instances(settings: Settings, app: str) -> dict[str, str]:
    """The instances of an app in the router's table: machine uuid by name."""
    table = json.loads((settings.router_state / "table.json").read_text())
    (entry,) = [entry for entry in table["apps"] if entry["name"] == app]
    return {instance["name"]: instance["id"] for instance in entry["instances"]}


def access_line(settings: Settings, id: str) -> str:
    """The router's line of a request; empty if none comes (its worker was killed)."""
    end = time.monotonic() + LOG_TIMEOUT_S
    while time.monotonic() < end:
        for path in (settings.logs / "router").glob("*.log"):
            for line in reversed(path.read_text(errors="replace").splitlines()):
                if f" request_id={id} " in line:
                    return line
        time.sleep(0.1)
    return ""
