"""git over SSH: the server's own key, made once, and the sockets that the supervisor opened."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import gitserver
from paas.control import gitaccess
from paas.host.sockets import Listener
from paas.platform.platform import Platform
from paas.system.files import sync


@contextlib.asynccontextmanager
async def serving(
    platform: Platform, git_server: gitserver.GitServer, listeners: Sequence[Listener]
) -> AsyncIterator[None]:
    """While this lasts. Without a listener nothing is loaded: it takes megabytes."""
    if not listeners:
        yield
        return
    from gitserver import ssh

    host_key = await asyncio.to_thread(_host_key, platform.settings.ssh_host_key)
    identify = gitaccess.identify(platform)
    acceptors = [await ssh.serve(git_server, item.socket, host_key, identify) for item in listeners]
    try:
        yield
    finally:
        for acceptor in acceptors:
            acceptor.close()


def _host_key(path: Path) -> bytes:
    """Another one would look like another server to all clients: it is kept, and never half."""
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    import asyncssh

    made: bytes = asyncssh.generate_private_key("ssh-ed25519").export_private_key()
    temporary = path.with_name(f"{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(made)
    sync(temporary)
    temporary.rename(path)
    sync(path.parent)
    return made
