"""The choice of an instance for an app that asks for more than the fewest requests in flight.

In this order: the first rule that fits names a release; else the visitor's cookie names an
instance; else the weights name a release. Within what is left the fewest requests in flight win. A
release without a ready instance does not count: its rule is passed over, and its share falls to
the other releases that have a weight. What has no weight gets requests by a rule only.

With a limit of requests in flight per instance a place is taken before it is looked at, so that
two workers that take the last one at the same moment both see it; the later one to step back
tries again.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from random import choices
from typing import Final

from router.choice import affinity
from router.choice.instances import Instance, pick
from router.memory.counters import Counters
from router.table import options

_PARTS: Final = 10_000
_ATTEMPTS: Final = 8


@dataclass(frozen=True, slots=True)
class Test:
    """A rule, ready to be tried. `below` is of 10,000 parts."""

    release: int
    header: re.Pattern[bytes] | None
    value: bytes | None
    below: int
    salt: bytes

    def fits(self, block: bytes, address: bytes) -> bool:
        """`block` is the request's field lines; `address` the visitor's."""
        value: bytes | None = address
        if self.header is not None:
            found = self.header.search(block)
            value = None if found is None else found[1].strip(b" \t")
        if value is None or self.value is not None:
            return value is not None and value == self.value
        return _part(self.salt, value) < self.below


@dataclass(frozen=True, slots=True)
class Chooser:
    """Made with each table. `sticky` has the instances by the token of their cookie.

    `counters` and `rows`, the living workers' first cells, say how much is in flight at each.
    """

    tests: Sequence[Test]
    weights: Mapping[int, int]
    sticky: Mapping[bytes, Instance]
    tokens: Mapping[Instance, bytes]
    concurrency: int

    @property
    def steered(self) -> bool:
        """Not every request may go to every instance."""
        return bool(self.tests or self.weights)

    @property
    def in_turn(self) -> bool:
        """Requests go on in the order in which they came: none overtakes those who wait."""
        return self.concurrency > 0 and not self.steered

    def take(
        self,
        block: bytes,
        address: bytes,
        ready: Sequence[Instance],
        counters: Counters,
        rows: Sequence[int],
    ) -> tuple[Instance, bytes] | None:
        """An instance, with the request counted as in flight there; None: it has to wait.

        With it comes the cookie that the response is to give, if any.
        """
        known = self.sticky.get(affinity.given(block)) if self.sticky else None
        pool, ruled = self._allowed(block, address, ready)
        passed_over = False
        while pool:
            picked = self._pick(pool, ruled, known, counters, rows)
            if _enter(picked, self.concurrency, counters, rows):
                if self.sticky and not (picked is known or (passed_over and known in ready)):
                    return picked, self.tokens[picked]
                return picked, b""
            pool = [each for each in pool if each is not picked]
            passed_over = True
        return None

    def _allowed(
        self, block: bytes, address: bytes, ready: Sequence[Instance]
    ) -> tuple[Sequence[Instance], bool]:
        """The instances that the request may go to, and whether a rule said so."""
        for test in self.tests:
            if test.fits(block, address):
                pool = [each for each in ready if each.release == test.release]
                if pool:
                    return pool, True
        if self.weights:
            return [each for each in ready if self.weights.get(each.release)], False
        return ready, False

    def _pick(
        self,
        pool: Sequence[Instance],
        ruled: bool,
        known: Instance | None,
        counters: Counters,
        rows: Sequence[int],
    ) -> Instance:
        if known is not None and known in pool:
            return known
        if self.weights and not ruled:
            release = weighted(self.weights, {each.release for each in pool})
            pool = [each for each in pool if each.release == release]
        return pick(pool, counters, rows)


def chooser(
    app: str,
    wanted: options.Routing,
    weights: Mapping[int, int],
    rules: Sequence[options.Rule],
    instances: Sequence[Instance],
) -> Chooser | None:
    """None for an app that asks for nothing of this."""
    if not (wanted.sticky or wanted.concurrency or weights or rules):
        return None
    tokens = {each: affinity.token(app, each.id) for each in instances} if wanted.sticky else {}
    return Chooser(
        tuple(_test(app, rule) for rule in rules),
        weights,
        {token: each for each, token in tokens.items()},
        tokens,
        wanted.concurrency,
    )


def weighted(weights: Mapping[int, int], present: set[int]) -> int:
    """One of the releases that are present, each as often as its weight says."""
    releases = sorted(present)
    return choices(releases, [weights[release] for release in releases])[0]


def _test(app: str, rule: options.Rule) -> Test:
    pattern = rb"(?i:(?:^|\n)%b:)([^\r\n]*)\r" % re.escape(rule.header.encode())
    return Test(
        rule.release,
        re.compile(pattern) if rule.header else None,
        None if rule.value is None else rule.value.strip(" \t").encode(),
        round((rule.percentage or 0) * _PARTS / 100),
        f"{app}/{rule.release}/".encode(),
    )


def _part(salt: bytes, value: bytes) -> int:
    """Where a value lies among 10,000 parts: always at the same place."""
    return int.from_bytes(blake2b(salt + value, digest_size=8).digest(), "big") % _PARTS


def _enter(instance: Instance, concurrency: int, counters: Counters, rows: Sequence[int]) -> bool:
    """Count a request as in flight there, if there is a place for it. 0: there always is."""
    cells = counters.cells
    for _ in range(_ATTEMPTS):
        cells[instance.cell] += 1
        if not concurrency or _in_flight(instance, counters, rows) <= concurrency:
            return True
        cells[instance.cell] -= 1
        if _in_flight(instance, counters, rows) >= concurrency:
            return False
    return False


def _in_flight(instance: Instance, counters: Counters, rows: Sequence[int]) -> int:
    cells, slot = counters.cells, instance.slot
    return sum(cells[row + slot] for row in rows)
