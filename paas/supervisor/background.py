"""The platform in the background: a daemon that says to its parent when it is ready, or why not."""

import contextlib
import os
import traceback
from collections.abc import Callable
from pathlib import Path

from paas.errors import UserError
from paas.supervisor import notify

TAIL_LINES = 12
TAIL_BYTES = 16 * 1024


def run(log: Path, serve: Callable[[Callable[[], None]], int]) -> None:
    """Run `serve(ready)` in a daemon that writes to `log`; return when it calls `ready`.

    Raises UserError with the daemon's reason when it ends before that.
    """
    reading, writing = os.pipe()
    before = log.stat().st_size if log.exists() else 0
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            os.setsid()
            notify.leave()
            if os.fork() == 0:
                _serve(log, serve, writing)
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as answer:
        word = answer.read()
    if not word.startswith("ready"):
        reason, _, hint = word.partition("\n")
        said = [hint.strip(), f"Its last words, from {log}:", *_tail(log, before)]
        raise UserError(
            "not_ready",
            f"the platform did not start: {reason or 'it ended without a word'}",
            "\n".join(filter(None, said)),
        )


def _tail(log: Path, offset: int) -> list[str]:
    """The last lines that were written behind `offset`."""
    try:
        with log.open("rb") as file:
            file.seek(max(offset, log.stat().st_size - TAIL_BYTES))
            lines = file.read(TAIL_BYTES).decode("utf-8", "replace").splitlines()
    except OSError:
        return []
    return [f"  {line}" for line in lines[-TAIL_LINES:]]


def _serve(log: Path, serve: Callable[[Callable[[], None]], int], writing: int) -> None:
    """The daemon; ends the interpreter."""
    status, word = 1, ""
    try:
        _redirect(log)
        status = serve(lambda: _answer(writing, "ready"))
    except UserError as error:
        word = f"{error.message}\n{error.hint}"
    except BaseException as error:
        word = f"{type(error).__name__}: {error}"
        os.write(2, traceback.format_exc().encode())
    finally:
        if word:
            os.write(2, f" !     {word}\n".encode())
            with contextlib.suppress(OSError):
                _answer(writing, word)
        os._exit(status)


def _answer(writing: int, word: str) -> None:
    os.write(writing, word.encode())
    os.close(writing)


def _redirect(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
