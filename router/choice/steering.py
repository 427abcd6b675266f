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
from typing import TYPE_CHECKING, Final

from router.choice import affinity
from router.choice import instances as balance
from router.table import routing

if TYPE_CHECKING:
    from router.choice.instances import Instance
    from router.traffic.client import Client
    from router.traffic.plane import Plane

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
    """Made with each table. `sticky` has the instances by the token of their cookie."""

    tests: Sequence[Test]
    weights: Mapping[int, int]
    sticky: Mapping[bytes, "Instance"]
    tokens: Mapping["Instance", bytes]
    concurrency: int

    @property
    def steered(self) -> bool:
        """Not every request may go to every instance."""
        return bool(self.tests or self.weights)

    def take(
        self, client: "Client", ready: Sequence["Instance"], newcomer: bool
    ) -> "Instance | None":
        """An instance, with this request counted as in flight there; None: it has to wait."""
        plane = client.plane
        if newcomer and self.concurrency and not self.steered and _queued(client):
            return None
        known = self.sticky.get(affinity.given(client.block)) if self.sticky else None
        pool, ruled = self._allowed(client, ready)
        passed_over = False
        client.cookie = b""  # what was promised for an instance that failed
        while pool:
            picked = self._pick(plane, pool, ruled, known)
            if _enter(plane, picked, self.concurrency):
                if self.sticky and not (picked is known or (passed_over and known in ready)):
                    _promise(client, picked, self.tokens[picked])
                return picked
            pool = [each for each in pool if each is not picked]
            passed_over = True
        return None

    def _allowed(
        self, client: "Client", ready: Sequence["Instance"]
    ) -> tuple[Sequence["Instance"], bool]:
        """The instances that the request may go to, and whether a rule said so."""
        for test in self.tests:
            if test.fits(client.block, client.visitor):
                pool = [each for each in ready if each.release == test.release]
                if pool:
                    return pool, True
        if self.weights:
            return [each for each in ready if self.weights.get(each.release)], False
        return ready, False

    def _pick(
        self,
        plane: "Plane",
        pool: Sequence["Instance"],
        ruled: bool,
        known: "Instance | None",
    ) -> "Instance":
        if known is not None and known in pool:
            return known
        if self.weights and not ruled:
            release = weighted(self.weights, {each.release for each in pool})
            pool = [each for each in pool if each.release == release]
        return balance.pick(pool, plane.counters, plane.rows)


def chooser(
    app: str,
    wanted: routing.Routing,
    weights: Mapping[int, int],
    rules: Sequence[routing.Rule],
    instances: Sequence["Instance"],
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


def _test(app: str, rule: routing.Rule) -> Test:
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


def _queued(client: "Client") -> int:
    app = client.app
    return 0 if app is None else client.plane.counters.queued(app.slot, client.plane.rows)


def _enter(plane: "Plane", instance: "Instance", concurrency: int) -> bool:
    """Count a request as in flight there, if there is a place for it. 0: there always is."""
    cells = plane.counters.cells
    for _ in range(_ATTEMPTS):
        cells[instance.cell] += 1
        if not concurrency or _in_flight(plane, instance) <= concurrency:
            return True
        cells[instance.cell] -= 1
        if _in_flight(plane, instance) >= concurrency:
            return False
    return False


def _in_flight(plane: "Plane", instance: "Instance") -> int:
    cells, slot = plane.counters.cells, instance.slot
    return sum(cells[row + slot] for row in plane.rows)


def _promise(client: "Client", instance: "Instance", token: bytes) -> None:
    """The response is to give the cookie: a connection's remembered head has none."""
    client.cookie = token
    for upstream in reversed(instance.idle):
        upstream.memo = None
        if upstream.open:
            break
