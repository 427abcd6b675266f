"""Says to the developer why a deploy failed: the app's own last words, the message, what to do."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from buildpacks import output, said
from buildpacks.findings import Failure
from paas.apps.processes import PORT
from paas.builder import BuildFailed
from paas.builder.source import CommitTree
from paas.errors import UserError
from paas.provisioner.boot import NOT_RUN, StartFailed
from paas.runs.output import last_output
from paas.runs.release_command import ReleaseCommandFailed
from paas.settings import Settings

_HOW_IT_ENDED = ("crashed_at_start", "exited_at_start")
"""What is said where the output tells nothing."""


@dataclass(frozen=True)
class Deployed:
    """What was deployed: the commit in a repository, the app's folder in it, and the names of its
    config vars."""

    repository: Path
    commit: str
    folder: str
    config: Collection[str]


async def explain(settings: Settings, error: UserError, deployed: Deployed | None = None) -> str:
    """Lines for the terminal. A failed start brings the instance's last output with it."""
    if isinstance(error, StartFailed):
        return await _explain_start(settings, error, deployed)
    if isinstance(error, ReleaseCommandFailed) and error.said:
        return await _explain_release(error, deployed)
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


async def _explain_start(settings: Settings, error: StartFailed, deployed: Deployed | None) -> str:
    instance = error.instance
    tail = await last_output(settings, instance.app_id, instance.machine_uuid, instance.name)
    said = output.step(f"Last output of {error.instance.name}") + output.detail(tail or "(none)")
    problem = output.detail("") + output.problem(f"{error.message}.")
    if error.is_known:
        return said + problem + output.problem(f"{error.hint}.")
    # What can't be run at all has written nothing: the node says why.
    heard = f"{tail}\n{error.message}" if error.status == NOT_RUN else tail
    found = await asyncio.to_thread(_cause, deployed, error.status, heard)
    return said + problem + output.problem(found.message) + output.problem(found.hint or error.hint)


async def _explain_release(error: ReleaseCommandFailed, deployed: Deployed | None) -> str:
    """It is a process of the app's like any other: only that it ends by itself is no fault."""
    found = await asyncio.to_thread(_cause, deployed, error.status, error.said)
    if found.id in _HOW_IT_ENDED:
        return _problem(error.message, error.hint)
    return output.problem(error.message) + _problem(found.message, found.hint)


def _cause(deployed: Deployed | None, status: int | None, tail: str) -> Failure:
    if deployed is None:
        return said.classify("start", status, tail, port=PORT)
    tree = CommitTree(deployed.repository, deployed.commit)
    return said.classify(
        "start",
        status,
        tail,
        manager=said.manager_of(tree, deployed.folder),
        port=PORT,
        tree=tree,
        folder=deployed.folder,
        config=deployed.config,
    )
