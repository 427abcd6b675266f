"""What the control process holds: one frozen object that its parts are handed."""

import asyncio
from dataclasses import dataclass, field

from sqlalchemy import Connection

from gitserver import GitServer
from paas.fleet.machines import Machines
from paas.node.client import Node
from paas.platform.attachments import Attachments
from paas.platform.background import Background
from paas.platform.deploying import Deploying
from paas.platform.drains import Drains
from paas.platform.locks import Locks
from paas.platform.outputs import Outputs
from paas.platform.timeline import End, Timeline
from paas.routes.client import Router
from paas.routes.publish import Routes
from paas.settings import Settings
from paas.store import steps
from paas.store.sql.database import Database
from paas.store.sql.row import now


@dataclass
class Git:
    """The git server, which control makes last: it asks the platform what a push does."""

    made: GitServer | None = None

    @property
    def server(self) -> GitServer:
        assert self.made is not None
        return self.made


@dataclass(frozen=True)
class Platform:
    settings: Settings
    database: Database
    node: Node
    machines: Machines
    router: Router
    routes: Routes
    locks: Locks = field(default_factory=Locks)
    outputs: Outputs = field(default_factory=Outputs)
    background: Background = field(default_factory=Background)
    deploying: Deploying = field(default_factory=Deploying)
    attachments: Attachments = field(default_factory=Attachments)
    git: Git = field(default_factory=Git)
    drains: Drains = field(default_factory=Drains)
    untidy: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whoever leaves something for housekeeping to delete."""
    crons_changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whoever changes what is due when."""
    hostnames_changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by whoever changes which host names there are: they may need certificates."""

    def timeline(self, app_id: str, subject_id: str) -> Timeline:
        """A timeline whose steps are noted as those of a build or a release."""
        note = self.database.note

        def begin(name: str) -> End:
            began_at, number = now(), list[int]()

            def start(connection: Connection) -> None:
                number.append(steps.start(connection, app_id, subject_id, name, began_at))

            def end(duration_ms: float) -> None:
                ended_at = now()
                note(lambda each: steps.finish(each, number[-1], duration_ms, ended_at))

            note(start)
            return end

        return Timeline(begin)
