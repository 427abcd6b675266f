"""The plan of an app that other people's buildpacks alone build: nothing of ours is run."""

import hashlib

from buildpacks.nodejs.processes import procfile, start
from buildpacks.plan import ManagerVersion, Plan, Process, Runtime, Step
from buildpacks.tree import Tree

_NOTHING = Step("nothing", "", skip="other buildpacks build the app")
_KEY = hashlib.sha256(b"classic").hexdigest()


def plan(tree: Tree, runtime: Runtime, folder: str = "") -> Plan:
    """`runtime` is mounted, whether or not anything of the app is Node.js's; `tree` is what is in
    `folder` of the repository. Raises Refused for a Procfile that can't be read."""
    written = procfile.read(tree) or {}
    processes = {type_: process(type_, text, "Procfile") for type_, text in written.items()}
    return Plan(
        manager=ManagerVersion("npm"),
        runtime=runtime,
        prebuild=_NOTHING,
        install=_NOTHING,
        build=_NOTHING,
        prune=_NOTHING,
        cleanup=_NOTHING,
        processes=processes,
        notices=(),
        dependencies_key=_KEY,
        environment={},
        caches=(),
        installs_afresh=False,
        updates=False,
        repeats_scripts=False,
        probe=(),
        has_dependencies=False,
        folder=folder,
    )


def process(type_: str, command: str, source: str) -> Process:
    return Process(type_, command, start.argv(command, {}), source)
