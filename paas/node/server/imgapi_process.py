"""Keeps the process that serves IMGAPI (`imgapi`), where the operator asked for one."""

import asyncio
import contextlib
import logging
import os
import pwd
import secrets
import sys
from pathlib import Path

from paas.settings import CONTROL_USER, Settings

log = logging.getLogger(__name__)
_NOBODY = 65534
_PAUSE_S = 2.0


def address(listen: str) -> tuple[str, int]:
    """`127.0.0.1:8082`, `[::1]:8082`. Raises ValueError."""
    host, _, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 0 <= int(port) < 65536:
        raise ValueError(f"imgapi_listen is no ADDRESS:PORT: {listen!r:.100}")
    return host, int(port)


async def keep(settings: Settings) -> None:
    """Start it, and again when it ends, for ever; nothing is started where none is asked for."""
    if not settings.imgapi_listen:
        return
    try:
        host, port = address(settings.imgapi_listen)
    except ValueError as error:
        log.error("%s: IMGAPI is not served", error)
        return
    while True:
        await _run(settings, host, port)
        await asyncio.sleep(_PAUSE_S)


async def _run(settings: Settings, host: str, port: int) -> None:
    user = _user()
    folder = prepare(settings.state / "imgapi", user)
    words = [str(os.getpid()), str(folder), host, str(port), str(user)]
    command = [sys.executable, "-m", "paas.node.server.imgapi", *words]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        said = (await process.stdout.readline()).decode().split()
        if said[:1] == ["ready"]:
            (settings.run / "imgapi.port").write_text(said[1])
            log.info("IMGAPI is served on %s port %s", host, said[1])
        log.error("the process that serves IMGAPI ended with %s", await process.wait())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


def prepare(folder: Path, user: int) -> Path:
    """Its folder, and a token that root alone can read."""
    folder.mkdir(mode=0o711, exist_ok=True)
    images = folder / "images"
    images.mkdir(mode=0o700, exist_ok=True)
    os.chown(images, user, user)
    token = folder / "token"
    if not token.exists():
        partial = token.with_name("token-partial")
        partial.unlink(missing_ok=True)
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
            file.write(secrets.token_urlsafe(32) + "\n")
        partial.rename(token)
    return folder


def _user() -> int:
    try:
        return pwd.getpwnam(CONTROL_USER).pw_uid
    except KeyError:
        return _NOBODY
