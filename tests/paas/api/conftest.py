"""The API over a real database and operations that keep instances in memory instead of machines."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.types import Receive, Scope, Send

from gitserver.history import Commit, Comparison
from paas.api import application
from paas.apps import apps as app_rules
from paas.apps import buildpacks as buildpack_rules
from paas.apps import builds as build_rules
from paas.apps import config_vars as config_rules
from paas.apps import domains as domain_rules
from paas.apps import drains as drain_rules
from paas.apps import formation as formation_rules
from paas.apps import git_connections as git_connection_rules
from paas.apps import provided_certificates as provided_certificate
from paas.apps import releases as release_rules
from paas.apps import roots
from paas.apps.apps import App
from paas.apps.builds import Build, BuildStatus, Deploy
from paas.apps.crons import Cron, Given, Outcome, Result
from paas.apps.domains import Domain
from paas.apps.drains import Drain
from paas.apps.formation import FormationChange
from paas.apps.git_connections import GitConnection
from paas.apps.instances import Instance, InstanceState, InstanceStatus
from paas.apps.pipelines import Coupling, Pipeline, Stage
from paas.apps.promotions import Promotion
from paas.apps.provided_certificates import ProvidedCertificate
from paas.apps.releases import Release, ReleaseStatus
from paas.apps.runs import Run, Wanted
from paas.deploys.archive import Archive
from paas.errors import NotFound
from paas.logs import Filter, Status
from paas.operations import pipelines as pipeline_operations
from paas.settings import Settings
from paas.store import (
    Database,
    apps,
    builds,
    crons,
    domains,
    drains,
    formation,
    git_connections,
    pipelines,
    provided_certificates,
    releases,
    tokens,
)
from paas.store.sql.row import new_id, now

MOMENT = datetime(2026, 11, 22, 15, 36, 0, 123456, tzinfo=UTC)


@dataclass(frozen=True)
class Here(Settings):
    folder: Path = Path()

    @property
    def state(self) -> Path:
        return self.folder


@dataclass
class InMemory:
    """Obeys the same rules and writes the same rows as the platform, and runs nothing."""

    settings: Settings
    database: Database
    calls: list[tuple[Any, ...]]

    async def insert_release(
        self,
        app: App,
        description: str,
        user: str,
        *,
        config: Mapping[str, str] | None = None,
        image_uuid: str | None = None,
        processes: Mapping[str, str] | None = None,
        like: Release | None = None,
    ) -> Release:
        like = like or await self.database.run(releases.current, app.id)
        release = await self.database.run(
            releases.insert,
            app_id=app.id,
            description=description,
            user=user,
            config=config or {},
            processes=processes or (like.processes if like else {}),
            image_uuid=image_uuid or (like.image_uuid if like else None),
        )
        return await self.database.run(releases.set_status, release.id, ReleaseStatus.SUCCEEDED)


class Apps(InMemory):
    async def create(self, name: str | None, user: str, root: str = "") -> App:
        name = app_rules.check_name(name) if name is not None else app_rules.random_name()
        app = App(new_id(), name, user, now(), root=roots.check(root))
        await self.database.run(apps.insert, app)
        await self.insert_release(app, "Initial release", user)
        return app

    async def rename(self, app: App, name: str) -> App:
        return await self.database.run(apps.rename, app.id, name)

    async def destroy(self, app: App) -> None:
        await self.database.run(apps.delete, app.id)

    async def set_deploy_branch(self, app: App, branch: str, user: str) -> App:
        return await self.database.run(apps.set_deploy_branch, app.id, branch)

    async def set_root(self, app: App, root: str, user: str) -> App:
        return await self.database.run(apps.set_root, app.id, root)

    async def set_supersede(self, app: App, supersede: bool, user: str) -> App:
        return await self.database.run(apps.set_supersede, app.id, supersede)

    async def set_maintenance(self, app: App, maintenance: bool) -> App:
        return await self.database.run(apps.set_maintenance, app.id, maintenance)


class Buildpacks(InMemory):
    async def set(self, app: App, names: Sequence[str], user: str) -> App:
        checked = buildpack_rules.check(names)
        return await self.database.run(apps.set_buildpacks, app.id, checked)


class GitConnections(InMemory):
    async def connect(
        self,
        app: App,
        url: str,
        user: str,
        *,
        kind: str | None = None,
        branch: str | None = None,
        token: str | None = None,
    ) -> GitConnection:
        found = git_connection_rules.kind_of(url, kind)
        made = GitConnection(
            app.id, new_id(), url, found, branch or "main", user, now(), "whsec_x", token or ""
        )
        return await self.database.run(git_connections.put, made)

    async def disconnect(self, app: App, user: str) -> GitConnection:
        return await self.database.run(git_connections.delete, app.id)

    async def deploy(self, app: App) -> GitConnection:
        return await self.database.run(git_connections.ring, app.id, again=True)

    async def receive(self, hook: str, headers: Mapping[str, str], body: bytes) -> tuple[bool, str]:
        return True, f"{hook[:0]}main is deployed"


class Pipelines(InMemory):
    async def create(self, name: str, user: str) -> Pipeline:
        return await self.database.run(pipelines.insert, name, user)

    async def rename(self, pipeline: Pipeline, name: str) -> Pipeline:
        return await self.database.run(pipelines.rename, pipeline.id, name)

    async def destroy(self, pipeline: Pipeline) -> None:
        await self.database.run(pipelines.delete, pipeline.id)

    async def couple(self, pipeline: Pipeline, app: App, stage: Stage) -> Coupling:
        return await self.database.run(pipelines.couple, pipeline.id, app.id, stage)

    async def set_stage(self, coupling: Coupling, stage: Stage) -> Coupling:
        return await self.database.run(pipelines.set_stage, coupling.id, stage)

    async def uncouple(self, coupling: Coupling) -> Coupling:
        return await self.database.run(pipelines.uncouple, coupling.id)

    async def promote(self, source: App, targets: Sequence[App], user: str) -> Promotion:
        return await self.database.run(pipeline_operations._record, source, targets, user)

    async def differences(self, app: App) -> list[pipeline_operations.Difference]:
        _, theirs = await self.database.run(pipeline_operations._downstream, app)
        commit = Commit("1f2e3d4c" * 5, "Ada", 1_796_000_000, "Greet")
        comparison = Comparison((commit,), 0)
        return [pipeline_operations.Difference(*each, comparison) for each in theirs]


class Releases(InMemory):
    async def change_config(self, app: App, values: Mapping[str, str | None], user: str) -> Release:
        current = await self.database.run(releases.current, app.id)
        config = config_rules.merge(current.config if current else {}, values)
        return await self.insert_release(app, config_rules.describe(values), user, config=config)

    async def rollback(self, app: App, version: int, user: str) -> Release:
        target = await self.database.run(releases.by_version, app.id, version)
        current = await self.database.run(releases.current, app.id)
        target = release_rules.check_rollback(target, current, version)
        return await self.insert_release(
            app, f"Rollback to v{version}", user, config=target.config, like=target
        )

    async def deploy(self, app: App, processes: Mapping[str, str], user: str) -> Release:
        """What a push does: a build, a release with an image, a formation."""
        build = await self.database.run(
            builds.insert, app_id=app.id, commit="1f2e3d4c" * 5, user=user
        )
        current = await self.database.run(releases.current, app.id)
        release = await self.insert_release(
            app,
            "Deploy 1f2e3d4c",
            user,
            config=current.config if current else {},
            image_uuid=new_id(),
            processes=processes,
        )
        had = await self.database.run(formation.get, app.id)
        entries = formation_rules.for_processes(had, processes)
        await self.database.run(formation.set, app.id, entries)
        await self.database.run(
            builds.set_status,
            build.id,
            BuildStatus.SUCCEEDED,
            image_uuid=release.image_uuid,
            release_id=release.id,
        )
        return release


class Formation(InMemory):
    async def scale(
        self, app: App, changes: Sequence[FormationChange], user: str
    ) -> formation_rules.Formation:
        before = await self.database.run(formation.get, app.id)
        return await self.database.run(
            formation.set, app.id, formation_rules.apply(before, changes)
        )


class Dynos(InMemory):
    async def all(self, app: App) -> list[InstanceStatus]:
        release = await self.database.run(releases.current, app.id)
        entries = await self.database.run(formation.get, app.id)
        if release is None:
            return []
        return [
            self._status(app, release, entry.type, number, entry.package)
            for entry in entries
            for number in range(1, entry.quantity + 1)
        ]

    async def restart(self, app: App, *, type: str | None = None, name: str | None = None) -> None:
        await self._check(app, type, name)
        self.calls.append(("restart", app.name, type, name))

    async def stop(self, app: App, *, type: str | None = None, name: str | None = None) -> None:
        await self._check(app, type, name)
        self.calls.append(("stop", app.name, type, name))

    def _status(
        self, app: App, release: Release, type: str, number: int, package: str
    ) -> InstanceStatus:
        id = f"00000000-0000-4000-8000-{number:012}"
        instance = Instance(id, app.id, release.version, type, number, MOMENT)
        command = release.processes[type]
        return InstanceStatus(instance, InstanceState.UP, MOMENT, command, package)

    async def _check(self, app: App, type: str | None, name: str | None) -> None:
        for status in await self.all(app):
            if type in (None, status.instance.type) and name in (None, status.instance.name):
                return
        raise NotFound(f"There is no instance {name or type}.")


class Builds(InMemory):
    async def start(
        self, app: App, commit: str | None, user: str, *, from_nothing: bool = False
    ) -> Build:
        commit = commit or "1f2e3d4c" * 5
        self.calls.append(("rebuild", app.name, commit, from_nothing))
        return await self.database.run(builds.insert, app_id=app.id, commit=commit, user=user)

    async def start_archive(
        self, app: App, archive: Archive, user: str, *, from_nothing: bool = False
    ) -> Build:
        self.calls.append(("archive", app.name, archive.place, from_nothing))
        return await self.database.run(
            builds.insert, app_id=app.id, commit="", user=user, source=archive.source
        )

    async def deploys(self, app: App) -> list[Deploy]:
        found = await self.database.run(builds.pending, app.id)
        return [Deploy(build, place, place > 0) for place, build in enumerate(found)]

    async def cancel(self, app: App, build: Build, user: str) -> Build:
        build_rules.check_cancel(build)
        self.calls.append(("cancel", app.name, build.id))
        reason = f"cancelled by {user}"
        return await self.database.run(
            builds.set_status, build.id, BuildStatus.FAILED, failure=reason
        )

    async def output(self, build: Build) -> AsyncIterator[str]:
        yield "-----> Node.js app detected"
        yield f"       commit {build.commit}"


class Crons(InMemory):
    async def add(self, app: App, given: Given, user: str) -> Cron:
        return await self.database.run(crons.add, app.id, given, now())

    async def pause(self, app: App, name: str, paused: bool, user: str) -> Cron:
        cron = await self.database.run(crons.named, app.id, name)
        return await self.database.run(crons.set_paused, cron, paused, now())

    async def remove(self, app: App, name: str, user: str) -> Cron:
        cron = await self.database.run(crons.named, app.id, name)
        await self.database.run(crons.delete, cron.id)
        return cron

    async def start(self, app: App, name: str, user: str) -> Run:
        cron = await self.database.run(crons.named, app.id, name)
        run = Run(new_id(), app.id, 2, 1234, cron.command, "x", False, now(), now(), cron.type)
        missed = Result(new_id(), cron.id, now(), 3, "", Outcome.MISSED, "it was down")
        await self.database.run(crons.record, missed)
        return run


class Drains(InMemory):
    async def all(self, app: App) -> list[Drain]:
        return await self.database.run(drains.for_app, app.id)

    async def add(self, app: App, url: str, user: str) -> Drain:
        checked = drain_rules.check_url(url, private=False)
        return await self.database.run(drains.add, app.id, checked)

    async def remove(self, app: App, name: str, user: str) -> Drain:
        return await self.database.run(drains.remove, app.id, name)

    def status(self, drain: Drain) -> Status | None:
        return Status(10, 2, 1, "the receiver answers 503", 0)


class Domains(InMemory):
    async def add(self, app: App, hostname: str, certificate: str | None = None) -> Domain:
        name = domain_rules.normalise(hostname, self.settings.base_domains)
        domain = await self.database.run(domains.add, app.id, name)
        return await self.database.run(provided_certificates.assign, domain, certificate)

    async def serve_with(self, app: App, hostname: str, certificate: str | None) -> Domain:
        domain = await self.database.run(domains.named, app.id, domain_rules.typed(hostname))
        return await self.database.run(provided_certificates.assign, domain, certificate)

    async def remove(self, app: App, hostname: str) -> Domain:
        return await self.database.run(domains.remove, app.id, domain_rules.typed(hostname))


class Certificates(InMemory):
    async def add(self, app: App, chain: str, key: str) -> ProvidedCertificate:
        content = provided_certificate.read(chain, key, now())
        name = app_rules.random_name()
        return await self.database.run(provided_certificates.add, app.id, name, content)

    async def update(self, app: App, name: str, chain: str, key: str) -> ProvidedCertificate:
        content = provided_certificate.read(chain, key, now())
        return await self.database.run(provided_certificates.update, app.id, name, content)

    async def remove(self, app: App, name: str) -> ProvidedCertificate:
        return await self.database.run(provided_certificates.remove, app.id, name)


class Objects(InMemory):
    async def missing(self, app: App, ids: Sequence[str]) -> list[str]:
        return list(ids)


class Routing(InMemory):
    async def change(self, app: App, values: Mapping[str, Any], user: str) -> App:
        return await self.database.run(apps.change_routing, app.id, values)

    async def metrics(self) -> str:
        return "# TYPE router_workers gauge\nrouter_workers 2\n"


class Runs(InMemory):
    async def all(self, app: App) -> list[InstanceStatus]:
        return [self._status(app, call[2]) for call in self.calls if call[:2] == ("run", app.id)]

    async def start(
        self, app: App, wanted: Wanted, user: str, type: str = ""
    ) -> tuple[InstanceStatus, str | None]:
        self.calls.append(("run", app.id, wanted))
        return self._status(app, wanted), "A" * 43 if wanted.attached else None

    async def stop(self, app: App, name: str | None = None) -> None:
        if name not in (None, "run", "run.1234"):
            raise NotFound(f"There is no run {name}.")
        self.calls.append(("stop run", app.name, name))

    async def execute(
        self, app: App, name: str, command: str, user: str, *, size: tuple[int, int] | None,
        environment: dict[str, str],
    ) -> tuple[InstanceStatus, str]:  # fmt: skip
        self.calls.append(("execute", app.name, name, command, size, environment))
        return self._status(app, Wanted(command, True, "standard-512m")), "B" * 43

    async def forward(self, app: App, name: str, port: int) -> str:
        self.calls.append(("forward", app.name, name, port))
        return "C" * 43

    def _status(self, app: App, wanted: Wanted) -> InstanceStatus:
        instance = Instance("00000000-0000-4000-8000-000000001234", app.id, 2, "run", 1234, MOMENT)
        return InstanceStatus(instance, InstanceState.UP, MOMENT, wanted.command, wanted.package)


@dataclass
class Sources(InMemory):
    folder: Path

    def reserve(self) -> str:
        return new_id()

    async def keep(self, id: str, content: AsyncIterator[bytes]) -> None:
        (self.folder / id).write_bytes(b"".join([part async for part in content]))

    def path(self, id: str) -> Path:
        return self.folder / id


@dataclass
class Logs:
    """Lines that were put in, and with `tail` those that `follow` is fed with."""

    kept: list[str] = field(default_factory=list)
    follow: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    asked: list[dict[str, Any]] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(
        self,
        app: App,
        *,
        lines: int,
        only: Filter,
        tail: bool = False,
    ) -> AsyncIterator[str]:
        asked = {"lines": lines, "source": only.source, "dyno": only.process, "tail": tail}
        self.asked.append(asked | ({"only": only} if only.since_ns or only.level else {}))
        try:
            for line in self.kept[-lines:]:
                yield line
            while tail:
                yield await self.follow.get()
        finally:
            self.closed.set()


@dataclass(frozen=True)
class InMemoryPlatform:
    """The same nouns as `paas.operations.served`; each of them writes down its calls."""

    settings: Settings
    database: Database
    calls: list[tuple[Any, ...]]
    apps: Apps
    buildpacks: Buildpacks
    builds: Builds
    certificates: Certificates
    crons: Crons
    domains: Domains
    drains: Drains
    dynos: Dynos
    formation: Formation
    git_connections: GitConnections
    logs: Logs
    objects: Objects
    pipelines: Pipelines
    releases: Releases
    routing: Routing
    runs: Runs
    sources: Sources


class OwnerConnection:
    """What control does for connections on its own socket."""

    def __init__(self, app: Starlette) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "smartplatform.owner": True}, receive, send)


@dataclass(frozen=True)
class Api:
    """One platform and its clients: the owner, somebody without a token, and those with one."""

    platform: InMemoryPlatform
    app: Starlette
    owner: httpx.AsyncClient
    stranger: httpx.AsyncClient

    async def token(self) -> str:
        _, secret = await self.platform.database.run(
            tokens.create, description="test", user="owner@localhost"
        )
        return secret

    async def deployed(self, name: str = "hello") -> App:
        app = await self.platform.apps.create(name, "owner@localhost")
        processes = {"web": "node server.js", "worker": "node worker.js"}
        await self.platform.releases.deploy(app, processes, "owner@localhost")
        return app

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """The API on a real port of the loopback; the URL."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            config = uvicorn.Config(self.app, lifespan="off", log_level="warning", access_log=False)
            server = uvicorn.Server(config)
            task = asyncio.create_task(server.serve(sockets=[listener]))
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                server.should_exit = server.force_exit = True
                await task


def _client(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"Accept": "application/vnd.heroku+json; version=3", "User-Agent": "tests"}
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8081", headers=headers)


def memory_platform(folder: Path) -> InMemoryPlatform:
    settings = Here(installation="test-api", folder=folder)
    database = Database.open(f"sqlite:///{folder / 'platform.db'}")
    calls: list[tuple[Any, ...]] = []
    parts = (settings, database, calls)
    return InMemoryPlatform(
        *parts,
        apps=Apps(*parts),
        buildpacks=Buildpacks(*parts),
        builds=Builds(*parts),
        certificates=Certificates(*parts),
        crons=Crons(*parts),
        domains=Domains(*parts),
        drains=Drains(*parts),
        dynos=Dynos(*parts),
        formation=Formation(*parts),
        git_connections=GitConnections(*parts),
        logs=Logs(),
        objects=Objects(*parts),
        pipelines=Pipelines(*parts),
        releases=Releases(*parts),
        routing=Routing(*parts),
        runs=Runs(*parts),
        sources=Sources(*parts, folder),
    )


STORY_TIMEOUT_S = 150

Story = Callable[[Api], Coroutine[Any, Any, None]]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[Story], None]:
    """Runs one story against a new platform."""

    async def whole(story: Story) -> None:
        platform = memory_platform(tmp_path)
        app = application(platform)
        try:
            async with _client(OwnerConnection(app)) as owner, _client(app) as stranger:
                api = Api(platform, app, owner, stranger)
                await asyncio.wait_for(story(api), STORY_TIMEOUT_S)
        finally:
            platform.database.close()

    return lambda story: asyncio.run(whole(story))
