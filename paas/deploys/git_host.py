"""Asks a git host over HTTP: for a branch's commit, for its files; and tells it a commit's status.

Blocks: for threads. Addresses are judged as all are that somebody names (`paas.system.outgoing`).
"""

import base64
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gitserver import RemoteFault, remote
from paas.apps import git_connections
from paas.apps.commit_statuses import Report
from paas.apps.git_connections import GitConnection
from paas.settings import Settings
from paas.system import outgoing

ADVERTISEMENT_BYTES_MAX = 32 * 1024 * 1024
ADVERTISEMENT_S = 60.0
PACK_BYTES_MAX = 1024 * 1024 * 1024
PACK_S = 600.0
STATUS_BYTES_MAX = 1024 * 1024
STATUS_S = 10.0
STATUS_TRIES = 2
STATUS_PAUSE_S = 1.0


class Unreachable(Exception):
    """The host does not give it now, or not to us; the message says why."""


class Closed(Unreachable):
    """It may be there, for others."""


@dataclass(frozen=True)
class Tip:
    """The branch's commit, if it is there, and what the server can."""

    commit: str | None
    capabilities: frozenset[str]


def tip(settings: Settings, connection: GitConnection) -> Tip:
    """Raises Unreachable."""
    url = f"{connection.fetched_from}/info/refs?service=git-upload-pack"
    request = outgoing.Request(url, headers=_credentials(connection))
    private = settings.fetch_from_private_addresses
    limits = outgoing.Limits(ADVERTISEMENT_BYTES_MAX, ADVERTISEMENT_S, private)
    try:
        answer = outgoing.ask(request, limits)
        _check(answer.status, connection)
        found = remote.advertised(answer.content)
    except (outgoing.Refused, RemoteFault) as error:
        raise Unreachable(str(error)) from error
    return Tip(found.refs.get(connection.ref), found.capabilities)


def fetch(
    settings: Settings, connection: GitConnection, found: Tip, into: Path, stop: threading.Event
) -> None:
    """The server's answer, as it came, is in the file. Raises Unreachable, RemoteFault."""
    assert found.commit is not None
    request = outgoing.Request(
        f"{connection.fetched_from}/git-upload-pack",
        "POST",
        {**_credentials(connection), "Content-Type": remote.REQUEST},
        remote.request(found.commit, found.capabilities),
        stop,
    )
    limits = outgoing.Limits(PACK_BYTES_MAX, PACK_S, settings.fetch_from_private_addresses)
    into.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with into.open("wb") as file:
            answer = outgoing.ask(request, limits, file)
    except outgoing.Refused as refused:
        raise Unreachable(str(refused)) from refused
    _check(answer.status, connection)


@dataclass(frozen=True)
class Wanted:
    """A commit of the repository at a URL, asked for with these headers."""

    url: str
    commit: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def fetch_commit(
    settings: Settings, wanted: Wanted, into: Path, bytes_max: int, stop: threading.Event
) -> None:
    """As `fetch` does, a commit that need not be a branch's. Raises Unreachable, RemoteFault."""
    private = settings.fetch_from_private_addresses
    began, url = time.monotonic(), wanted.url.rstrip("/")
    head = outgoing.Limits(ADVERTISEMENT_BYTES_MAX, ADVERTISEMENT_S, private)
    asked = f"{url}/info/refs?service=git-upload-pack"
    headers = {**wanted.headers, **remote.NEWER}
    try:
        answer = outgoing.ask(outgoing.Request(asked, headers=headers, stop=stop), head)
        _check_status(answer.status, outgoing.shown(url), bool(wanted.headers))
        found = remote.advertised(answer.content)
        body = remote.request_of_any(wanted.commit, found)
        headers["Content-Type"] = remote.REQUEST
        request = outgoing.Request(f"{url}/git-upload-pack", "POST", headers, body, stop)
        left_s = PACK_S - (time.monotonic() - began)
        with into.open("wb") as file:
            answer = outgoing.ask(request, outgoing.Limits(bytes_max, left_s, private), file)
    except outgoing.Refused as refused:
        raise Unreachable(str(refused)) from refused
    _check_status(answer.status, outgoing.shown(url), bool(wanted.headers))


def tell(settings: Settings, report: Report) -> None:
    """Raises outgoing.Refused when it is not taken."""
    limits = outgoing.Limits(STATUS_BYTES_MAX, STATUS_S, settings.fetch_from_private_addresses)
    for left in reversed(range(STATUS_TRIES)):
        request = outgoing.Request(report.url, "POST", report.headers, report.body)
        try:
            answer = outgoing.ask(request, limits)
        except outgoing.Refused:
            if not left:
                raise
        else:
            if answer.status < 500 or not left:
                return _taken(answer.status, report)
        time.sleep(STATUS_PAUSE_S)


def _taken(status: int, report: Report) -> None:
    if status >= 300:
        raise outgoing.Refused(f"{outgoing.shown(report.url)} answers {status}")


def _credentials(connection: GitConnection) -> Mapping[str, str]:
    login = git_connections.login(connection)
    if not login:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"}


def _check(status: int, connection: GitConnection) -> None:
    _check_status(status, connection.url, bool(connection.token))


def _check_status(status: int, url: str, has_token: bool) -> None:
    if status in (401, 403, 404):
        # Hosts say 404 of what is private.
        who = "the token" if has_token else "us without a token"
        raise Closed(f"{url} is not there, or not for {who} (status {status})")
    if status != 200:
        raise Unreachable(f"{url} answers {status}")
