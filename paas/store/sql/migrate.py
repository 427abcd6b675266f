"""Bring a database to the newest schema: each migration is one transaction."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Engine

from paas.errors import UserError

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(engine: Engine) -> None:
    """Run the migrations that the database lacks. Raises UserError when it is newer than we are."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise UserError(
                "conflict",
                f"The database's schema is not one of this program's: {error}.",
                "It was probably made by a newer version: use that one.",
            ) from error
