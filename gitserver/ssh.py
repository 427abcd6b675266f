"""git over SSH: `ssh://git@host:2222/app.git`. Public keys only; no shells, no forwarding.

    acceptor = await ssh.serve(git_server, sock, host_key, identify)

Whose key it is, and what that may do, is asked of `identify`; which services there are and what
they answer is GitServer's (`converse`). Imported only where SSH is served: it takes megabytes.
"""

import logging
import re
import shlex
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import asyncssh

from gitserver.application import SERVICES, GitServer
from gitserver.interface import Refusal
from gitserver.protocol.exchange import ClientGone

LOGIN_TIMEOUT_S = 30
CONNECTIONS_MAX = 200
KEEP_ALIVE_S = 30
_READ_BYTES = 256 * 1024
_PATH = re.compile(r"(?:~?/)?(?P<name>[A-Za-z0-9][A-Za-z0-9_.-]{0,120}?)(?:\.git)?/?")
_INTERRUPTS = (asyncssh.BreakReceived, asyncssh.SignalReceived, asyncssh.TerminalSizeChanged)
log = logging.getLogger(__name__)

Identify = Callable[[bytes, bool], Awaitable[str | Refusal | None]]
"""(the public key as SSH encodes it, whether it is for a push) → the user, or None: the key is
nobody's. A Refusal says what this user may not do."""
Process = asyncssh.SSHServerProcess[bytes]


@dataclass(frozen=True)
class Asked:
    """What a client wants: one of git's services of a repository."""

    service: str
    name: str


async def serve(
    git_server: GitServer, listening: socket.socket, host_key: bytes, identify: Identify
) -> asyncssh.SSHAcceptor:
    """Answers what connects until it is closed. `host_key` is a private key in OpenSSH's form."""
    asyncssh.set_log_level(logging.ERROR)
    server = _Server(git_server, identify)
    return await asyncssh.create_server(
        lambda: _Client(server),
        sock=listening,
        server_host_keys=[asyncssh.import_private_key(host_key)],
        server_version="SmartPlatform",
        process_factory=server.answer,
        encoding=None,
        login_timeout=LOGIN_TIMEOUT_S,
        keepalive_interval=KEEP_ALIVE_S,
        line_editor=False,
        agent_forwarding=False,
        x11_forwarding=False,
        compression_algs=None,
        gss_host=None,
        password_auth=False,
        kbdint_auth=False,
    )


def parse(command: str) -> Asked | str:
    """The words after the host's name (`git-receive-pack '/app.git'`), or what to tell who asks."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    if words[:1] == ["git"] and len(words) > 1:
        words = [f"git-{words[1]}", *words[2:]]
    if not words:
        return "this address is for git only"
    if words[0] in ("git-lfs-authenticate", "git-lfs-transfer"):
        return "large files (Git LFS) travel over HTTP: push to the remote of `paas git:remote`"
    if words[0] not in SERVICES or len(words) != 2:
        return f"there are no commands here but git's push and fetch, so no {words[0][:40]!r}"
    match = _PATH.fullmatch(words[1])
    if match is None:
        return f"{words[1][:100]!r} is no repository: its path is /<app>.git"
    return Asked(words[0], match["name"])


@dataclass
class _Server:
    git_server: GitServer
    identify: Identify
    connections: set[asyncssh.SSHServerConnection] = field(default_factory=set)

    async def answer(self, process: Process) -> None:
        """The channel of one command, to its exit status."""
        try:
            process.exit(0 if await self._answer(process) else 1)
        except (ClientGone, OSError, asyncssh.Error) as error:
            log.info("ssh: the client has gone: %s", error)
            process.close()
        except Exception:
            log.exception("ssh: a command could not be answered")
            process.close()

    async def _answer(self, process: Process) -> bool:
        asked = parse(process.command or "") if not process.subsystem else "no subsystems here"
        if isinstance(asked, str):
            await _tell(process, asked)
            return False
        client = process.get_extra_info("connection").get_owner()
        assert isinstance(client, _Client)
        user = await self.identify(client.key, asked.service == "git-receive-pack")
        if user is None:
            await _tell(process, "this key was removed")
            return False
        stream = _ChannelStream(process)
        version = _version(str(process.env.get("GIT_PROTOCOL", "")))
        return await self.git_server.converse(asked.service, asked.name, version, user, stream)


class _Client(asyncssh.SSHServer):
    """One connection: who it is."""

    def __init__(self, server: _Server) -> None:
        self._server = server
        self._connection: asyncssh.SSHServerConnection | None = None
        self.key = b""
        """The last that was found to be somebody's: the client has proved that it is its own."""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        if len(self._server.connections) >= CONNECTIONS_MAX:
            conn.abort()
            return
        self._server.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._server.connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        data = key.public_data
        if await self._server.identify(data, False) is None:
            return False
        # Nothing else happens on the connection between this and the check of the signature.
        self.key = data
        return True


class _ChannelStream:
    """The channel as git's two directions."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def read(self) -> bytes:
        try:
            return bytes(await self._process.stdin.read(_READ_BYTES))
        except _INTERRUPTS as interrupt:
            raise ClientGone(f"the client sent {type(interrupt).__name__}") from interrupt

    async def write(self, data: bytes) -> None:
        self._process.stdout.write(data)
        await self._process.stdout.drain()

    async def closed(self) -> None:
        await self._process.channel.wait_closed()


async def _tell(process: Process, text: str) -> None:
    process.stderr.write(f"SmartPlatform: {text}.\r\n".encode())
    await process.stderr.drain()


def _version(words: str) -> int:
    """gitprotocol-v2(5): `version=2`, among other words with colons between."""
    return max((n for n in (0, 1, 2) if f"version={n}" in words.split(":")), default=0)


__all__ = ["Asked", "Identify", "parse", "serve"]
