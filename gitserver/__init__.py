"""git over HTTP on dulwich, as an ASGI application: fetch, push, and reading trees.

It knows git, and asks `accept(push)` whether refs may change; apps, builds and machines are its
user's matter.

    git_server = application(repositories=folder, authenticate=…, find=…, accept=…, limits=Limits())
    if gitserver.matches(scope["path"]): await git_server(scope, receive, send)

`gitserver.trees` reads commits and files from a repository's objects and makes, points and deletes
repositories; its functions block, so async callers run them in threads.
"""

from gitserver.application import GitServer, application, matches
from gitserver.interface import (
    Accept,
    ASGIApp,
    Authenticate,
    Find,
    Found,
    Graft,
    Limits,
    NewCommit,
    NotFoundMessage,
    Push,
    RefUpdate,
    Refusal,
    Stored,
)
from gitserver.jobs import JobDied, JobFailed
from gitserver.remote import RemoteFault

__all__ = [
    "ASGIApp",
    "Accept",
    "Authenticate",
    "Find",
    "Found",
    "GitServer",
    "Graft",
    "JobDied",
    "JobFailed",
    "Limits",
    "NewCommit",
    "NotFoundMessage",
    "Push",
    "RefUpdate",
    "Refusal",
    "RemoteFault",
    "Stored",
    "application",
    "matches",
]
