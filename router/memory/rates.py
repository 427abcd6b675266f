"""Token buckets that all workers share, in a bounded table: who asks too often waits.

A bucket is one number, the time at which it is full again (the generic cell rate algorithm: the
same as a token bucket). The table has sets of a few places each, found by a keyed hash, so that no
visitor can choose whom to share a place with. When a set is full, the bucket that is full again
first makes room: with more visitors than places some get more than their rate, none gets less. Two
workers that take from a bucket at the same moment may take one token together: nothing is locked.
"""

import socket
from hashlib import blake2b
from typing import Final

SETS: Final = 16_384
WAYS: Final = 4
CELLS: Final = SETS * WAYS * 2
KEY_BYTES: Final = 32


class Buckets:
    """`cells` are CELLS numbers of 64 bits, zeros at first: a tag and a time for each place."""

    def __init__(self, cells: memoryview, key: bytes) -> None:
        self._cells = cells
        self._key = key

    def take(self, who: bytes, interval_us: int, burst: int, now_us: int) -> int:
        """Take a token; 0, or the microseconds until there is one to take.

        A token comes each `interval_us`, and at most `burst` are kept. `now_us` never goes back.
        """
        cells = self._cells
        tag = int.from_bytes(blake2b(who, digest_size=8, key=self._key).digest(), "big") or 1
        first = tag % SETS * WAYS * 2
        places = range(first, first + WAYS * 2, 2)
        place = next((each for each in places if cells[each] == tag), -1)
        if place < 0:
            place = min(places, key=lambda each: cells[each + 1])
            cells[place], cells[place + 1] = tag, now_us
        full_us = max(cells[place + 1], now_us) + interval_us
        if full_us - now_us > burst * interval_us:
            return full_us - now_us - burst * interval_us
        cells[place + 1] = full_us
        return 0


def visitor(address: bytes) -> bytes:
    """Who is counted as one: an IPv4 address, or the /64 that a visitor with IPv6 has."""
    if b":" not in address:
        return address
    try:
        return socket.inet_pton(socket.AF_INET6, address.decode().partition("%")[0])[:8]
    except (OSError, ValueError):
        return address
