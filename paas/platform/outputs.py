"""Which machines' logs are an app's own."""

from collections import defaultdict

from paas.store import outputs
from paas.store.sql.database import Database


class Outputs:
    """By app (uuid, `web.1`) of each machine that printed something, gone ones too; the database
    has the same, and the newest come last."""

    def __init__(self) -> None:
        self._by_app: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)

    async def restore(self, database: Database) -> None:
        """What the last control knew."""
        for output in await database.run(outputs.all):
            self.add(output.app_id, output.machine_uuid, output.process)

    def of(self, app_id: str) -> list[tuple[str, str]]:
        return list(self._by_app.get(app_id, ()))

    def add(self, app_id: str, machine_uuid: str, process: str) -> None:
        self._by_app[app_id].append((machine_uuid, process))

    def remove(self, app_id: str, machine_uuid: str) -> None:
        """It is fine when it is gone already."""
        kept = [item for item in self.of(app_id) if item[0] != machine_uuid]
        if kept:
            self._by_app[app_id] = kept
        else:
            self.remove_app(app_id)

    def remove_app(self, app_id: str) -> None:
        self._by_app.pop(app_id, None)
