"""What the supervisor says to whoever starts and stops the platform, and where it can be read."""

import contextlib
import sys
from pathlib import Path

from paas.host import units
from paas.settings import Settings
from paas.supervisor import halt, notify


def log_path(settings: Settings) -> Path:
    """Where the processes write when the platform runs in the background."""
    return settings.logs / "platform.log"


def place(settings: Settings) -> str:
    """Where what this supervisor's processes write can be read afterwards."""
    if notify.is_watched():
        return f"journalctl -u {units.unit_name(settings)}"
    return str(log_path(settings))


def say(text: str) -> None:
    """Nobody may be listening any more: a terminal that was closed."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def banner(settings: Settings, *, detached: bool) -> str:
    port = settings.router_tls_port
    secure = f" and https://<app>.localhost:{port}" if port else ""
    stop = "paas down" if detached else "Ctrl-C (machines run on), or `paas down` elsewhere"
    return (
        f"=====> SmartPlatform runs (installation {settings.installation})\n"
        f"       apps      http://<app>.localhost:{settings.router_port}{secure}\n"
        f"       git       http://localhost:{settings.control_port}/<app>.git\n"
        f"       commands  paas create, paas ps, paas logs -t; `paas help` lists them\n"
        f"       stop      {stop}"
    )


def farewell(settings: Settings, *, halted: bool) -> str:
    count = halt.running_count(settings)
    if halted or not count:
        return "=====> Processes stopped."
    return (
        f"=====> Stopped. {count} machine(s) go on running; the next start adopts them,\n"
        f"       `paas down` stops them."
    )
