"""On what a zone listens, from /proc/<pid>/net/tcp and tcp6 (proc(5)).

Only the beginning of the tables is read, where the kernel has what listens: a zone can make them as
long as it likes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

_LISTEN = "0A"
_TABLE_BYTES_MAX = 64 * 1024


@dataclass(frozen=True)
class Listening:
    """A TCP socket that accepts."""

    address: IPv4Address | IPv6Address
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


def listening(pid: int) -> list[Listening] | None:
    """What the zone of `pid` listens on; None when its process is gone."""
    try:
        tables = [_beginning(Path(f"/proc/{pid}/net/{name}")) for name in ("tcp", "tcp6")]
    except OSError:
        return None
    return [found for table in tables for found in parse(table)]


def parse(table: str) -> Sequence[Listening]:
    """The sockets of a table that listen."""
    found = []
    for line in table.splitlines()[1:]:
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN:
            address, _, port = fields[1].partition(":")
            found.append(Listening(_address(address), int(port, 16)))
    return found


def _address(digits: str) -> IPv4Address | IPv6Address:
    """The kernel writes words of 32 bits in the host's order."""
    octets = bytes.fromhex(digits)
    words = [octets[start : start + 4][::-1] for start in range(0, len(octets), 4)]
    whole = b"".join(words)
    return IPv4Address(whole) if len(whole) == 4 else IPv6Address(whole)


def _beginning(path: Path) -> str:
    with path.open("rb", buffering=0) as file:
        text = bytearray()
        while len(text) < _TABLE_BYTES_MAX and (piece := file.read(4096)):
            text += piece
    whole, _, _ = bytes(text).rpartition(b"\n")
    return whole.decode("ascii", errors="replace")
