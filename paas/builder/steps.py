"""Runs a step of a plan in the build zone, with its output on the developer's terminal."""

import asyncio
from collections import deque

from buildpacks import nodejs, output, said
from buildpacks.findings import Failure
from buildpacks.plan import Step
from paas.builder import shortage, zone
from paas.builder.nodejs import npmrc
from paas.builder.nodejs.tools import TOOLS
from paas.builder.source import CommitTree
from paas.builder.work import BuildFailed, Building
from paas.node.errors import NodeError

_HOME_BESIDE = "/tmp/home"
_BESIDE = (
    *("sh", "-c"),
    'mkdir -p "$HOME" /app/.cache && ln -sfn /app/.cache "$HOME/.cache" && exec "$@"',
    "sh",
)
"""What programs keep for the running app (a browser, say) is in the app's folder all the same."""


async def run(building: Building, step: Step, name: str) -> None:
    """Run a step to its end, as `name` of the timeline; what is skipped is only said.

    Raises BuildFailed.
    """
    work = building.work
    if not step.command:
        if step.name in ("install", "prune"):
            await work.write(output.step(f"{step.title}: skipped, {step.skip}"))
        return
    await work.write(output.step(step.title))
    shown = _Shown(building)
    async with work.timeline.step(name):
        result = await _run(building, step, shown)
    if result.code:
        tail = "\n".join(shown.lines)
        raise BuildFailed(await _failure(building, step, result.code, tail), tail)
    for notice in said.noticed(step.name, shown.lines, building.start.plan.manager.name):
        await work.write(output.detail(f"Note: {notice.message}") + output.detail(notice.hint))


class _Shown:
    """The step's output on its way to the developer: without secrets, and without what the package
    manager says for nothing. `lines` are the last of it.
    """

    def __init__(self, building: Building) -> None:
        self.lines: deque[str] = deque(maxlen=zone.TAIL_LINES)
        self._write = building.work.write
        self._secrets = npmrc.secrets(building.work.settings)
        self._is_shown = said.shown(building.start.plan.manager.name)

    async def write(self, line: str) -> None:
        for secret in self._secrets:
            line = line.replace(secret, "[hidden]")
        if self._is_shown(line) and (self.lines or line.strip()):
            self.lines.append(line)
            await self._write(output.detail(line))


async def _run(building: Building, step: Step, shown: _Shown) -> zone.Result:
    limits = building.work.limits
    try:
        async with asyncio.timeout(limits.time_s):
            return await building.machine.run(
                (*_BESIDE, *step.command) if step.leaves_home else step.command,
                environment=environment(building, step),
                write_line=shown.write,
                end_rest=True,
                working_directory=zone.at(step.folder),
            )
    except TimeoutError:
        raise BuildFailed(shortage.of_time(step.name, limits)) from None
    except NodeError as error:
        if error.code != "StartFailed":
            raise
        raise BuildFailed(shortage.of_processes(step.name)) from error


async def _failure(building: Building, step: Step, code: int, tail: str) -> Failure:
    work, manager = building.work, building.start.plan.manager
    tree = await asyncio.to_thread(CommitTree, work.repository, work.commit, building.start.large)
    failure = await asyncio.to_thread(
        said.classify,
        step.name,
        code,
        tail,
        manager=manager.name,
        tree=tree,
        folder=work.root,
        config=frozenset(work.config),
    )
    killed = (await work.node.get(building.machine.uuid)).get("oom_kills")
    if killed or failure.id in shortage.OF_MEMORY:
        return shortage.of_memory(failure.id, step.name, work.limits, counted=bool(killed))
    return failure


def environment(building: Building, step: Step) -> dict[str, str]:
    """Config vars go over the plan's variables; what the platform needs goes over both."""
    work, plan = building.work, building.start.plan
    variables: dict[str, str | None] = {
        **plan.environment,
        **work.config,
        **building.told,
        **step.environment,
        "PATH": building.told.get("PATH", nodejs.path(plan.folder)),
        "HOME": _HOME_BESIDE if step.leaves_home else "/app",
        **TOOLS[plan.manager.name].variables(work.settings),
        "SOURCE_VERSION": work.source_version,
    }
    # The node's own default for a machine of this size would be lost under a config var.
    heap = f"--max-old-space-size={shortage.heap_mib(work.limits)}"
    variables["NODE_OPTIONS"] = f"{heap} {variables.get('NODE_OPTIONS') or ''}".rstrip()
    return {name: value for name, value in variables.items() if value is not None}
