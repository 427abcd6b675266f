"""Stacks: the Linux userlands that zones mount read-only, made from the host's own distribution.

`run` is what applications need, `build` what compiling dependencies needs as well. Each is made
once a host, as a tar file in the cache, and imported into every installation's pool as an image.
Only `/usr` and a skeleton of `/etc` count: what a zone may write comes from the base image.
"""

import fcntl
import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from paas.errors import UserError
from paas.node import words
from paas.node.images import apt_sources
from paas.node.images.manifests import Manifest
from paas.node.images.store import Images
from paas.settings import Settings, load
from paas.system.files import sync, write_by_rename

NAMESPACE = uuid.UUID("6f1c3a52-5d0e-5d5c-9c0b-2c7a4f0e8d11")
"""Of the uuids of images that are made here rather than chosen by a caller."""
_TIMEOUT_S = 1200
_RUN = (
    "ca-certificates libatomic1 libnginx-mod-http-brotli-static libstdc++6 netbase nginx "
    "procps tzdata"
)
_BUILD = (
    "brotli build-essential curl file git jq openssh-client pkg-config python3 rsync unzip wget "
    "xz-utils zip zstd"
)
"""With what other people's buildpacks take for granted, as Heroku's build images have it."""
PACKAGES = {"run": _RUN.split(), "build": [*_RUN.split(), *_BUILD.split()]}
_UNWANTED = ("doc/*", "info/*", "lintian/*", "linda/*", "locale/*", "man/*")
_SKELETON = [
    "alternatives",
    "bash.bashrc",
    "debian_version",
    "gai.conf",
    "host.conf",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "login.defs",
    "nsswitch.conf",
    "os-release",
    "profile",
    "profile.d",
    "protocols",
    "rpc",
    "services",
    "shells",
    "skel",
    "ssh",
    "ssl",
    "terminfo",
    "timezone",
]
"""Without `localtime`, ICU looks for a file like it among all time zones: 5,900 files opened at
each start of Node.js, 14 ms of CPU."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Stack:
    """A stack as a tar file, and what its maker found out about it."""

    codename: str
    variant: str
    file: Path

    @property
    def facts_file(self) -> Path:
        """`{sha1, size}`, written after the tar file: its presence says that both are whole."""
        return self.file.with_suffix(".json")


def stack(cache: Path, variant: str, release: Path = Path("/etc/os-release")) -> Stack:
    """The stack of this host's distribution; its file may not exist yet."""
    codename = _codename(release.read_text())
    recipe = json.dumps([PACKAGES[variant], _UNWANTED, _SKELETON, platform.machine()])
    digest = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    return Stack(codename, variant, cache / f"stack-{codename}-{variant}-{digest}.tar")


def ensure(cache: Path, say: Say | None = None) -> list[Stack]:
    """Both stacks as tar files, made side by side where they are missing. Raises UserError."""
    say = say or _say
    cache.mkdir(parents=True, exist_ok=True)
    wanted = [stack(cache, variant) for variant in PACKAGES]
    with ThreadPoolExecutor(len(wanted)) as workers:
        list(workers.map(lambda one: _ensure_one(one, say), wanted))
    return wanted


def install(images: Images, cache: Path, variant: str) -> Manifest:
    """The stack as an image of the pool. Raises UserError when nobody has made its tar file."""
    found = stack(cache, variant)
    try:
        facts = json.loads(found.facts_file.read_bytes())
    except FileNotFoundError as error:
        raise UserError(
            "stack_missing", f"there is no stack at {found.file}", "Run script/bootstrap as root."
        ) from error
    return images.create(_manifest(found, facts), lambda root: _unpack(found.file, root))


def _manifest(found: Stack, facts: dict[str, str | int]) -> Manifest:
    return {
        "uuid": str(uuid.uuid5(NAMESPACE, f"stack {facts['sha1']}")),
        "name": f"stack-{found.codename}-{found.variant}",
        "version": str(facts["sha1"])[:12],
        "description": f"{found.codename}: {' '.join(PACKAGES[found.variant])}",
        "files": [{"sha1": facts["sha1"], "size": facts["size"], "compression": "none"}],
        "tags": {words.ROLE: "stack", words.VARIANT: found.variant},
    }


def _say(line: str) -> None:
    """In one piece: two threads speak."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _ensure_one(wanted: Stack, say: Say) -> None:
    with _locked(wanted.file.with_suffix(".lock")):
        if wanted.facts_file.exists() and wanted.file.exists():
            return
        say(f"making the stack {wanted.codename}/{wanted.variant} (minutes on a slow network)")
        started = time.monotonic()
        _make(wanted)
        _publish(wanted)
        seconds, mebibytes = time.monotonic() - started, wanted.file.stat().st_size >> 20
        say(f"made {wanted.codename}/{wanted.variant}: {mebibytes} MiB in {seconds:.0f} s")


def _make(wanted: Stack) -> None:
    """mmdebstrap, whose last step packs what counts: its own output would hold all of /var."""
    sources = apt_sources.distribution_sources(wanted.codename)
    if not sources:
        raise UserError(
            "unsupported_host",
            f"/etc/apt has no source of {wanted.codename}",
            "Add the distribution's own source, then run script/bootstrap again.",
        )
    partial = shlex.quote(str(wanted.file.with_suffix(".partial")))
    paths = " ".join(f"etc/{name}" for name in _SKELETON)
    pack = f'cd "$1" && tar --numeric-owner -cf {partial} usr $(ls -d {paths} 2>/dev/null)'
    with tempfile.TemporaryDirectory(prefix="stack-") as folder:
        list_file, options = Path(folder) / "host.sources", Path(folder) / "apt.conf"
        list_file.write_text(sources)
        options.touch(mode=0o600)
        options.write_text(_apt_options())
        _run(
            "mmdebstrap",
            "--quiet",
            "--mode=root",
            "--variant=essential",
            "--format=null",
            f"--include={','.join(PACKAGES[wanted.variant])}",
            f"--aptopt={options}",
            *(f"--dpkgopt=path-exclude=/usr/share/{name}" for name in _UNWANTED),
            f"--customize-hook={pack}",
            wanted.codename,
            "/dev/null",
            str(list_file),
        )


def _apt_options() -> str:
    """Proxies, certificates and where passwords stand, as the host's apt has them."""
    dump = _run("apt-config", "dump", "Acquire::http", "Acquire::https")
    lines = [line for line in dump.splitlines() if line.startswith("Acquire::http")]
    lines += [
        'APT::Install-Recommends "false";',
        'Dir::Etc::netrc "/etc/apt/auth.conf";',
        'Dir::Etc::netrcparts "/etc/apt/auth.conf.d";',
    ]
    return "\n".join(lines) + "\n"


def _publish(made: Stack) -> None:
    partial = made.file.with_suffix(".partial")
    with partial.open("rb") as stream:
        sha1 = hashlib.file_digest(stream, "sha1").hexdigest()
    facts = {"sha1": sha1, "size": partial.stat().st_size}
    sync(partial)
    partial.rename(made.file)
    write_by_rename(made.facts_file, json.dumps(facts), mode=0o644)


def _unpack(file: Path, root: Path) -> None:
    _run("tar", "--numeric-owner", "-C", str(root), "-xpf", str(file))


def _codename(release: str) -> str:
    for line in release.splitlines():
        name, _, value = line.partition("=")
        if name == "VERSION_CODENAME":
            return value.strip().strip('"')
    raise UserError(
        "unsupported_host",
        "/etc/os-release names no VERSION_CODENAME",
        "SmartPlatform runs on Debian 12, Debian 13 and Ubuntu 24.04.",
    )


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(*command: str) -> str:
    environment = os.environ | {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            env=environment,
        )
    except FileNotFoundError as error:
        raise UserError(
            "missing_command", f"{command[0]} is not installed", "Run script/bootstrap as root."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise UserError("stack_failed", f"{command[0]} took over {_TIMEOUT_S} s") from error
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-15:])
        raise UserError(
            "stack_failed",
            f"{command[0]} failed with status {done.returncode}:\n{last}",
            "See that `apt-get update` works on this host, then try again.",
        )
    return done.stdout


def main(settings: Settings | None = None) -> int:
    """`python -m paas.node.images.stacks`: make what is missing; for script/bootstrap."""
    try:
        ensure((settings or load()).cache)
    except UserError as error:
        print(f"{error.message}\n{error.hint}".rstrip(), file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
