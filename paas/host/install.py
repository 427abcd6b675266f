"""`paas install`: the platform starts at every boot."""

from collections.abc import Iterator
from pathlib import Path

from paas.errors import UserError
from paas.host import units
from paas.host.programs import run
from paas.settings import Settings
from paas.system.files import write_by_rename

UNITS = Path("etc/systemd/system")
CALL_TIMEOUT_S = 300.0
"""Every unit of the host is read anew, which takes minutes where the host is slow and busy."""
START_TIMEOUT_S = 2 * units.START_TIMEOUT_S + 30.0
"""The supervisor may ask for as much again."""
LINES = 12
"""Of the unit's messages, when it does not start."""


def install(settings: Settings, program: Path, root: Path = Path("/")) -> Iterator[str]:
    """Write the unit that runs `program` (the path of `paas`) below `root`; start it where systemd
    runs this host, and wait until apps answer. Yields what was done.

    Raises UserError when systemd refuses, or with the platform's reason when it does not start;
    systemd goes on trying then. Repeatable.
    """
    path = root / UNITS / units.unit_name(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_by_rename(path, units.service(settings, program), mode=0o644)
    yield f"wrote {path}"
    if root != Path("/"):
        return
    if not systemd_runs():
        yield "There is no systemd on this host: nothing starts the platform at boot."
        yield "Let your own init run: paas up"
        return
    _systemctl("daemon-reload")
    _systemctl("enable", path.name)
    yield f"{path.name} is enabled: the platform starts at every boot"
    yield "starting it; the first start takes a minute or more"
    _restart(path.name)
    yield f"{path.name} is started; apps answer on port {units.PUBLIC_PORT}"
    yield f"its messages: journalctl -u {path.name}"


def systemd_runs() -> bool:
    """sd_booted(3)."""
    return Path("/run/systemd/system").is_dir()


def _systemctl(*words: str) -> None:
    answer = run(["systemctl", *words], CALL_TIMEOUT_S)
    if answer.status != 0:
        raise UserError(
            "systemd",
            f"`systemctl {' '.join(words)}` failed: {answer.error}",
            "See: systemctl status; journalctl --boot --lines 50",
        )


def _restart(unit: str) -> None:
    """Returns when the platform has said to systemd that apps answer."""
    answer = run(["systemctl", "restart", unit], START_TIMEOUT_S)
    if answer.status != 0:
        hint = f"systemd goes on trying. To stop that: systemctl disable --now {unit}"
        said = [f"Its last words, from journalctl -u {unit}:", *_last_words(unit), hint]
        raise UserError("not_ready", "the platform did not start", "\n".join(said))


def _last_words(unit: str) -> list[str]:
    command = ["journalctl", "--no-pager", "--output", "cat", "--lines", str(LINES), "-u", unit]
    return [f"  {line}" for line in run(command).out.splitlines()]
