"""Packages of the host's distribution, for Aptfiles: resolved and fetched by the host's own apt.

apt works in a folder of the platform's, and needs no privilege: its sources, their keys and proxies
are the host's, and what no signature vouches for is not taken. Nothing is unpacked here.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from buildpacks.findings import Failure
from paas.builder.work import BuildFailed
from paas.errors import PlatformError
from paas.settings import Settings
from paas.system.command import CommandFailed, run
from paas.system.files import write_by_rename

BYTES_MAX = 1024 * 1024 * 1024
_LISTS_AGE_S = 24 * 3600.0
_KEPT_S = 30 * 24 * 3600.0
_TIMEOUT_S = 600.0
_LINE = re.compile(r"'[^']+' (?P<file>\S+\.deb) (?P<bytes>[0-9]+)")
_UNKNOWN = re.compile(
    r"E: (?:Unable to locate package (?P<one>\S+)"
    r"|Package '(?P<two>[^']+)' has no installation candidate"
    r"|(?P<three>Version '[^']+' for '[^']+') was not found"
    r"|Couldn't find any package by (?:glob|regex) '(?P<four>[^']+)')"
)


@dataclass(frozen=True)
class Archive:
    """`file` is its name: `ffmpeg_7%3a5.1.6-0+deb12u1_amd64.deb`."""

    file: str
    size_bytes: int

    @property
    def name(self) -> str:
        return self.file.partition("_")[0]

    @property
    def wanted(self) -> str:
        """As apt is asked for this very one."""
        name, version, architecture = unquote(self.file).removesuffix(".deb").split("_")
        return f"{name}:{architecture}={version}" if architecture != "all" else f"{name}={version}"


async def fetch(settings: Settings, packages: Sequence[str], present: Sequence[str]) -> list[Path]:
    """The archives of the packages and of what they need, without that of `present`, packages that
    are installed with all that they need. Raises BuildFailed for one that there is not."""
    return await asyncio.to_thread(_fetch, settings.control_state / "apt", packages, present)


def _fetch(folder: Path, packages: Sequence[str], present: Sequence[str]) -> list[Path]:
    with _locked(folder):
        _update(folder)
        there = _names(folder, present)
        wanted = [e for e in _resolve(folder, [*present, *packages]) if e.name not in there]
        size = sum(each.size_bytes for each in wanted)
        if size > BYTES_MAX:
            raise _too_large(size)
        return _download(folder / "archives", wanted, folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    for name in ("lists/partial", "cache/archives/partial", "archives"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "status").touch()
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _update(folder: Path) -> None:
    """The lists of what there is, once a day; older ones will do while their sources are away."""
    stamp = folder / "updated"
    age_s = time.time() - stamp.stat().st_mtime if stamp.exists() else float("inf")
    if 0 <= age_s < _LISTS_AGE_S:
        return
    try:
        _apt(folder, "update", "--error-on=any")
    except CommandFailed as error:
        if not stamp.exists():
            raise PlatformError(f"the sources of this server's apt: {error}") from error
        return
    stamp.touch()
    for file in (folder / "archives").glob("*.deb"):
        if time.time() - file.stat().st_mtime > _KEPT_S:
            file.unlink()


def _names(folder: Path, present: Sequence[str]) -> set[str]:
    """Of all that is there with these packages: asked of apt once for each update of its lists."""
    known = folder / "present.json"
    stamp = (folder / "updated").stat().st_mtime
    with contextlib.suppress(FileNotFoundError, ValueError):
        found = json.loads(known.read_text())
        if found["of"] == [*present, stamp]:
            return set(found["names"])
    names = {each.name for each in _resolve(folder, present)}
    write_by_rename(
        known, json.dumps({"of": [*present, stamp], "names": sorted(names)}), mode=0o600
    )
    return names


def _resolve(folder: Path, packages: Sequence[str]) -> list[Archive]:
    """All archives of an installation from nothing."""
    try:
        said = _apt(folder, "install", "-qq", "-y", "--print-uris", "--", "?essential", *packages)
    except CommandFailed as error:
        raise _refused(error) from error
    found = (_LINE.match(line) for line in said.splitlines())
    return [Archive(match["file"], int(match["bytes"])) for match in found if match]


def _download(target: Path, wanted: Sequence[Archive], folder: Path) -> list[Path]:
    files = [target / each.file for each in wanted]
    missing = [each.wanted for each, file in zip(wanted, files, strict=True) if not file.exists()]
    if missing:
        try:
            _apt(folder, "download", "-qq", "--", *missing, inside=target)
        except CommandFailed as error:
            raise PlatformError(f"packages could not be fetched: {error.stderr[-500:]}") from error
    for file in files:
        os.utime(file)
    return files


def _apt(folder: Path, command: str, *arguments: str, inside: Path | None = None) -> str:
    options = {
        "Dir::State": folder,
        "Dir::State::Lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Cache::archives": folder / "cache" / "archives",
        "APT::Install-Recommends": "false",
        "APT::Sandbox::User": "root",
        "APT::Get::AllowUnauthenticated": "false",
        "Debug::NoLocking": "true",
    }
    given = [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    argv = ["apt-get", *given, command, *arguments]
    shell = ["env", f"--chdir={inside}"] if inside else []
    return run([*shell, *argv], timeout_s=_TIMEOUT_S, environment=_environment()).decode()


def _environment() -> Mapping[str, str]:
    return {**os.environ, "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def _refused(error: CommandFailed) -> Exception:
    """What apt says of the packages that were asked for."""
    found = [next(filter(None, m.groups())) for m in _UNKNOWN.finditer(error.stderr)]
    if error.status == 127:
        return BuildFailed(
            Failure(
                "aptfile_without_apt",
                "the app has an Aptfile, and this server has no apt",
                "It needs a server with Debian or Ubuntu. Without the file: git rm Aptfile",
            )
        )
    if found:
        names = ", ".join(dict.fromkeys(found))
        return BuildFailed(
            Failure(
                "apt_package_unknown",
                f"Aptfile: there is no such package in this server's distribution: {names}",
                "Look it up by what it is called there: https://packages.debian.org "
                "(names have versions in them: libvips42, not libvips).",
            )
        )
    return BuildFailed(
        Failure(
            "apt_failed",
            f"Aptfile: apt can't install these packages together: {error.stderr.strip()[-800:]}",
            "Take out those that are against each other.",
        )
    )


def _too_large(size: int) -> BuildFailed:
    return BuildFailed(
        Failure(
            "apt_too_large",
            f"Aptfile: the packages and what they need are {size >> 20} MiB to fetch; "
            f"{BYTES_MAX >> 20} MiB is the most",
            "Name smaller ones, e.g. a library in the place of a whole program.",
        )
    )
