"""Files that are whole or not there: written under another name, to the disk, and then renamed.

Without the sync the power may fail between the name and the content: an empty file.
"""

import contextlib
import os
from pathlib import Path


def write_by_rename(
    path: Path, content: bytes | str, *, mode: int = 0o600, owner: tuple[int, int] | None = None
) -> None:
    """Put `content` where `path` is; whoever reads meanwhile, or after a crash, has the old file
    or the new one. `owner` is a user and a group, for root to give the file away.

    The other name ends with `.new`, and a crash may leave it. Raises OSError.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.new")
    # Its mode is given before its content: nobody else may read secrets for a moment.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if owner is not None:
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        # On a disk that is read-only by now it can't be removed either.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def sync(path: Path) -> None:
    """Returns when a file's content, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
