"""An image's file into a tree, checked against what its manifest says of it, and a tree into one.

The work is done by a program (`unpacker`); here are its start, the sums and its end. Blocks.
"""

import errno
import hashlib
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paas.node.errors import ImageError
from paas.node.images import unpacker
from paas.node.pools.interface import Pool, reserve_bytes

_START = "import sys; sys.path.insert(0, sys.argv.pop(1)); "
_PROGRAM = f"{_START}from {unpacker.__name__} import start; start()"
_CODE = Path(__file__).resolve().parents[3]
_CHUNK_BYTES = 1024 * 1024
_LINE_BYTES_MAX = 1000
_OF_THE_POOL = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


def described(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one file of a manifest. Raises ImageError."""
    files = manifest.get("files")
    if not (isinstance(files, list) and len(files) == 1 and isinstance(files[0], dict)):
        raise ImageError("InvalidManifest", f"image {manifest.get('uuid')} has no file")
    found: Mapping[str, Any] = files[0]
    return found


def unpack(pool: Pool, root: Path, source: int, manifest: Mapping[str, Any]) -> None:
    """`source` is a regular file's descriptor, at any place. Raises ImageError, OSError."""
    if not stat.S_ISREG(os.fstat(source).st_mode):
        raise ImageError("InvalidParameter", "the image's file is no regular file")
    file, space = described(manifest), pool.space()
    most = max(space.free_bytes - reserve_bytes(space.size_bytes), 0)
    layered = "layered" if manifest.get("origin") else "whole"
    command = _command("unpack", str(root), str(file["compression"]), layered, str(most))
    with _started(command, subprocess.PIPE) as process:
        try:
            found = _feed(process, source)
            _check(file, *found)
            _end(process, str(manifest["uuid"]))
        finally:
            process.kill()


def pack(root: Path, origin: Path | None, target: int, machine: str) -> None:
    """Raises ImageError, OSError."""
    command = _command("pack", str(root), str(origin or ""))
    with _started(command, subprocess.DEVNULL, target) as process:
        try:
            _end(process, machine)
        finally:
            process.kill()


def _command(*arguments: str) -> list[str]:
    verb, *rest = arguments
    python = [sys.executable, "-I", "-S", "-c", _PROGRAM, str(_CODE)]
    return [*python, verb, str(os.getpid()), *rest]


def _started(
    command: list[str], stdin: int, stdout: int = subprocess.DEVNULL
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={},
        start_new_session=True,
        bufsize=0,
    )


def _feed(process: subprocess.Popen[bytes], source: int) -> tuple[str, int]:
    """SHA-1 and size of all of the file, also if the program wants no more of it."""
    assert process.stdin is not None
    digest, size_bytes, wanted = hashlib.sha1(usedforsecurity=False), 0, True
    while part := os.pread(source, _CHUNK_BYTES, size_bytes):
        digest.update(part)
        size_bytes += len(part)
        view = memoryview(part)
        while wanted and view:
            try:
                view = view[os.write(process.stdin.fileno(), view) :]
            except BrokenPipeError:
                wanted = False
    process.stdin.close()
    return digest.hexdigest(), size_bytes


def _check(file: Mapping[str, Any], sha1: str, size_bytes: int) -> None:
    if size_bytes != file["size"]:
        text = f"size of the image's file is {size_bytes} bytes, expected: {file['size']}"
        raise ImageError("ChecksumError", text, "Get the file again.")
    if sha1 != file["sha1"]:
        text = f"sha1 of the image's file is {sha1}, expected: {file['sha1']}"
        raise ImageError("ChecksumError", text, "Get the file again.")


def _end(process: subprocess.Popen[bytes], name: str) -> None:
    assert process.stderr is not None
    line = process.stderr.read(_LINE_BYTES_MAX).decode("ascii", "replace").strip()
    status = process.wait()
    if not status:
        return
    number, _, message = line.partition(" ")
    if status != unpacker.FAILED or not number.isdigit():
        raise ImageError("InvalidImageFile", f"the file of {name}: it ended with status {status}")
    if int(number) in _OF_THE_POOL:
        raise OSError(int(number), message)
    raise ImageError("InvalidImageFile", f"the file of {name} can't be used: {message}")
