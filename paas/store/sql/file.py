"""The file of an SQLite database: made readable by its owner alone, before SQLite would make it."""

import os
from pathlib import Path

import sqlalchemy
from sqlalchemy.exc import ArgumentError

from paas.errors import UserError


def prepare(url: str) -> None:
    """SQLite gives its -wal and -shm files the mode of the main one. Raises UserError."""
    try:
        parsed = sqlalchemy.make_url(url)
    except ArgumentError as error:
        raise UserError("invalid_params", "The database URL can't be read.", exit_code=2) from error
    if parsed.get_backend_name() not in ("sqlite", "postgresql", "postgres"):
        raise UserError(
            "invalid_params",
            f"The database can't be {parsed.get_backend_name()}.",
            "Use sqlite:////path/file or postgresql://user@host/name.",
            exit_code=2,
        )
    path = path_of(url)
    if path is not None:
        _make(path)


def path_of(url: str) -> Path | None:
    """The file, where there is one."""
    parsed = sqlalchemy.make_url(url)
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        return None
    return Path(str(parsed.database))


def _make(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise UserError(
            "invalid_params", f"The database {path} can't be opened: {error.strerror}."
        ) from error
