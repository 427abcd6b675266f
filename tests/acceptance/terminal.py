"""A person's terminal with a program in it: what is seen, what is typed, how large it is."""

import contextlib
import fcntl
import os
import re
import select
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60.0


@dataclass
class Terminal:
    master: int
    process: "subprocess.Popen[bytes]"
    seen: str = ""

    def type(self, keys: str) -> None:
        os.write(self.master, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        termios.tcsetwinsize(self.master, (rows, columns))

    def until(self, pattern: str) -> str:
        """What was shown up to the pattern; the rest is kept."""
        deadline = time.monotonic() + PATIENCE_S
        while (match := re.search(pattern, self.seen)) is None:
            left_s = deadline - time.monotonic()
            assert left_s > 0, f"{pattern!r} was never shown: {self.seen!r}"
            if select.select([self.master], [], [], left_s)[0] and not self._read():
                break
        match = match or re.search(pattern, self.seen)
        assert match, f"ended: {self.seen!r}"
        found, self.seen = self.seen[: match.end()], self.seen[match.end() :]
        return found

    def ends(self) -> tuple[int, str]:
        """The exit status, and what was shown until then."""
        while self._read():
            pass
        return self.process.wait(PATIENCE_S), self.seen

    def _read(self) -> bool:
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: the program has gone
            data = b""
        self.seen += data.decode(errors="replace")
        return bool(data)


@contextlib.contextmanager
def terminal(
    command: list[str], environment: Mapping[str, str], folder: Path
) -> Iterator[Terminal]:
    """The program, whose terminal is 41 rows high and 103 columns wide."""
    master, slave = os.openpty()
    termios.tcsetwinsize(slave, (41, 103))
    process = subprocess.Popen(
        command,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**environment, "TERM": "xterm"},
        cwd=folder,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        process.kill()
        process.wait(PATIENCE_S)
        os.close(master)
