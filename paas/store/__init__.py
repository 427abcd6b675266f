"""All SQL: the schema, its migrations, and one file a noun with functions that take a connection.

    database = Database.open(settings.database_url)
    app = await database.run(apps.by_name, "hello")

Only the control process opens the database. Rules about the values live in `paas.apps`.
"""

from paas.store.sql.database import Database

__all__ = ["Database"]
