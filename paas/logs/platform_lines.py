"""The platform's own lines in an app's log."""

import contextlib
import os
import re
import time

from paas.errors import PlatformError
from paas.logs.files import checked
from paas.logs.line import now_line, pieces
from paas.settings import Settings


def note(settings: Settings, app_id: str, text: str) -> None:
    """Say what was done with the app. Nothing that is done depends on room for this line."""
    with contextlib.suppress(OSError):
        append(settings, app_id, "app", "api", text)


def append(
    settings: Settings,
    app_id: str,
    source: str,
    process: str,
    text: str,
    time_ns: int | None = None,
) -> None:
    """Add `text`, a line for each of its lines: `append(settings, id, "app", "api", "Set A")`.

    A line is one write to a file that is opened to append, so that writers can't mix and a crash
    leaves whole lines.
    """
    if source not in ("app", "heroku") or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", process):
        raise PlatformError(f"{source}[{process}] can't head a log line")
    moment = time.time_ns() if time_ns is None else time_ns
    raw = [piece for part in text.encode("utf-8", "replace").split(b"\n") for piece in pieces(part)]
    lines = [now_line(moment, source, process, piece.decode("utf-8", "replace")) for piece in raw]
    path = settings.logs / "apps" / f"{checked(app_id)}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o640)
    try:
        os.write(descriptor, "".join(f"{line}\n" for line in lines).encode())
    finally:
        os.close(descriptor)
