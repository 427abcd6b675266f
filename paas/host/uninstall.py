"""`paas uninstall`: everything of an installation goes, whatever state it is in.

Nothing of the platform has to answer: processes are found in /proc and cgroups, the rest by name.
Each step can be repeated, and a step that fails does not keep the others from going on.
"""

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from paas.host import processes, units
from paas.host.install import CALL_TIMEOUT_S as SYSTEMD_TIMEOUT_S
from paas.host.install import UNITS, systemd_runs
from paas.host.programs import run
from paas.settings import (
    CONFIGURATION_FOLDER,
    DEFAULT_INSTALLATION,
    SMARTOS_COMMANDS,
    Settings,
)

COMMANDS = ("paas", "vmadm", "imgadm", "sysinfo")
LINKS = Path("/usr/local/bin")
SUPERVISOR_TIMEOUT_S = 60.0
CGROUP_TIMEOUT_S = 5.0
MARKS = {"pool.img", "pool.lock", "zones", "control", "router", "machines", "supervisor.json"}
"""A folder without any of these is somebody else's: an installation may be called `dpkg`."""
OURS = MARKS | {"logs", "code", "node.sock"}
"""What the platform makes in its folders; on a volume of the operator there may be other things."""
NOT_A_THING = {"lost+found"}
"""ext4 makes it in each volume; it is nobody's."""


@dataclass(frozen=True)
class Step:
    """What was removed, or (`done` is false) what could not be and why."""

    text: str
    done: bool = True


def uninstall(settings: Settings, root: Path = Path("/")) -> Iterator[Step]:
    """Yields a Step for each thing that was there. `root` is where units are (for tests)."""
    steps: tuple[Callable[[Settings], Iterator[Step]], ...] = (
        lambda settings: _unit(settings, root),
        _platform,
        _machines,
        _mounts,
        _loop_devices,
        _interfaces,
        _firewall,
        _cgroups,
        lambda settings: _smartos_paths(settings, root),
        _folders,
        _shared,
    )
    for step in steps:
        try:
            yield from step(settings)
        except OSError as error:
            yield Step(str(error), done=False)


def _unit(settings: Settings, root: Path) -> Iterator[Step]:
    path = root / UNITS / units.unit_name(settings)
    if not path.exists():
        return
    live = root == Path("/") and systemd_runs()
    if live:
        answer = run(["systemctl", "disable", "--now", path.name], SYSTEMD_TIMEOUT_S)
        if answer.status != 0:
            # systemd still starts the platform anew whenever it ends: the next run finds the unit.
            yield Step(f"unit {path}: systemctl disable --now: {answer.error}", done=False)
            return
    path.unlink()
    if live:
        run(["systemctl", "daemon-reload"], SYSTEMD_TIMEOUT_S)
    yield Step(f"unit {path}")


def _platform(settings: Settings) -> Iterator[Step]:
    """The supervisor stops its processes; what is left without one is killed.

    The holder first where its supervisor has ended or does not obey: it would start another.
    """
    pid = processes.platform_pid(settings)
    if pid is not None and processes.end([pid], signal.SIGTERM, SUPERVISOR_TIMEOUT_S):
        yield Step(f"supervisor (process {pid})")
    processes.end(processes.running(settings, processes.HOLDER))
    pid = processes.platform_pid(settings)
    if pid is not None:
        yield Step(f"supervisor (process {pid})", processes.end([pid]))
    left = processes.platform_processes(settings)
    if left:
        yield Step(f"processes {_listed(left)}", processes.end(left))


def _machines(settings: Settings) -> Iterator[Step]:
    """Killed until none is left: a process that was about to fork may have done so."""
    total = 0
    for _ in range(20):
        pids = processes.machine_processes(settings)
        if not pids:
            break
        total += len(pids)
        processes.end(pids)
    if total:
        left = processes.machine_processes(settings)
        yield Step(f"machines ({total} processes)", done=not left)


def _mounts(settings: Settings) -> Iterator[Step]:
    """The deepest first, and the newest of those that lie above one another. Not the volumes that
    the operator mounted there: state or logs may have one of their own."""
    for place in _own_mounts(settings):
        answer = run(["umount", "--", place])
        if answer.status != 0:
            answer = run(["umount", "--lazy", "--", place])
        yield Step(f"mount {place}", answer.status == 0)


def _own_mounts(settings: Settings) -> list[str]:
    """Those that the platform made: the pool, and all that is in the run folder."""
    run_folder, pool = settings.run.resolve(), settings.pool_mount.resolve()
    return [
        place
        for place in reversed(_mount_points())
        if Path(place).is_relative_to(pool) or run_folder in Path(place).parents
    ]


def _mount_points() -> list[str]:
    """From proc(5), mountinfo: octal escapes stand for spaces and backslashes."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4].encode().decode("unicode_escape") for line in lines]


def _loop_devices(settings: Settings) -> Iterator[Step]:
    if not settings.pool_file.exists():
        return
    answer = run(["losetup", "--noheadings", "--output", "NAME", "-j", str(settings.pool_file)])
    for device in answer.out.split():
        detached = run(["losetup", "--detach", device])
        yield Step(f"loop device {device}", detached.status == 0)


def _interfaces(settings: Settings) -> Iterator[Step]:
    for path in sorted(Path("/sys/class/net").iterdir()):
        if path.name == settings.bridge or path.name.startswith(settings.veth_prefix):
            answer = run(["ip", "link", "delete", path.name])
            yield Step(f"network interface {path.name}", answer.status == 0 or not path.exists())


def _firewall(settings: Settings) -> Iterator[Step]:
    """Our tables, and the rules that we put into tables of others (they carry our name)."""
    answer = run(["nft", "-j", "-a", "list", "ruleset"])
    objects = json.loads(answer.out)["nftables"] if answer.status == 0 and answer.out else []
    for item in objects:
        table, rule = item.get("table"), item.get("rule")
        if table and table["name"] == settings.nftables_table:
            place = f"{table['family']} {table['name']}"
            gone = run(["nft", "delete", "table", table["family"], table["name"]])
            yield Step(f"firewall table {place}", gone.status == 0)
        elif rule and rule.get("comment") == settings.nftables_table:
            words = [rule["family"], rule["table"], rule["chain"], "handle", str(rule["handle"])]
            if rule["table"] != settings.nftables_table:
                gone = run(["nft", "delete", "rule", *words])
                yield Step(f"firewall rule in {' '.join(words[:3])}", gone.status == 0)


def _cgroups(settings: Settings) -> Iterator[Step]:
    for folder in processes.cgroup_folders(settings):
        yield Step(f"cgroup {folder}", _remove_cgroup(folder))


def _remove_cgroup(folder: Path) -> bool:
    """A cgroup stays busy for a moment after its last process; nothing tells the end of that."""
    deadline = time.monotonic() + CGROUP_TIMEOUT_S
    while folder.exists():
        for base, _, _ in os.walk(folder, topdown=False):
            try:
                Path(base).rmdir()
            except OSError:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
    return True


def _folders(settings: Settings) -> Iterator[Step]:
    for folder in (settings.run, settings.state):
        if any(Path(place).is_relative_to(folder.resolve()) for place in _own_mounts(settings)):
            yield Step(f"{folder}: something is still mounted in it", done=False)
        elif folder.exists():
            yield from _remove_folder(folder)
    if settings.pool_device:
        yield Step(f"what is on {settings.pool_device}: it is yours; empty it yourself", done=False)
    configuration = CONFIGURATION_FOLDER / f"{settings.installation}.toml"
    if configuration.exists():
        configuration.unlink()
        yield Step(f"configuration {configuration}")


def _remove_folder(folder: Path) -> Iterator[Step]:
    """Whole, or what is ours in it where the operator gave it a place of its own."""
    volumes = [Path(place) for place in _mount_points() if _is_in(folder, place)]
    if not volumes and not folder.is_symlink():
        if _is_ours(folder):
            shutil.rmtree(folder)
            yield Step(f"folder {folder}")
        else:
            yield Step(f"{folder}: it does not look like the platform's", done=False)
        return
    ours = sorted(path for path in folder.iterdir() if path.name in OURS)
    removed = [path.name for path in ours if _empty(path, volumes)]
    if removed:
        yield Step(f"{', '.join(removed)} in {folder}, which is a volume or link of yours")
    others = {path.name for path in folder.iterdir()} - OURS - NOT_A_THING
    if removed and others:
        yield Step(f"{folder}: it has other things too: {', '.join(sorted(others))}", done=False)


def _is_in(folder: Path, place: str) -> bool:
    return Path(place).is_relative_to(folder.resolve())


def _empty(path: Path, volumes: Sequence[Path]) -> bool:
    """Remove it; a volume stays, empty. Whether there was anything to remove."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return True
    inside = [each for each in path.iterdir() if each.name not in NOT_A_THING]
    if path.resolve() in volumes:
        return any([_empty(each, volumes) for each in inside])
    if not any(path.resolve() in volume.parents for volume in volumes):
        shutil.rmtree(path)
        return True
    return any([_empty(each, volumes) for each in inside])


def _is_ours(folder: Path) -> bool:
    """A start that failed at once has left no more than its log."""
    names = {path.name for path in folder.iterdir()}
    return bool(MARKS & names) or (folder / "logs" / "platform.log").exists()


def _smartos_paths(settings: Settings, root: Path) -> Iterator[Step]:
    """What the node made where SmartOS's clients look, known by its mark."""
    commands = (root / "usr/sbin" / name for name in SMARTOS_COMMANDS)
    for path in (*commands, *(root / "etc/zones").glob("*.xml")):
        if path.is_file() and settings.mark in path.read_text(errors="replace"):
            path.unlink()
            yield Step(f"file {path}")


def _shared(settings: Settings) -> Iterator[Step]:
    """What all installations of the host use goes with the default one, unless others are there."""
    if settings.installation != DEFAULT_INSTALLATION or _other_installations(settings):
        return
    for name in COMMANDS:
        link = LINKS / name
        if link.is_symlink() and link.readlink() == Path(sys.prefix) / "bin" / name:
            link.unlink()
            yield Step(f"command {link}")
    if settings.cache.exists():
        shutil.rmtree(settings.cache)
        yield Step(f"folder {settings.cache}")


def _other_installations(settings: Settings) -> list[str]:
    folders = settings.state.parent.glob("*/zones")
    names = [folder.parent.name for folder in folders if (folder.parent / "logs").is_dir()]
    return [name for name in names if name != settings.installation]


def _listed(pids: list[int]) -> str:
    return ", ".join(map(str, pids))
