"""A deploy of what was pushed elsewhere: a git host has told of it, and is asked for its branch.

What the host told is only that there is something: the branch as it is now counts, so that replays
and late news change nothing. It is recorded first (`rung`), and dealt with (`seen`) when it has
ended and the host knows: who is killed in between, does it again at the next start.
"""

import asyncio
import logging
import threading
from dataclasses import dataclass
from functools import partial

from buildpacks import output
from gitserver import GitServer, JobDied, JobFailed, RefUpdate, RemoteFault, trees
from paas import logs
from paas.apps import address, branches, commit_statuses
from paas.apps.apps import App
from paas.apps.commit_statuses import State
from paas.apps.git_connections import GitConnection, Outcome
from paas.deploys import git_host
from paas.deploys.attempt import Attempt, begin
from paas.deploys.deploy import deploy
from paas.deploys.git_host import Unreachable
from paas.deploys.rebuild import keep_only
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.settings import Settings
from paas.store import apps, builds, git_connections, releases
from paas.system import outgoing
from paas.system.plaintext import plain

PAUSES_S = (0.0, 5.0, 30.0)
"""Before each try to reach the host."""
_FETCHED = ".fetched"
log = logging.getLogger(__name__)


def start(platform: Platform, git_server: GitServer, app_id: str) -> None:
    """In the app's turn. More than one of them are as good as one."""
    task = asyncio.create_task(_deal(platform, git_server, app_id), name=f"git of {app_id}")
    platform.deploying.add(app_id, task)
    platform.background.adopt(task)


async def resume(platform: Platform, git_server: GitServer) -> None:
    """At the start of control, when nothing is fetched: what was told, and not dealt with."""
    await asyncio.to_thread(_forget_parts, platform.settings)
    for connection in await platform.database.run(git_connections.due):
        start(platform, git_server, connection.app_id)


def _forget_parts(settings: Settings) -> None:
    for path in settings.sources.glob(f"*{_FETCHED}"):
        path.unlink(missing_ok=True)


async def _deal(platform: Platform, git_server: GitServer, app_id: str) -> None:
    why, first = "", await platform.database.run(git_connections.of_app, app_id)
    for pause_s in PAUSES_S:
        await asyncio.sleep(pause_s)
        try:
            async with platform.locks[app_id]:
                await _deal_in_turn(platform, git_server, app_id)
                return
        except Unreachable as unreachable:
            why = str(unreachable)
    if first is not None:
        # What was told meanwhile is another's matter.
        await platform.database.run(git_connections.deal, first, first.commit, first.outcome)
        text = f"A push to {first.url} was told, but it can't be reached: {plain(why)}"
        logs.note(platform.settings, app_id, text)


async def _deal_in_turn(platform: Platform, git_server: GitServer, app_id: str) -> None:
    run = platform.database.run
    app = await run(apps.by_id, app_id)
    connection = await run(git_connections.of_app, app_id)
    if app is None or connection is None or connection.rung <= connection.seen:
        return
    tip = await asyncio.to_thread(git_host.tip, platform.settings, connection)
    commit = tip.commit
    current = await run(releases.current, app_id)
    if commit is None:
        text = f"{connection.url} has no branch {connection.branch}: nothing is deployed"
        logs.note(platform.settings, app_id, text)
        outcome, commit = connection.outcome, connection.commit
    elif commit == connection.commit and connection.outcome is not Outcome.NONE:
        outcome = connection.outcome
    elif current and current.commit == commit and connection.outcome is not Outcome.ASKED:
        outcome = Outcome.SUCCEEDED
        await _report(platform, app, connection, commit, State.SUCCESS, f"Released {current.name}")
    else:
        outcome = await _deploy(platform, git_server, _Tip(app, connection, tip))
    await run(git_connections.deal, connection, commit, outcome)


@dataclass(frozen=True)
class _Tip:
    """What is deployed, of what."""

    app: App
    connection: GitConnection
    tip: git_host.Tip

    @property
    def commit(self) -> str:
        assert self.tip.commit is not None
        return self.tip.commit


async def _deploy(platform: Platform, git_server: GitServer, found: _Tip) -> Outcome:
    app, connection, commit = found.app, found.connection, found.commit
    ref = branches.deployed(app.deploy_branch)[0]
    old = await asyncio.to_thread(trees.resolve, platform.settings.repository(app.id), ref)
    update = RefUpdate(ref, old, commit)
    attempt = await begin(platform, app, commit, connection.user, keep_only, ref=update)
    reporting = asyncio.create_task(
        _report(platform, app, connection, commit, State.PENDING, "The build is under way")
    )
    try:
        refusal = await _deploy_now(platform, git_server, found, attempt)
        await reporting
    finally:
        reporting.cancel()
    build = await platform.database.run(builds.by_id, attempt.build.id)
    if refusal is None:
        release = await platform.database.run(releases.current, app.id)
        said = f"Released {release.name}" if release else "Released"
        await _report(platform, app, connection, commit, State.SUCCESS, said)
        return Outcome.SUCCEEDED
    said = f"{build.failure or refusal}. See: paas builds:output {build.id[:8]} -a {app.name}"
    await _report(platform, app, connection, commit, State.FAILURE, said)
    return Outcome.FAILED


async def _deploy_now(
    platform: Platform, git_server: GitServer, found: _Tip, attempt: Attempt
) -> str | None:
    """None, or why there is no release. A build that somebody cancels is dealt with as well."""
    task = asyncio.current_task()
    assert task is not None
    turn = platform.deploying.enter(found.app.id, attempt.build.id, task)
    turn.waits = False
    try:
        return await deploy(platform, attempt, partial(_fetch, platform, git_server, found))
    except asyncio.CancelledError:
        reason = platform.deploying.reason(task)
        if reason is None:
            raise
        task.uncancel()
        return reason
    finally:
        platform.deploying.leave(turn)


async def _fetch(
    platform: Platform, git_server: GitServer, found: _Tip, attempt: Attempt
) -> Attempt:
    """The commit and its files are in the repository afterwards. Raises UserError."""
    connection, settings = found.connection, platform.settings
    said = f"Fetching {plain(connection.branch)} of {plain(connection.url)}: {found.commit[:8]}"
    await attempt.transcript.write(output.step(said))
    path, stop = settings.sources / f"{attempt.build.id}{_FETCHED}", threading.Event()
    try:
        async with attempt.timeline.step("fetch"):
            await asyncio.to_thread(git_host.fetch, settings, connection, found.tip, path, stop)
            repository = settings.repository(found.app.id)
            await git_server.store_fetched(repository, path, found.commit)
    except (Unreachable, RemoteFault) as fault:
        hint = "Push again there, or: paas git:deploy"
        raise UserError("fetch_failed", f"The commit can't be fetched: {fault}.", hint) from fault
    except JobFailed as failure:
        hint = "Does `git fsck` there find the repository whole?"
        raise UserError("fetch_failed", f"The commit is refused: {failure}.", hint) from failure
    except JobDied as death:
        message = "The commit takes too much time or memory to read."
        raise UserError(
            "fetch_failed", message, "Are there files that need not be there?"
        ) from death
    finally:
        stop.set()
        path.unlink(missing_ok=True)
    return attempt


async def _report(
    platform: Platform,
    app: App,
    connection: GitConnection,
    commit: str,
    state: State,
    said: str,
) -> None:
    """To the host, where we have a token. What it thinks of that stops nothing."""
    if not connection.token:
        return
    target = address.web_url(app.name, platform.settings)
    report = commit_statuses.report(connection, commit, state, app.name, target, said)
    try:
        await asyncio.to_thread(git_host.tell, platform.settings, report)
    except outgoing.Refused as refused:
        text = (
            f"The status of {commit[:8]} was not taken by {connection.url}: {plain(str(refused))}"
        )
        logs.note(platform.settings, app.id, text)
