"""Starts a process of the platform under a user of its own.

    python -m paas.supervisor.launch --user USER [--listen-fds 7,8] -- MODULE ARGUMENT…

The checkout may lie where that user can't look (a clone in /root). So the process gets a mount
namespace of its own, in which the checkout and the virtual environment are bound below
`<run>/code`; nothing of it shows on the host, and it ends with the process.
"""

import argparse
import ctypes
import fcntl
import grp
import os
import pwd
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paas.errors import UserError
from paas.host.code import checkout
from paas.host.handed import HIGH_DESCRIPTOR, LISTEN_FDS_START
from paas.settings import Settings, load

_CLONE_NEWNS = 0x00020000
_MS_BIND, _MS_REC, _MS_PRIVATE, _MS_SLAVE = 0x1000, 0x4000, 1 << 18, 1 << 19
_MS_REMOUNT, _MS_RDONLY, _MS_NOSUID = 32, 1, 2
_MNT_DETACH = 2


@dataclass(frozen=True)
class View:
    """Where the code is seen: `binds` maps folders of the host to places below `<run>/code`."""

    binds: dict[Path, Path]

    def translate(self, path: Path) -> Path:
        for source, target in self.binds.items():
            if path.is_relative_to(source):
                return target / path.relative_to(source)
        return path


def main() -> None:
    arguments = _parse(sys.argv[1:])
    settings = load()
    view = code_view(settings, checkout(), Path(sys.prefix))
    listening = [int(number) for number in arguments.listen_fds.split(",") if number]
    _enter_cgroup(settings)
    _enter(settings, view)
    _become(arguments.user)
    environment = _environment(view, len(_place(listening)))
    python = view.translate(Path(sys.prefix) / "bin" / "python")
    os.chdir("/")
    os.execve(python, [str(python), "-P", "-m", *arguments.command], environment)


def command(
    user: str, module: str, arguments: Sequence[str], listening: Sequence[int]
) -> list[str]:
    """The argument vector that starts `module` as `user`; `listening` are inherited descriptors."""
    fds = ",".join(str(number) for number in listening)
    launch = [sys.executable, "-P", "-m", "paas.supervisor.launch"]
    return [*launch, "--user", user, "--listen-fds", fds, "--", module, *arguments]


def code_view(settings: Settings, packages: Path, environment: Path) -> View:
    """Bind the packages and the virtual environment; one that holds the other is bound alone."""
    roots = sorted({packages, environment}, key=lambda path: len(path.parts))
    outer = [root for root in roots if not any(root != o and root.is_relative_to(o) for o in roots)]
    return View({root: settings.run / "code" / str(number) for number, root in enumerate(outer)})


def prepare(settings: Settings) -> None:
    """Make the mount points; as root, once, before the first launch."""
    for target in code_view(settings, checkout(), Path(sys.prefix)).binds.values():
        target.mkdir(parents=True, exist_ok=True)
        # Whatever the umask of whoever starts the platform.
        target.parent.chmod(0o755)


def user_id(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise UserError(
            "missing_user", f"the system user {name} does not exist", "Run script/bootstrap."
        ) from None


def group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UserError(
            "missing_user", f"the system group {name} does not exist", "Run script/bootstrap."
        ) from None


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m paas.supervisor.launch")
    parser.add_argument("--user", required=True)
    parser.add_argument("--listen-fds", default="")
    parser.add_argument("command", nargs="+")
    return parser.parse_args(arguments)


def _enter_cgroup(settings: Settings) -> None:
    """While it is root, and before it has children. The node says it when that can't be."""
    from paas.node.zone import classes

    classes.enter_platform(settings.installation)


def _leave(libc: ctypes.CDLL, settings: Settings) -> None:
    """Pools' and machines' mounts, those of other installations too, are none of its business, and
    copies of them would keep a pool from being unmounted.
    """
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    targets = [Path(line.split()[4].encode().decode("unicode_escape")) for line in lines]
    for target in reversed(targets):
        if is_of_machines(settings, target):
            # One that is gone meanwhile is as good.
            libc.umount2(os.fsencode(target), _MNT_DETACH)


def is_of_machines(settings: Settings, target: Path) -> bool:
    """Whether a mount is in the pool or at a machine of this installation or of one like it."""
    for place in (settings.pool_mount, settings.machines_run):
        above = place.parent.parent
        if target.is_relative_to(above) and target.relative_to(above).parts[1:2] == (place.name,):
            return True
    return False


def _enter(settings: Settings, view: View) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    _check(libc.unshare(_CLONE_NEWNS), "unshare")
    _mount(libc, "none", "/", _MS_REC | _MS_SLAVE)
    _leave(libc, settings)
    for source, target in view.binds.items():
        _mount(libc, str(source), str(target), _MS_BIND | _MS_REC)
        _mount(libc, "none", str(target), _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID)


def _mount(libc: ctypes.CDLL, source: str, target: str, flags: int) -> None:
    result = libc.mount(source.encode(), target.encode(), None, ctypes.c_ulong(flags), None)
    _check(result, f"mount {source} at {target}")


def _check(result: int, action: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{action}: {os.strerror(number)}")


def _become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    os.umask(0o027)


def _place(descriptors: Sequence[int]) -> Sequence[int]:
    """Move the listening sockets to descriptors 3, 4, … without stepping on one another."""
    high = [fcntl.fcntl(number, fcntl.F_DUPFD, HIGH_DESCRIPTOR) for number in descriptors]
    for offset, number in enumerate(high):
        os.dup2(number, LISTEN_FDS_START + offset, inheritable=True)
    return descriptors


def _environment(view: View, listening: int) -> dict[str, str]:
    environment = dict(os.environ)
    environment["PYTHONPATH"] = str(view.translate(checkout()))
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    if listening:
        environment |= {"LISTEN_FDS": str(listening), "LISTEN_PID": str(os.getpid())}
    return environment


if __name__ == "__main__":
    main()
