"""An app of a test's: its repository, its builds on a node of the tests' own, its instances."""

import asyncio
import json
import uuid
from collections.abc import Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from buildpacks import nodejs
from paas import builder
from paas.apps import build_limits, buildpacks
from paas.builder import Built, rehearsal, zone
from paas.node import words
from paas.platform.timeline import Timeline, render
from tests.paas.builder.repositories import Repository
from tests.paas.node.conftest import RunningNode, get, get_over_tcp


class App:
    """An app of the test's: its repository, and what its builds print."""

    def __init__(self, node: RunningNode, folder: Path, sample: str | None = None) -> None:
        self.node = node
        self.id = str(uuid.uuid4())
        self.account = f"{self.id}@localhost"
        self.repository = Repository(folder, sample)
        self.built: Built | None = None
        self.trunk: str | None = None
        self.root = ""
        self.buildpacks: tuple[str, ...] = ()
        self.output = ""
        self.settings = node.settings
        self.limits = build_limits.of_platform(node.settings)

    async def write(self, text: str) -> None:
        self.output += text

    async def keep(self, image_uuid: str, commit: str, lock_key: str) -> None:
        self.trunk = image_uuid

    async def build(
        self, config: Mapping[str, str] | None = None, *, from_nothing: bool = False
    ) -> Built:
        self.output, timeline = "", Timeline()
        try:
            work = builder.Work(
                settings=self.settings,
                node=self.node.client,
                account=self.account,
                app_id=self.id,
                app_name="sample",
                build_id=str(uuid.uuid4()),
                repository=self.repository.path,
                commit=self.repository.commit(),
                config=config or {},
                limits=self.limits,
                trunk=self.trunk,
                from_nothing=from_nothing,
                keep=self.keep,
                write=self.write,
                timeline=timeline,
                last_image=self.built.image_uuid if self.built else None,
                root=self.root,
                buildpacks=buildpacks.of(self.buildpacks, {}, plain_http=True),
            )
            self.built = await builder.build(work)
        finally:
            print(self.output, render(timeline), sep="")
        self.ms = {step.name: step.duration_ms for step in timeline.steps}
        return self.built

    @asynccontextmanager
    async def instance(self, type: str = "web") -> Any:
        """A machine that runs a process type of the last build."""
        assert self.built is not None
        command = self.built.commands[type]
        environment = {"PATH": nodejs.path(command["folder"]), **command["environment"]}
        variables = [f"{name}={value}" for name, value in environment.items()]
        payload = await self.node.payload(
            command["argv"],
            image_uuid=self.built.image_uuid,
            metadata={
                "docker:workdir": zone.at(command["folder"]),
                "docker:env": json.dumps(variables),
                "smartplatform:stack": self.built.stack_uuid,
                **dict.fromkeys(words.RUNTIMES.values()),
                **{words.RUNTIMES[place]: uuid for place, uuid in command["runtimes"].items()},
            },
        )
        try:
            await self.node.client.create(payload)
            yield payload["uuid"]
        finally:
            await self.node.client.delete(payload["uuid"])

    async def get(self, path: str = "/") -> str:
        async with self.instance() as machine:
            vm = await self.node.until(machine, lambda vm: vm["listening"] is not None)
            if vm["listening"] == "unix":
                return await asyncio.to_thread(get, self.node.socket(machine), path)
            return await asyncio.to_thread(get_over_tcp, vm["nics"][0]["ip"], path)

    async def files(self, path: str = "/app") -> list[str]:
        """Names of what is in the image, below a folder."""
        async with self.instance() as machine:
            code, said = await self.node.output(machine, "find", path, "-mindepth", "1")
            assert code == 0, said
            return said.splitlines()

    async def left(self) -> list[str]:
        """What builds left in the image beside the app, but for V8's compile cache."""
        names = await self.files("/var/tmp")
        return [name for name in names if not name.startswith(rehearsal.FOLDER)]

    async def text(self, path: str) -> str:
        """A file of the image, by its path below /app."""
        async with self.instance() as machine:
            code, said = await self.node.output(machine, "cat", f"/app/{path}")
            assert code == 0, said
            return said
