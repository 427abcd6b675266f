"""Runs a step of a plan in the build zone, with its output on the developer's terminal."""

import asyncio
from collections import deque

from buildpacks import output
from buildpacks.nodejs import Plan, Step, WithoutUsage, classify
from paas.builder import checkout, shortage, zone
from paas.builder.nodejs import asked_npm, npm
from paas.builder.work import NPM_CACHE, BuildFailed, Work
from paas.node.errors import NodeError

_PLATFORM = {
    "PATH": f"/app/node_modules/.bin:{asked_npm.PATH}:/opt/node/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": "/app",
    "npm_config_cache": NPM_CACHE,
    "npm_package_config_node_gyp_nodedir": "/opt/node",
    "npm_config_userconfig": checkout.NPMRC,
}


async def run(work: Work, machine: zone.Zone, made: Plan, step: Step, timeline_name: str) -> None:
    """Run a step to its end; what is skipped is only said. Raises BuildFailed."""
    if not step.command:
        if step.name in ("install", "prune"):
            await work.write(output.step(f"{step.title}: skipped, {step.skip}"))
        return
    await work.write(output.step(step.title))

    shown: deque[str] = deque(maxlen=zone.TAIL_LINES)
    filtered = WithoutUsage()

    secrets = npm.credentials(work.settings)

    async def write_line(line: str) -> None:
        for secret in secrets:
            line = line.replace(secret, "[hidden]")
        if filtered.shows(line) and (shown or line.strip()):
            shown.append(line)
            await work.write(output.detail(line))

    async with work.timeline.step(timeline_name):
        running = machine.run(
            step.command,
            environment=_environment(work, made, step),
            write_line=write_line,
            end_rest=True,
        )
        try:
            async with asyncio.timeout(work.limits.time_s):
                result = await running
        except TimeoutError:
            raise BuildFailed(shortage.of_time(step.name, work.limits)) from None
        except NodeError as error:
            if error.code != "StartFailed":
                raise
            raise BuildFailed(shortage.of_processes(step.name)) from error
    if result.code:
        tail = "\n".join(shown)
        failure = classify(step.name, result.code, tail)
        killed = (await work.node.get(machine.uuid)).get("oom_kills")
        if killed or failure.id in shortage.OF_MEMORY:
            failure = shortage.of_memory(failure.id, step.name, work.limits, counted=bool(killed))
        raise BuildFailed(failure, tail)


def _environment(work: Work, made: Plan, step: Step) -> dict[str, str]:
    """Config vars go over the plan's variables; what the platform needs goes over both."""
    variables: dict[str, str | None] = {
        **made.environment,
        **work.config,
        **step.environment,
        **_PLATFORM,
        "SOURCE_VERSION": work.commit,
    }
    # The node's own default for a machine of this size would be lost under a config var.
    heap = f"--max-old-space-size={shortage.heap_mib(work.limits)}"
    variables["NODE_OPTIONS"] = f"{heap} {variables.get('NODE_OPTIONS') or ''}".rstrip()
    return {name: value for name, value in variables.items() if value is not None}
