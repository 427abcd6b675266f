"""Sending and receiving datasets by the host's own programs: `btrfs send` and `tar`.

Both write to and read from an open file. A stream that ends too soon is an error of the receiving
program, not a smaller dataset: btrfs's has an end mark (`-e`), tar's is in a gzip frame.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from paas.node.pools.interface import NoSpace, PoolError

_TIMEOUT_S = 3600
_TAR = ("tar", "--use-compress-program=gzip -1", "--numeric-owner", "--xattrs", "--acls")


def send_btrfs(snapshot: Path, target: IO[bytes]) -> None:
    _run(("btrfs", "send", "--quiet", str(snapshot)), f"sending {snapshot}", stdout=target)


def receive_btrfs(folder: Path, source: IO[bytes]) -> None:
    """The stream's one snapshot stands in `folder` afterwards; nothing is written outside it."""
    argv = ("btrfs", "receive", "--quiet", "--chroot", "-e", str(folder))
    _run(argv, "receiving a dataset", stdin=source)


def send_folder(snapshot: Path, target: IO[bytes]) -> None:
    argv = (*_TAR, "--create", f"--directory={snapshot.parent}", "--", snapshot.name)
    _run(argv, f"sending {snapshot}", stdout=target)


def receive_folder(folder: Path, source: IO[bytes]) -> None:
    argv = (*_TAR, "--extract", "--preserve-permissions", "--same-owner", f"--directory={folder}")
    _run(argv, "receiving a dataset", stdin=source)


def _run(
    argv: Sequence[str],
    what: str,
    stdin: IO[bytes] | None = None,
    stdout: IO[bytes] | None = None,
) -> None:
    try:
        done = subprocess.run(
            argv,
            stdin=stdin or subprocess.DEVNULL,
            stdout=stdout or subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            timeout=_TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise PoolError(f"{argv[0]} is not installed", "Run script/bootstrap.") from error
    except subprocess.TimeoutExpired as error:
        raise PoolError(f"{what} took over {_TIMEOUT_S} s") from error
    if done.returncode:
        words = done.stderr.decode(errors="replace").strip()[-1000:]
        if "No space left" in words:
            raise NoSpace(f"{what} failed: the pool is full", "Delete images or machines.")
        raise PoolError(f"{what} failed: {words or f'status {done.returncode}'}", "Send it again.")
