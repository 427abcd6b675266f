"""The first schema."""

import sqlalchemy as sa
from alembic import op

from paas.store.sql.schema import Moment

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_apps()
    _create_releases()
    _create_builds()
    _create_parts_of_apps()
    _create_steps()
    _create_tokens()
    _create_trunks()
    _create_platform()


def _create_apps() -> None:
    op.create_table(
        "apps",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("name", sa.String(30), nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("maintenance", sa.Boolean, nullable=False),
        sa.Column("stack", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_apps"),
        sa.UniqueConstraint("name", name="uq_apps_name"),
    )


def _create_releases() -> None:
    op.create_table(
        "releases",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("image_uuid", sa.String(36)),
        sa.Column("commit", sa.String(64)),
        sa.Column("runtime_uuid", sa.String(36)),
        sa.Column("stack_uuid", sa.String(36)),
        sa.Column("config", sa.JSON, nullable=False),
        sa.Column("processes", sa.JSON, nullable=False),
        sa.Column("failure", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_releases"),
        sa.UniqueConstraint("app_id", "version", name="uq_releases_app_id"),
        _of_an_app("releases"),
    )
    op.create_index("ix_releases_status", "releases", ["status"])


def _create_builds() -> None:
    op.create_table(
        "builds",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("image_uuid", sa.String(36)),
        sa.Column("release_id", sa.String(36)),
        sa.Column("failure", sa.Text),
        sa.PrimaryKeyConstraint("id", name="pk_builds"),
        _of_an_app("builds"),
    )
    op.create_index("ix_builds_app_id", "builds", ["app_id"])
    op.create_index("ix_builds_status", "builds", ["status"])


def _create_parts_of_apps() -> None:
    op.create_table(
        "formation",
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("type", sa.String(30), nullable=False),
        sa.Column("quantity", sa.Integer, nullable=False),
        sa.Column("package", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("app_id", "type", name="pk_formation"),
        _of_an_app("formation"),
    )
    op.create_table(
        "domains",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("hostname", sa.String(253), nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_domains"),
        sa.UniqueConstraint("hostname", name="uq_domains_hostname"),
        _of_an_app("domains"),
    )
    op.create_index("ix_domains_app_id", "domains", ["app_id"])
    op.create_table(
        "instances",
        sa.Column("machine_uuid", sa.String(36), nullable=False),
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("release_version", sa.Integer, nullable=False),
        sa.Column("type", sa.String(30), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("machine_uuid", name="pk_instances"),
        _of_an_app("instances"),
    )
    op.create_index("ix_instances_app_id", "instances", ["app_id"])


def _create_steps() -> None:
    op.create_table(
        "steps",
        sa.Column("id", sa.Integer, autoincrement=True, nullable=False),
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("subject_id", sa.String(36), nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("started_at", Moment, nullable=False),
        sa.Column("finished_at", Moment),
        sa.Column("duration_ms", sa.Float),
        sa.PrimaryKeyConstraint("id", name="pk_steps"),
        _of_an_app("steps"),
    )
    op.create_index("ix_steps_app_id", "steps", ["app_id"])
    op.create_index("ix_steps_subject_id", "steps", ["subject_id"])
    op.create_index("ix_steps_unfinished", "steps", ["finished_at"])


def _create_tokens() -> None:
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("last_used_at", Moment),
        sa.Column("expires_at", Moment),
        sa.PrimaryKeyConstraint("id", name="pk_tokens"),
        sa.UniqueConstraint("sha256", name="uq_tokens_sha256"),
    )
    op.create_table(
        "codes",
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("user", sa.Text, nullable=False),
        sa.Column("expires_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_codes"),
    )


def _create_trunks() -> None:
    op.create_table(
        "trunks",
        sa.Column("app_id", sa.String(36), nullable=False),
        sa.Column("image_uuid", sa.String(36), nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("lock_key", sa.Text, nullable=False),
        sa.Column("updated_at", Moment, nullable=False),
        sa.PrimaryKeyConstraint("app_id", name="pk_trunks"),
        _of_an_app("trunks"),
    )


def _create_platform() -> None:
    op.create_table(
        "sequences",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sequences"),
    )
    op.create_table(
        "settings",
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_settings"),
    )


def _of_an_app(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["app_id"], ["apps.id"], name=f"fk_{table}_app_id", ondelete="CASCADE"
    )
