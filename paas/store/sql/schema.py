"""The tables as they are now; `migrations/` is how they came to be (a test compares the two)."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint
from sqlalchemy.engine import Dialect

METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


class Moment(sa.TypeDecorator[datetime]):
    """A point in time, always with UTC as its zone (SQLite drops zones)."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value if value is None else value.astimezone(UTC)
        return value.replace(tzinfo=UTC)  # type: ignore[no-any-return]


def _uuid(name: str, *args: Any, **options: Any) -> Column[Any]:
    return Column(name, String(36), *args, **options)


def _app(**options: Any) -> Column[Any]:
    return _uuid("app_id", ForeignKey("apps.id", ondelete="CASCADE"), nullable=False, **options)


apps = Table(
    "apps",
    METADATA,
    _uuid("id", primary_key=True),
    Column("name", String(30), nullable=False, unique=True),
    Column("owner", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("maintenance", sa.Boolean, nullable=False),
    Column("stack", Text, nullable=False),
    Column("routing", sa.JSON, nullable=False, server_default="{}"),
    Column("root", Text, nullable=False, server_default=""),
    Column("deploy_branch", Text, nullable=False, server_default=""),
    Column("postdeploy", String(8), nullable=False, server_default=""),
    Column("buildpacks", sa.JSON, nullable=False, server_default="[]"),
    Column("buildpacks_declared", sa.Boolean, nullable=False, server_default=sa.false()),
    Column("supersede", sa.Boolean, nullable=False, server_default=sa.false()),
)

releases = Table(
    "releases",
    METADATA,
    _uuid("id", primary_key=True),
    _app(),
    Column("version", Integer, nullable=False),
    Column("description", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("status", String(16), nullable=False, index=True),
    _uuid("image_uuid"),
    Column("commit", String(64)),
    _uuid("runtime_uuid"),
    _uuid("stack_uuid"),
    Column("config", sa.JSON, nullable=False),
    Column("processes", sa.JSON, nullable=False),
    Column("failure", Text),
    Column("commands", sa.JSON, nullable=False, server_default="{}"),
    UniqueConstraint("app_id", "version"),
)

builds = Table(
    "builds",
    METADATA,
    _uuid("id", primary_key=True),
    _app(index=True),
    Column("commit", String(64), nullable=False),
    Column("user", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("status", String(16), nullable=False, index=True),
    _uuid("image_uuid"),
    _uuid("release_id"),
    Column("failure", Text),
    Column("source_url", Text),
    Column("source_version", Text),
    Column("source_checksum", Text),
)

formation = Table(
    "formation",
    METADATA,
    _app(primary_key=True),
    Column("type", String(30), primary_key=True),
    Column("quantity", Integer, nullable=False),
    Column("package", Text, nullable=False),
)

domains = Table(
    "domains",
    METADATA,
    _uuid("id", primary_key=True),
    _app(index=True),
    Column("hostname", String(253), nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    _uuid("endpoint_id"),
)

instances = Table(
    "instances",
    METADATA,
    _uuid("machine_uuid", primary_key=True),
    _app(index=True),
    Column("release_version", Integer, nullable=False),
    Column("type", String(30), nullable=False),
    Column("number", Integer, nullable=False),
    Column("created_at", Moment, nullable=False),
)

runs = Table(
    "runs",
    METADATA,
    _uuid("machine_uuid", primary_key=True),
    _app(),
    Column("release_version", Integer, nullable=False),
    Column("number", Integer, nullable=False),
    Column("command", Text, nullable=False),
    Column("package", Text, nullable=False),
    Column("attached", sa.Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("ends_at", Moment, nullable=False),
    Column("type", String(40), nullable=False, server_default="run"),
    UniqueConstraint("app_id", "number"),
)

crons = Table(
    "crons",
    METADATA,
    _uuid("id", primary_key=True),
    _app(),
    Column("name", String(30), nullable=False),
    Column("schedule", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("command", Text, nullable=False),
    Column("package", Text, nullable=False),
    Column("time_limit_s", Integer, nullable=False),
    Column("overlap", sa.Boolean, nullable=False),
    Column("missed", String(8), nullable=False),
    Column("declared", sa.Boolean, nullable=False),
    Column("paused", sa.Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("planned_at", Moment, nullable=False),
    Column("next_at", Moment),
    UniqueConstraint("app_id", "name"),
)

cron_results = Table(
    "cron_results",
    METADATA,
    _uuid("id", primary_key=True),
    _uuid(
        "cron_id",
        ForeignKey("crons.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("due_at", Moment, nullable=False),
    Column("count", Integer, nullable=False),
    Column("process", Text, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("said", Text, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("exit_status", Integer),
)

steps = Table(
    "steps",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    _app(index=True),
    _uuid("subject_id", nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("duration_ms", sa.Float),
    Index("ix_steps_unfinished", "finished_at"),
)

accounts = Table(
    "accounts",
    METADATA,
    _uuid("id", primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("operator", sa.Boolean, nullable=False),
    Column("password", Text),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("last_login_at", Moment),
)

collaborators = Table(
    "collaborators",
    METADATA,
    _uuid("id", primary_key=True),
    _app(),
    Column("email", String(254), nullable=False, index=True),
    Column("permissions", sa.JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("app_id", "email"),
)

transfers = Table(
    "transfers",
    METADATA,
    _uuid("id", primary_key=True),
    _app(index=True),
    Column("owner", String(254), nullable=False),
    Column("recipient", String(254), nullable=False),
    Column("state", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

audit = Table(
    "audit",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False, index=True),
    Column("user", String(254), nullable=False),
    _uuid("token_id"),
    Column("origin", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("action", Text, nullable=False),
    _uuid("app_id", index=True),
    Column("app", Text),
    Column("detail", Text, nullable=False),
    Column("status", Integer),
)

keys = Table(
    "keys",
    METADATA,
    _uuid("id", primary_key=True),
    Column("user", Text, nullable=False),
    Column("fingerprint", String(100), nullable=False, unique=True),
    Column("line", Text, nullable=False),
    Column("comment", Text, nullable=False),
    Column("scope", sa.JSON, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_used_at", Moment),
)
tokens = Table(
    "tokens",
    METADATA,
    _uuid("id", primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),
    Column("description", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("last_used_at", Moment),
    Column("expires_at", Moment),
    Column("scope", sa.JSON, nullable=False, server_default='["global"]'),
    Column("apps", sa.JSON(none_as_null=True)),
)

codes = Table(
    "codes",
    METADATA,
    Column("sha256", String(64), primary_key=True),
    Column("user", Text, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("scope", sa.JSON, nullable=False, server_default='["global"]'),
)

trunks = Table(
    "trunks",
    METADATA,
    _app(primary_key=True),
    _uuid("image_uuid", nullable=False),
    Column("commit", String(64), nullable=False),
    Column("lock_key", Text, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

outputs = Table(
    "outputs",
    METADATA,
    _uuid("machine_uuid", primary_key=True),
    _app(index=True),
    Column("process", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

promises = Table(
    "promises",
    METADATA,
    _app(primary_key=True),
    _uuid("release_id", nullable=False),
    Column("ref", Text, nullable=False),
    Column("commit", String(64), nullable=False),
)

certificates = Table(
    "certificates",
    METADATA,
    Column("hostname", String(253), primary_key=True),
    Column("issuer", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("chain", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("expires_at", Moment),
)

provided_certificates = Table(
    "provided_certificates",
    METADATA,
    _uuid("id", primary_key=True),
    _app(index=True),
    Column("name", String(40), nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Column("chain", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("names", sa.JSON, nullable=False),
    Column("subject", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("starts_at", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    Column("is_trusted", sa.Boolean, nullable=False),
)

git_connections = Table(
    "git_connections",
    METADATA,
    _app(primary_key=True),
    _uuid("hook", nullable=False, unique=True),
    Column("url", Text, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("branch", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("secret", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("rung", Integer, nullable=False),
    Column("seen", Integer, nullable=False),
    Column("commit", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
)

drains = Table(
    "drains",
    METADATA,
    _uuid("id", primary_key=True),
    _app(),
    Column("url", Text, nullable=False),
    Column("token", String(40), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("seen_ns", sa.BigInteger, nullable=False),
    UniqueConstraint("app_id", "url"),
)

pipelines = Table(
    "pipelines",
    METADATA,
    _uuid("id", primary_key=True),
    Column("name", String(30), nullable=False),
    Column("owner", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("owner", "name"),
)


def _of(table: str, name: str, **options: Any) -> Column[Any]:
    key = ForeignKey(f"{table}.id", ondelete="CASCADE")
    return _uuid(name, key, nullable=False, **options)


pipeline_couplings = Table(
    "pipeline_couplings",
    METADATA,
    _uuid("id", primary_key=True),
    _of("pipelines", "pipeline_id", index=True),
    _app(unique=True),
    Column("stage", String(16), nullable=False),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
)

promotions = Table(
    "promotions",
    METADATA,
    _uuid("id", primary_key=True),
    _of("pipelines", "pipeline_id"),
    _app(),
    _uuid("release_id", nullable=False),
    Column("user", Text, nullable=False),
    Column("created_at", Moment, nullable=False),
)

promotion_targets = Table(
    "promotion_targets",
    METADATA,
    _uuid("id", primary_key=True),
    _of("promotions", "promotion_id", index=True),
    _app(),
    Column("status", String(16), nullable=False, index=True),
    _uuid("release_id"),
    Column("error", Text),
)

sequences = Table(
    "sequences",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", sa.BigInteger, nullable=False),
)

settings = Table(
    "settings",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
