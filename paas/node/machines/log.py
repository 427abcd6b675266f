"""What the platform itself says in a machine's log, between what the machine printed."""

import os
from contextlib import suppress
from pathlib import Path

from paas.node.machines.machine import now

_CHARACTERS_MAX = 2000


def append(log: Path, text: str) -> None:
    """One line. A log that can't be written costs the line."""
    # conmon's own format (k8s-file): time, stream, F(ull line), text. The stream tells it from
    # what the app printed, which conmon writes as stdout and stderr only.
    line = " ".join(text.split())[:_CHARACTERS_MAX]
    with suppress(OSError), log.open("a") as file:
        file.write(f"{now()} heroku F {line}\n")


def end(log: Path) -> None:
    """The machine is about to be gone: from now on its log's time counts."""
    with suppress(FileNotFoundError):
        os.utime(log)
