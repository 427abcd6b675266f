"""A deploy of an archive: it is fetched, becomes a commit upon the app's branch, and is deployed.

The commit makes it equal to a push: releases, rollback and the fast path need not know.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import threading
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from buildpacks import output
from gitserver import GitServer, JobDied, JobFailed, NewCommit, RefUpdate, Stored, trees
from paas.apps import branches
from paas.apps.apps import App
from paas.apps.builds import Build
from paas.apps.sources import Source
from paas.deploys.attempt import Attempt, begin
from paas.deploys.rebuild import keep_only, start
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.settings import Settings
from paas.store import builds
from paas.system import outgoing
from paas.system.plaintext import plain

ARCHIVE_BYTES_MAX = 1024 * 1024 * 1024
FETCH_S = 600.0
NAMED_MAX = 10


@dataclass(frozen=True)
class Archive:
    """`place` is a file of ours, or an address to fetch it from, which may hold secrets."""

    source: Source
    place: Path | str


async def begin_archive(
    platform: Platform,
    git_server: GitServer,
    app: App,
    archive: Archive,
    user: str,
    *,
    from_nothing: bool = False,
) -> Build:
    """Start it; it goes on by itself."""
    prepare = partial(_commit, platform, git_server, archive)
    attempt = await begin(
        platform, app, "", user, keep_only, from_nothing=from_nothing, source=archive.source
    )
    start(platform, attempt, prepare)
    return attempt.build


async def _commit(
    platform: Platform, git_server: GitServer, archive: Archive, attempt: Attempt
) -> Attempt:
    """The same attempt, of the commit that the archive is now; the app's lock is held."""
    repository = platform.settings.repository(attempt.app.id)
    async with (
        attempt.timeline.step("fetch"),
        _fetched(platform.settings, attempt, archive) as path,
    ):
        await _check(path, archive.source.checksum)
        names = branches.deployed(attempt.app.deploy_branch)
        ref, parent = await asyncio.to_thread(_branch, repository, names)
        new = NewCommit(parent, _author(attempt), _message(archive.source), int(time.time()))
        stored = await _stored(git_server, repository, path, new)
    await attempt.transcript.write(_said(stored))
    build = await platform.database.run(builds.set_commit, attempt.build.id, stored.commit)
    return dataclasses.replace(attempt, build=build, ref=RefUpdate(ref, parent, stored.commit))


@contextlib.asynccontextmanager
async def _fetched(settings: Settings, attempt: Attempt, archive: Archive) -> AsyncIterator[Path]:
    if isinstance(archive.place, Path):
        if not archive.place.exists():
            raise _bad("The archive is gone: an upload is kept for an hour.", "Send it again.")
        yield archive.place
        return
    await attempt.transcript.write(output.step(f"Fetching {plain(archive.source.url)}"))
    path = settings.sources / f"{attempt.build.id}.fetched"
    stop = threading.Event()
    request = outgoing.Request(archive.place, stop=stop)
    limits = outgoing.Limits(ARCHIVE_BYTES_MAX, FETCH_S, settings.fetch_from_private_addresses)
    try:
        await asyncio.to_thread(_fetch, request, limits, path)
        yield path
    finally:
        stop.set()
        path.unlink(missing_ok=True)


def _fetch(request: outgoing.Request, limits: outgoing.Limits, path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with path.open("wb") as file:
            answer = outgoing.ask(request, limits, file)
    except outgoing.Refused as refused:
        raise _bad(f"The archive can't be fetched: {refused}.", _FETCH_HINT) from refused
    if answer.status != 200:
        shown = outgoing.shown(request.url)
        raise _bad(f"The archive can't be fetched: {shown} answers {answer.status}.", _FETCH_HINT)


async def _check(path: Path, expected: str | None) -> None:
    if expected is None:
        return
    found = await asyncio.to_thread(_sha256, path)
    if found != expected:
        message = f"The archive's checksum is SHA256:{found}, not SHA256:{expected}."
        raise _bad(message, "It is another file, or was damaged on its way: send it again.")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _branch(repository: Path, names: Sequence[str]) -> tuple[str, str | None]:
    """The deployed branch that is there, and its commit; the first where none is."""
    for ref in names:
        commit = trees.resolve(repository, ref)
        if commit is not None:
            return ref, commit
    return names[0], None


async def _stored(git_server: GitServer, repository: Path, path: Path, commit: NewCommit) -> Stored:
    try:
        return await git_server.store_archive(repository, path, commit)
    except JobFailed as failure:
        hint = "Pack the app's folder: tar czf app.tgz -C FOLDER ."
        raise _bad(f"The archive was refused: {plain(str(failure))}.", hint) from failure
    except JobDied as death:
        raise _bad("The archive takes too much time or memory to read.", "Send less.") from death


def _said(stored: Stored) -> str:
    top = f" of {plain(stored.top)}" if stored.top else ""
    count = "1 file" if stored.files == 1 else f"{stored.files:,} files"
    said = output.step(f"Source: {count}{top}, commit {stored.commit[:8]}")
    if stored.left_out:
        named = [plain(name) for name in stored.left_out[:NAMED_MAX]]
        more = len(stored.left_out) - NAMED_MAX
        names = ", ".join(named) + (" and others" if more > 0 else "")
        said += output.detail(f"Left out, as git can't have it: {names}")
    return said


def _author(attempt: Attempt) -> str:
    return f"{attempt.build.user.partition('@')[0]} <{attempt.build.user}>"


def _message(source: Source) -> str:
    return f"Deploy of {source.version or 'an archive'}\n\nSource: {source.url}"


def _bad(message: str, hint: str) -> UserError:
    return UserError("invalid_source", message, hint)


_FETCH_HINT = "Upload it instead: POST /sources says where to; paas deploy does all of it."
