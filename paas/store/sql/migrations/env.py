"""How Alembic reaches the database: through the connection that `sql.migrate` hands over."""

from alembic import context

from paas.store.sql.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite's DDL is transactional too; Alembic only assumes otherwise.
    transactional_ddl=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
