"""Says to the developer why a deploy failed: the app's own last words, the message, what to do."""

import asyncio
from collections.abc import Collection, Sequence
from pathlib import Path

from buildpacks import output, said
from buildpacks.findings import Failure
from paas.apps.processes import PORT
from paas.builder import BuildFailed
from paas.builder.source import CommitTree
from paas.errors import UserError
from paas.provisioner.boot import StartFailed
from paas.runs.output import last_output
from paas.settings import Settings


async def explain(
    settings: Settings, error: UserError, commit: str = "", config: Collection[str] = ()
) -> str:
    """Lines for the terminal. A failed start brings the instance's last output with it.

    `commit` is what was deployed, `config` the names of the app's config vars.
    """
    if isinstance(error, StartFailed):
        return await _explain_start(settings, error, commit, config)
    if isinstance(error, BuildFailed) and len(error.failures) > 1:
        return _all(error.failures)
    return _problem(error.message, error.hint)


def _all(failures: Sequence[Failure]) -> str:
    said = [
        _problem(f"{number}. {failure.message}", failure.hint)
        for number, failure in enumerate(failures, start=1)
    ]
    blank = output.problem("")
    return output.problem(f"{len(failures)} things have to be changed:") + blank + blank.join(said)


def _problem(message: str, hint: str) -> str:
    return output.problem(message) + (output.problem(hint) if hint else "")


async def _explain_start(
    settings: Settings, error: StartFailed, commit: str, config: Collection[str]
) -> str:
    instance = error.instance
    tail = await last_output(settings, instance.app_id, instance.machine_uuid, instance.name)
    said = output.step(f"Last output of {error.instance.name}") + output.detail(tail or "(none)")
    problem = output.detail("") + output.problem(f"{error.message}.")
    if error.is_known:
        return said + problem + output.problem(f"{error.hint}.")
    repository = settings.repository(instance.app_id)
    found = await asyncio.to_thread(_cause, repository, commit, config, error.status, tail)
    return said + problem + output.problem(found.message) + output.problem(found.hint or error.hint)


def _cause(
    repository: Path, commit: str, config: Collection[str], status: int | None, tail: str
) -> Failure:
    tree = CommitTree(repository, commit) if commit else None
    manager = said.manager_of(tree) if tree else "npm"
    return said.classify(
        "start", status, tail, manager=manager, port=PORT, tree=tree, config=config
    )
