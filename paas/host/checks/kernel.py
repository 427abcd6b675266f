"""Checks of the kernel and of what this root may do with it."""

import fcntl
import os
import platform
import re
from pathlib import Path

from paas.errors import UserError
from paas.host.finding import Finding, ok, problem, warning
from paas.host.programs import TOOK_TOO_LONG, run
from paas.settings import Settings

LOOP_CTL_GET_FREE = 0x4C82
"""loop(4)."""
MAPPED_MOUNTS = (5, 15)
"""The first version in which btrfs mounts can be mapped to a zone's ids (mount_setattr(2))."""
CONTROLLERS = ("cpu", "memory", "pids")
OWN_KERNEL = "Use a (virtual) machine of your own with the distribution's kernel."


def root(settings: Settings) -> Finding:
    if os.geteuid() == 0:
        return ok("root", "running as root")
    return problem("root", "the platform's host processes need root", "Run it with sudo.")


def kernel_version(settings: Settings) -> Finding:
    release = platform.release()
    match = re.match(r"(\d+)\.(\d+)", release)
    if match and (int(match[1]), int(match[2])) >= MAPPED_MOUNTS:
        return ok("kernel-version", f"Linux {release}")
    needed = ".".join(map(str, MAPPED_MOUNTS))
    return warning(
        "kernel-version",
        f"Linux {release} is older than {needed}: each new machine's files are re-owned one by one",
        "Machines start about a second later. Debian 12 and Ubuntu 24.04 have newer kernels.",
    )


def user_namespaces(settings: Settings) -> Finding:
    """Tried, not guessed: the switches differ between distributions."""
    answer = run(["unshare", "--user", "true"])
    if answer.status == 0:
        return ok("user-namespaces", "can be made")
    return problem(
        "user-namespaces",
        f"the kernel refuses user namespaces ({answer.error})",
        "\n".join(_namespace_remedies()) or OWN_KERNEL,
    )


def _namespace_remedies() -> list[str]:
    wrong = {
        "user/max_user_namespaces": ("0", "65536"),
        "kernel/unprivileged_userns_clone": ("0", "1"),
        "kernel/apparmor_restrict_unprivileged_userns": ("1", "0"),
    }
    found = []
    for path, (bad, good) in wrong.items():
        if _sysctl(path) == bad:
            found.append(f"sysctl -w {path.replace('/', '.')}={good}")
    return found


def _sysctl(path: str) -> str:
    try:
        return Path("/proc/sys", path).read_text().strip()
    except OSError:
        return ""


def cgroups(settings: Settings, mount: Path = Path("/sys/fs/cgroup")) -> Finding:
    """Version 2 alone, or version 1 (also beside 2): limits of CPU, memory and processes."""
    unified = mount / "cgroup.controllers"
    if unified.exists():
        kind, found = "v2", set(unified.read_text().split())
    else:
        kind, found = "v1", {name for name in CONTROLLERS if (mount / name).is_dir()}
    missing = [name for name in CONTROLLERS if name not in found]
    if not missing and _is_occupied(mount):
        return problem(
            "cgroups",
            "the processes of this container are in its topmost cgroup, so that none below it can "
            "have limits",
            f"mkdir -p {mount}/init\n"
            f"for p in $(cat {mount}/cgroup.procs); do echo $p > {mount}/init/cgroup.procs; done",
        )
    if not missing:
        return ok("cgroups", f"{kind}, with {', '.join(CONTROLLERS)}")
    return problem(
        "cgroups",
        f"cgroup {kind} has no controller {', '.join(missing)}: machines could not be limited",
        "Boot with cgroup_enable=memory (Raspberry Pi), and not in a container that hides them.",
    )


def _is_occupied(mount: Path) -> bool:
    """v2's "no internal processes" (cgroups(7)): the host's root is free of it and has no type."""
    try:
        handed_on = set((mount / "cgroup.subtree_control").read_text().split())
        inside = (mount / "cgroup.type").exists() and (mount / "cgroup.procs").read_text().strip()
    except OSError:
        return False
    return bool(inside) and not handed_on.issuperset(CONTROLLERS)


def loop_devices(settings: Settings) -> Finding:
    if settings.pool_device:
        return ok("loop-devices", f"not needed: the pool is {settings.pool_device}")
    remedy = f"modprobe loop\nor name a device or folder as pool_device. {OWN_KERNEL}"
    try:
        descriptor = os.open("/dev/loop-control", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        if run(["modprobe", "--dry-run", "loop"]).status == 0:
            return ok("loop-devices", "the module `loop` can be loaded")
        return problem("loop-devices", "there is no /dev/loop-control", remedy)
    except OSError as error:
        text = f"/dev/loop-control can't be opened: {error.strerror}"
        return problem("loop-devices", text, remedy)
    try:
        return ok("loop-devices", f"/dev/loop{fcntl.ioctl(descriptor, LOOP_CTL_GET_FREE)} is free")
    except OSError as error:
        return problem("loop-devices", f"none is free: {error.strerror}", remedy)
    finally:
        os.close(descriptor)


def btrfs(settings: Settings) -> Finding:
    if Path(settings.pool_device).is_dir() and settings.pool_device:
        return ok("btrfs", f"not needed: the pool is the folder {settings.pool_device}")
    if re.search(r"\bbtrfs$", Path("/proc/filesystems").read_text(), re.MULTILINE):
        return ok("btrfs", "the kernel has it")
    if run(["modprobe", "--dry-run", "btrfs"]).status == 0:
        return ok("btrfs", "the module can be loaded")
    return problem("btrfs", "the kernel has no btrfs, the file system of the pool", OWN_KERNEL)


def nftables(settings: Settings) -> Finding:
    """With the very rules that the node will load, which are only checked."""
    from paas.node.network import lan

    try:
        rules = lan.trial(settings)
    except UserError as error:
        return problem("nftables", error.message, error.hint)
    answer = run(["nft", "--check", "--file", "-"], input=rules)
    if answer.status == 0:
        return ok("nftables", "the platform's rules can be loaded")
    if answer.status == TOOK_TOO_LONG:
        text = f"the platform's rules could not be tried: {answer.error}"
        return warning("nftables", text, "This host is slow or busy; the node tries them itself.")
    return problem(
        "nftables",
        f"the platform's rules can't be loaded: {answer.error}",
        f"modprobe nf_tables\n{OWN_KERNEL}",
    )
