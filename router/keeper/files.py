"""What the keeper has on disk, as JSON: replaced by rename, whole or not at all."""

import json
import os
from pathlib import Path
from typing import Any, Final

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


class FileError(Exception):
    """The file is not what was saved. The message has nothing of its content: it may be secret."""


def load(path: Path) -> Any:
    """What was saved; None where there is no file. Raises OSError and FileError."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        raise FileError(f"{path} is not JSON") from None


def save(path: Path, value: Any, mode: int = 0o666) -> None:
    """Put it where `load` finds it, also after a power failure. Raises OSError.

    `mode` is that of the file, less the umask.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, _FLAGS, mode), "wb") as file:
        file.write(json.dumps(value, separators=(",", ":")).encode())
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
