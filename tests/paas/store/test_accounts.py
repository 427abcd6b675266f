"""Installations of before accounts: whoever had access has it still, and everything is theirs."""

import asyncio
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from paas.apps.access import ALL
from paas.store import Database, accounts, collaborators, keys, tokens
from paas.store.sql.migrate import MIGRATIONS

SECRET = "paas_" + "x" * 43


def test_the_account_of_before_operates_the_platform_and_owns_its_apps(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'platform.db'}"
    before(url)
    database = Database.open(url)

    async def story() -> None:
        token = await database.run(tokens.authenticate, SECRET)
        assert token is not None and token.apps is None
        account = await database.run(accounts.by_email, token.user)
        assert account is not None and account.operator
        app, held = await database.run(collaborators.seen, account, "hello")
        assert (app.owner, held) == (account.email, ALL)
        assert [key.comment for key in await database.run(keys.of_user, account.email)] == ["me"]

    asyncio.run(story())
    database.close()


def before(url: str) -> None:
    """A database as it was, with an app, a token and a key."""
    engine = sa.create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0016")
    user = {"user": "owner@localhost", "created_at": datetime(2026, 1, 1, tzinfo=UTC)}
    app = {"id": "a", "name": "hello", "owner": user["user"], "created_at": user["created_at"]}
    app |= {"maintenance": False, "stack": "smartmachine"}
    token = {"id": "t", "sha256": sha256(SECRET.encode()).hexdigest(), "description": ""} | user
    key = {"id": "k", "fingerprint": "SHA256:x", "line": "ssh-ed25519 x", "comment": "me"} | user
    with engine.begin() as connection:
        for name, row in (("apps", app), ("tokens", token), ("keys", {**key, "scope": "[]"})):
            columns = [sa.column(column) for column in row]
            connection.execute(sa.insert(sa.table(name, *columns)).values(row))
    engine.dispose()
