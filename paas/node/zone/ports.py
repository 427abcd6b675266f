"""Whether a zone listens on a TCP port, from /proc/<pid>/net/tcp and tcp6 (proc(5)).

The kernel has no event for it that needs no tracing; so the node looks, often at first. Only
machines that did not report on their fast path are looked at, and only at the beginning of the
table, where the kernel has what listens: a zone can make it as long as it likes.
"""

import asyncio
from pathlib import Path

_LISTEN = "0A"
_FIRST_DELAY_S = 0.025
_DELAY_MAX_S = 1.0
_TABLE_BYTES_MAX = 64 * 1024
_PATIENCE_S = 0.3
"""How long a port must be open before it counts: the fast path's report follows within that."""


async def wait_listening(pid: int, port: int) -> bool:
    """True when the zone of `pid` listens on `port`; False when its process is gone."""
    loop = asyncio.get_running_loop()
    delay, seen_s = _FIRST_DELAY_S, None
    while True:
        tables = _tables(pid)
        if tables is None:
            return False
        if any(listens(table, port) for table in tables):
            seen_s = loop.time() if seen_s is None else seen_s
            if loop.time() - seen_s >= _PATIENCE_S:
                return True
        else:
            seen_s = None
            delay = min(delay * 1.2, _DELAY_MAX_S)
        await asyncio.sleep(delay)


def listens(table: str, port: int) -> bool:
    """Whether a socket of the table listens on `port`."""
    wanted = f":{port:04X}"
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN and fields[1].endswith(wanted):
            return True
    return False


def _tables(pid: int) -> list[str] | None:
    try:
        return [_beginning(Path(f"/proc/{pid}/net/{name}")) for name in ("tcp", "tcp6")]
    except OSError:
        return None


def _beginning(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        text = bytearray()
        while len(text) < _TABLE_BYTES_MAX and (piece := file.read(4096)):
            text += piece
    return text.decode("ascii", errors="replace")
