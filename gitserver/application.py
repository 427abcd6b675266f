"""The ASGI application: authenticates, finds the repository and hands the request to its service."""

from pathlib import Path

from gitserver.interface import Accept, Authenticate, Find, Limits, Receive, Scope, Send
from gitserver.paths import matches

__all__ = ["GitServer", "application", "matches"]


class GitServer:
    """An ASGI application. `start()` warms the checking process; `aclose()` ends it."""

    def __init__(
        self,
        *,
        repositories: Path,
        authenticate: Authenticate,
        find: Find,
        accept: Accept,
        limits: Limits,
    ) -> None:
        self.repositories = repositories
        self.authenticate = authenticate
        self.find = find
        self.accept = accept
        self.limits = limits

    async def start(self) -> None:
        raise NotImplementedError

    async def aclose(self) -> None:
        raise NotImplementedError

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raise NotImplementedError


def application(
    *,
    repositories: Path,
    authenticate: Authenticate,
    find: Find,
    accept: Accept,
    limits: Limits | None = None,
) -> GitServer:
    """The git server as an ASGI application.

    `repositories` is a folder on the disk of the repositories: packs are received in
    `<repositories>/.incoming/`, which is emptied at `start()`.
    """
    return GitServer(
        repositories=repositories,
        authenticate=authenticate,
        find=find,
        accept=accept,
        limits=limits or Limits(),
    )
