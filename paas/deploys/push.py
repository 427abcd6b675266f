"""What a push changes: the deployed branch is deployed, other branches and tags are stored."""

import asyncio
import dataclasses
import time
from collections.abc import Mapping, Sequence
from functools import partial

import gitserver
from buildpacks import output
from gitserver import trees
from paas.apps import branches
from paas.apps.apps import App
from paas.deploys import options as push_options
from paas.deploys.attempt import Attempt, begin
from paas.deploys.deploy import deploy
from paas.deploys.options import Options
from paas.deploys.outcome import DESTROYED, Refused, why_cancelled
from paas.deploys.rebuild import keep_only, start
from paas.deploys.turns import WAITING, in_turn
from paas.platform.platform import Platform
from paas.store import apps
from paas.system.plaintext import harmless

ALL_OR_NOTHING = "atomic push failed"
MOVED = "the branch was pushed to meanwhile; fetch it and push again"
NAMED_MAX = 10
"""Branches and tags that are named: a push may bring thousands."""

Answers = dict[str, str | None]


async def receive(platform: Platform, push: gitserver.Push) -> Mapping[str, str | None]:
    """What gitserver asks: which refs may change."""
    app = await platform.database.run(apps.by_id, push.path.stem)
    if app is None:
        return {update.name: DESTROYED for update in push.updates}
    # Its author's names may be in whatever is said of it.
    push = dataclasses.replace(push, progress=harmless(push.progress))
    options = push_options.parse(push.push_options)
    if options.unknown:
        await push.progress(push_options.say_known())
        return {u.name: f"no push option {options.unknown[0]!r}" for u in push.updates}
    await push.progress(push_options.say_ignored(options))
    deployed, answers = _sort(push, branches.deployed(app.deploy_branch))
    if push.atomic and any(answers.values()):
        # Before anything is deployed: what was released can't be taken back with the refs.
        return {name: reason or ALL_OR_NOTHING for name, reason in answers.items()}
    if deployed is None:
        stored = [update for update in push.updates if answers[update.name] is None]
        await push.progress(_stored_only(app, stored))
        return answers
    if options.detaches and not options.skips:
        answers[deployed.name] = await _detach(platform, app, push, deployed, options)
        return answers
    answers[deployed.name] = await _deploy_while_watched(platform, app, push, deployed, options)
    return answers


async def _detach(
    platform: Platform,
    app: App,
    push: gitserver.Push,
    update: gitserver.RefUpdate,
    options: Options,
) -> str | None:
    """The ref moves now and the build goes on; what it says is kept for `paas builds:output`."""
    if platform.deploying.is_stopped(app.id):
        return DESTROYED
    assert update.new is not None
    reason = await asyncio.to_thread(trees.move_ref, push.path, update)
    if reason is not None:
        return reason
    # Once more at its end: a deploy under way may have moved the ref to its own commit meanwhile.
    attempt = await begin(
        platform, app, update.new, push.user, keep_only,
        ref=update, from_nothing=options.from_nothing,
    )  # fmt: skip
    start(platform, attempt)
    await push.progress(push_options.say_detached(attempt.build.id))
    return None


async def _deploy_while_watched(
    platform: Platform,
    app: App,
    push: gitserver.Push,
    update: gitserver.RefUpdate,
    options: Options,
) -> str | None:
    """Ctrl-C cancels what is not switched yet, and so does the app's end."""
    if platform.deploying.is_stopped(app.id):
        return DESTROYED
    work = asyncio.create_task(_deploy_in_turn(platform, app, push, update, options))
    platform.deploying.add(app.id, work)
    gone = asyncio.create_task(push.cancelled.wait())
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
    except asyncio.CancelledError:
        platform.background.adopt(work)
        raise
    finally:
        gone.cancel()
        work.cancel()
    try:
        return await work
    except asyncio.CancelledError:
        return why_cancelled(platform, app, work)


async def _deploy_in_turn(
    platform: Platform,
    app: App,
    push: gitserver.Push,
    update: gitserver.RefUpdate,
    options: Options,
) -> str | None:
    assert update.new is not None
    received_ms = (time.perf_counter() - push.began_s) * 1000
    if options.skips:
        return await _store_in_turn(platform, app, push, update)
    attempt = await begin(
        platform, app, update.new, push.user, push.progress,
        ref=update, from_nothing=options.from_nothing,
    )  # fmt: skip
    async with in_turn(platform, attempt) as ready:
        if ready is None:
            return DESTROYED
        ready.timeline.add("receive", received_ms)
        return await deploy(platform, ready, partial(_check_unmoved, push, update))


async def _check_unmoved(
    push: gitserver.Push, update: gitserver.RefUpdate, attempt: Attempt
) -> Attempt:
    """Raises Refused. A part of the deploy's story: whatever ends it here is recorded there."""
    if await asyncio.to_thread(trees.resolve, push.path, update.name) != update.old:
        raise Refused(MOVED)
    return attempt


async def _store_in_turn(
    platform: Platform, app: App, push: gitserver.Push, update: gitserver.RefUpdate
) -> str | None:
    """The ref moves, after what moves it already."""
    assert update.new is not None
    lock = platform.locks[app.id]
    if lock.locked():
        await push.progress(output.step(WAITING))
    async with lock:
        found = await platform.database.run(apps.by_id, app.id)
        if found is None:
            return DESTROYED
        if await asyncio.to_thread(trees.resolve, push.path, update.name) != update.old:
            return MOVED
        await asyncio.to_thread(trees.set_ref, push.path, update.name, update.new)
        is_first = update.name == branches.deployed(found.deploy_branch)[0]
        said = push_options.say_skipped(_spoken(update.name), update.new, is_first=is_first)
        await push.progress(said)
        return None


def _sort(push: gitserver.Push, names: Sequence[str]) -> tuple[gitserver.RefUpdate | None, Answers]:
    """The update to deploy, and the answers to all others."""
    deployed, answers = None, Answers()
    for update in push.updates:
        answers[update.name] = None
        if update.name not in names:
            continue
        if update.new is None:
            answers[update.name] = "the deployed branch can't be deleted"
        elif deployed is None:
            deployed = update
        else:
            answers[update.name] = f"push one of {deployed.name} and {update.name} at a time"
    return deployed, answers


def _stored_only(app: App, updates: Sequence[gitserver.RefUpdate]) -> str:
    """What was done with the branches and tags that are not deployed."""
    stored = [_spoken(update.name) for update in updates if update.new is not None]
    deleted = [_spoken(update.name) for update in updates if update.new is None]
    said = output.step(f"Deleted {_listed(deleted)}") if deleted else ""
    if stored:
        said += output.step(f"Stored {_listed(stored)}, nothing is deployed")
        # In full: from a detached HEAD git does not know that a new `main` is to be a branch.
        deploy_it = f"git push paas HEAD:{branches.deployed(app.deploy_branch)[0]}"
        said += output.detail(f"Only {branches.spoken(app.deploy_branch)} deployed: {deploy_it}")
        pushed = [u.name for u in updates if u.new and u.name.startswith(branches.PREFIX)]
        if len(pushed) == 1:
            set_it = f"paas apps:set --branch {_spoken(pushed[0])} -a {app.name}"
            said += output.detail(f"To deploy this branch from now on: {set_it}")
    return said


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED_MAX
    return ", ".join(names[:NAMED_MAX]) + (f" and {more:,} more" if more > 0 else "")


def _spoken(ref: str) -> str:
    return ref.removeprefix("refs/heads/").replace("refs/tags/", "tag ", 1)
