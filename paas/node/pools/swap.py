"""Exchanging two folders in one step (renameat2(2)): neither name is missing at any moment."""

import ctypes
import os
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_libc = ctypes.CDLL(None, use_errno=True)


def swap(first: Path, second: Path) -> None:
    """Each gets the other's name. Raises OSError."""
    names = os.fsencode(first), os.fsencode(second)
    if _libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"can't exchange {first} and {second}: {os.strerror(number)}")
