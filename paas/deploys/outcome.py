"""How an attempt ends: whatever goes wrong is recorded with its build and told to the developer."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from buildpacks import output
from paas import logs
from paas.apps import roots
from paas.apps.apps import App
from paas.apps.builds import Build, BuildStatus
from paas.apps.releases import ReleaseStatus
from paas.builder import BuildFailed
from paas.deploys.attempt import Attempt
from paas.deploys.explain import Deployed, explain
from paas.errors import NotFound, UserError
from paas.platform.platform import Platform
from paas.store import builds, releases

DESTROYED = "the app was destroyed meanwhile"
CANCELLED = "cancelled"
FAULT = "the platform failed"
log = logging.getLogger(__name__)


class Refused(Exception):
    """It was its turn, and it may not begin: the reason, for the ref."""


@dataclass
class Outcome:
    refusal: str | None = None
    """Why the ref may not follow, in one line."""


@contextlib.asynccontextmanager
async def recorded(platform: Platform, attempt: Attempt) -> AsyncIterator[Outcome]:
    """Around the whole story. A failure ends here; being cancelled goes on to who cancelled."""
    outcome = Outcome()
    try:
        yield outcome
    except asyncio.CancelledError:
        await cancelled(platform, attempt)
        raise
    except Refused as refusal:
        outcome.refusal = str(refusal)
        await _fail(platform, attempt.build, outcome.refusal)
    except UserError as error:
        await _fail(platform, attempt.build, error.message)
        await attempt.transcript.write(await _explained(platform, attempt, error))
        outcome.refusal = f"{'build' if isinstance(error, BuildFailed) else 'deploy'} failed"
    except Exception as error:
        log.exception("the deploy of %s to %s", attempt.build.commit, attempt.app.name)
        await _fail(platform, attempt.build, FAULT)
        await attempt.transcript.write(_said_of_fault(error))
        outcome.refusal = FAULT
    finally:
        attempt.transcript.close()
        platform.untidy.set()


def why_cancelled(platform: Platform, app: App, task: "asyncio.Task[Any] | None") -> str:
    """`task` is the one that was cancelled."""
    if platform.deploying.is_stopped(app.id):
        return DESTROYED
    return platform.deploying.reason(task) or CANCELLED


async def cancelled(platform: Platform, attempt: Attempt, *, has_begun: bool = True) -> None:
    """Record and say that the running task's attempt was cancelled; one that only waited has no
    release, and what is pending is another's."""
    reason = why_cancelled(platform, attempt.app, asyncio.current_task())
    with contextlib.suppress(NotFound):  # the app may be gone with all of its builds
        await asyncio.shield(_fail(platform, attempt.build, reason, has_begun=has_begun))
    if reason is DESTROYED:
        await attempt.transcript.write(output.problem(f"Cancelled: {DESTROYED}."))
    elif reason is not CANCELLED:
        # Whoever pressed Ctrl-C knows, and has gone.
        said = f"{reason[0].upper()}{reason[1:]}; what ran before runs on."
        await attempt.transcript.write(output.problem(said))


async def _explained(platform: Platform, attempt: Attempt, error: UserError) -> str:
    current = await platform.database.run(releases.current, attempt.app.id)
    config = current.config if current else dict[str, str]()
    deployed = Deployed(
        repository=platform.settings.repository(attempt.app.id),
        commit=attempt.build.commit,
        folder=roots.of(attempt.app.root, config),
        config=frozenset(config),
    )
    return await explain(platform.settings, error, deployed)


def _said_of_fault(error: Exception) -> str:
    hint = "Push again; if it stays so, the operator finds why in: paas doctor"
    return output.problem(f"The platform failed: {error}") + output.problem(hint)


async def _fail(platform: Platform, build: Build, reason: str, *, has_begun: bool = True) -> None:
    record = _record_failure if has_begun else _record_failed_build
    await platform.database.run(record, build, reason)
    text = f"Deploy {build.name} by user {build.user} failed: {reason}"
    logs.note(platform.settings, build.app_id, text)


def _record_failed_build(connection: Connection, build: Build, reason: str) -> None:
    builds.set_status(connection, build.id, BuildStatus.FAILED, failure=reason)


def _record_failure(connection: Connection, build: Build, reason: str) -> None:
    """The app's lock is held, so a release of it that is still pending is this build's."""
    _record_failed_build(connection, build, reason)
    for release in releases.pending(connection):
        if release.app_id == build.app_id:
            status = ReleaseStatus.FAILED
            releases.set_status(connection, release.id, status, failure=reason)
