"""How often passwords of one address may be tried: a burst, then one now and then. Pure.

An address without an account counts alike. Whoever has a token, an SSH key or a code from the
server comes in meanwhile: a stranger's guesses lock nobody out for good.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

BURST = 10
REFILL_S = 60.0
ADDRESSES_MAX = 10_000


@dataclass(frozen=True)
class _Count:
    wrong: float
    at_s: float


class Guesses:
    """`clock` tells seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()

    def take(self, address: str) -> bool:
        """Whether one more may be tried; counts it as a wrong one."""
        now_s = self._clock()
        known = self._counts.pop(address, _Count(0.0, now_s))
        wrong = max(0.0, known.wrong - (now_s - known.at_s) / REFILL_S)
        is_allowed = wrong + 1 <= BURST
        self._counts[address] = _Count(wrong + 1 if is_allowed else wrong, now_s)
        while len(self._counts) > ADDRESSES_MAX:
            self._counts.popitem(last=False)
        return is_allowed

    def forgive(self, address: str) -> None:
        """The last one was right."""
        self._counts.pop(address, None)
