"""What the database refuses, in the words of the one who asked."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError

from paas.errors import PlatformError, UserError

_UNIQUE = {"SQLITE_CONSTRAINT_UNIQUE", "SQLITE_CONSTRAINT_PRIMARYKEY", "23505"}
_FOREIGN_KEY = {"SQLITE_CONSTRAINT_FOREIGNKEY", "23503"}


@contextmanager
def conflict(message: str, hint: str = "") -> Iterator[None]:
    """A value that must be unique and is not becomes UserError(conflict) with this message."""
    try:
        yield
    except IntegrityError as error:
        if _code(error) in _UNIQUE:
            raise UserError("conflict", message, hint) from error
        raise


def translate(error: DBAPIError) -> UserError | PlatformError:
    """The error for one that no function foresaw."""
    if isinstance(error, IntegrityError) and _code(error) in _FOREIGN_KEY:
        return UserError("conflict", "The app was deleted meanwhile.")
    if isinstance(error, IntegrityError) and _code(error) in _UNIQUE:
        return UserError("conflict", "Somebody changed the same thing meanwhile.", "Try again.")
    return PlatformError(f"the database failed: {error.orig}")


def _code(error: DBAPIError) -> str:
    """SQLite's extended result code by name, or PostgreSQL's SQLSTATE."""
    origin = error.orig
    return str(getattr(origin, "sqlite_errorname", None) or getattr(origin, "sqlstate", ""))
