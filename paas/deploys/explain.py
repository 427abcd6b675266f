"""Says to the developer why a deploy failed: the app's own last words, the message, what to do."""

from collections.abc import Sequence

from buildpacks import output
from buildpacks.findings import Failure
from buildpacks.nodejs.failures import classify
from paas.apps.processes import PORT
from paas.builder import BuildFailed
from paas.errors import UserError
from paas.provisioner.boot import StartFailed
from paas.runs.output import last_output
from paas.settings import Settings


async def explain(settings: Settings, error: UserError) -> str:
    """Lines for the terminal. A failed start brings the instance's last output with it."""
    if isinstance(error, StartFailed):
        return await _explain_start(settings, error)
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


async def _explain_start(settings: Settings, error: StartFailed) -> str:
    instance = error.instance
    tail = await last_output(settings, instance.app_id, instance.machine_uuid, instance.name)
    said = output.step(f"Last output of {error.instance.name}") + output.detail(tail or "(none)")
    problem = output.detail("") + output.problem(f"{error.message}.")
    if error.is_known:
        return said + problem + output.problem(f"{error.hint}.")
    found = classify("start", error.status, tail, port=PORT)
    return said + problem + output.problem(found.message) + output.problem(found.hint or error.hint)
