"""Which instance an app with rules, weights, cookies or limits picks: without sockets."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.choice import affinity, steering
from router.choice.instances import Instance
from router.http.response_head import response_head
from router.memory import counters
from router.table import route_table
from router.table.options import Routing, Rule

APP = "11111111-2222-3333-4444-555555555555"


ROWS = [counters.instance_cell(row, 0) for row in (1, 2)]


@pytest.fixture
def shared() -> counters.Counters:
    return counters.create()


def _instances(*releases: int) -> list[Instance]:
    return [
        Instance(
            route_table.Instance(f"i-{slot}", f"web.{slot}", unix="/x", release=release),
            slot,
            1,
            True,
        )
        for slot, release in enumerate(releases)
    ]


def _chooser(
    instances: Sequence[Instance],
    routing: Routing = Routing(),  # noqa: B008
    weights: dict[int, int] | None = None,
    rules: Sequence[Rule] = (),
) -> steering.Chooser:
    made = steering.chooser(APP, routing, weights or {}, rules, instances)
    assert made is not None
    return made


@dataclass(frozen=True)
class Request:
    """What a chooser is told of one."""

    block: bytes
    address: bytes

    def take(
        self,
        chooser: steering.Chooser,
        ready: Sequence[Instance],
        shared: counters.Counters,
    ) -> tuple[Instance | None, bytes]:
        """Where the request goes, and the cookie that is promised."""
        taken = chooser.take(self.block, self.address, ready, shared, ROWS)
        return (None, b"") if taken is None else taken


def _request(lines: bytes = b"", address: bytes = b"192.0.2.1") -> Request:
    return Request(b"Host: a\r\n%b\r\n" % lines, address)


def _shares(
    chooser: steering.Chooser,
    ready: Sequence[Instance],
    shared: counters.Counters,
    request: Request,
    turns: int = 1000,
) -> Counter[int]:
    picked: Counter[int] = Counter()
    for _ in range(turns):
        instance, _ = request.take(chooser, ready, shared)
        if instance is not None:
            picked[instance.release] += 1
            shared.cells[instance.cell] -= 1
    return picked


def test_an_app_that_asks_for_nothing_has_no_chooser() -> None:
    assert steering.chooser(APP, Routing(burst=5, trace=True), {}, (), _instances(1)) is None


def test_weights_share_the_requests(shared: counters.Counters) -> None:
    ready = _instances(12, 12, 12, 13)
    shares = _shares(_chooser(ready, weights={12: 80, 13: 20}), ready, shared, _request())
    assert 120 < shares[13] < 300
    assert shares[12] + shares[13] == 1000


def test_a_release_without_weight_gets_rule_traffic_only(shared: counters.Counters) -> None:
    ready = _instances(12, 13, 0)
    rules = [Rule(13, "X-Canary", "1")]
    chooser = _chooser(ready, weights={12: 1, 13: 0}, rules=rules)
    assert _shares(chooser, ready, shared, _request()) == {12: 1000}
    assert _shares(chooser, ready, shared, _request(b"x-canary:  1 \r\n")) == {13: 1000}
    assert _shares(chooser, ready, shared, _request(b"X-Canary: 2\r\n")) == {12: 1000}


def test_the_share_of_a_release_that_is_away_falls_to_the_others(shared: counters.Counters) -> None:
    ready = _instances(12, 13)
    rules = [Rule(14, "X-Canary", "1")]
    chooser = _chooser(ready, weights={12: 1, 13: 1, 14: 98}, rules=rules)
    shares = _shares(chooser, ready, shared, _request(b"X-Canary: 1\r\n"))
    assert min(shares[12], shares[13]) > 350


def test_releases_without_weight_do_not_stand_in_for_those_with_one(
    shared: counters.Counters,
) -> None:
    ready = _instances(12)
    chooser = _chooser(ready, weights={12: 0, 13: 1})
    assert _request().take(chooser, ready, shared)[0] is None


def test_a_percentage_is_of_visitors_and_each_stays_where_it_is(shared: counters.Counters) -> None:
    ready = _instances(12, 13)
    chooser = _chooser(ready, weights={12: 1}, rules=[Rule(13, percentage=25)])
    chosen: Counter[int] = Counter()
    for number in range(1000):
        request = _request(address=f"10.0.{number // 250}.{number % 250}".encode())
        shares = _shares(chooser, ready, shared, request, 3)
        assert len(shares) == 1
        chosen += Counter(shares.keys())
    assert 180 < chosen[13] < 320


def test_a_percentage_of_a_headers_values_leaves_out_who_has_no_such_header(
    shared: counters.Counters,
) -> None:
    ready = _instances(12, 13)
    rules = [Rule(13, "X-User", percentage=100)]
    chooser = _chooser(ready, weights={12: 1}, rules=rules)
    assert _shares(chooser, ready, shared, _request(b"X-User: 7\r\n"), 50) == {13: 50}
    assert _shares(chooser, ready, shared, _request(b"X-Users: 7\r\n"), 50) == {12: 50}


def test_no_more_requests_than_the_limit_are_in_flight_at_an_instance(
    shared: counters.Counters,
) -> None:
    ready = _instances(1, 1)
    chooser = _chooser(ready, Routing(concurrency=2))
    cells = shared.cells
    cells[counters.instance_cell(2, 0)] = 1
    taken = [_request().take(chooser, ready, shared)[0] for _ in range(4)]
    assert Counter(each.slot for each in taken if each) == {0: 1, 1: 2}
    assert taken[3] is None
    assert [cells[each.cell] for each in ready] == [1, 2]


@pytest.mark.parametrize(("rules", "in_turn"), [((), True), ((Rule(1, "X-Canary", "1"),), False)])
def test_who_comes_later_does_not_overtake_who_waits_where_all_may_go_anywhere(
    rules: Sequence[Rule], in_turn: bool
) -> None:
    assert _chooser(_instances(1), Routing(concurrency=2), rules=rules).in_turn is in_turn
    assert not _chooser(_instances(1), Routing(sticky=True)).in_turn


def _cookie(instance: Instance) -> bytes:
    return b"Cookie: a=b; %b=%b\r\n" % (affinity.NAME, affinity.token(APP, instance.id))


def test_a_cookie_leads_to_its_instance_and_is_not_given_again(shared: counters.Counters) -> None:
    ready = _instances(1, 1, 1)
    chooser = _chooser(ready, Routing(sticky=True))
    for wanted in ready:
        assert _request(_cookie(wanted)).take(chooser, ready, shared) == (wanted, b"")


def test_a_cookie_that_leads_nowhere_is_replaced(shared: counters.Counters) -> None:
    ready = _instances(1, 1)
    chooser = _chooser(ready, Routing(sticky=True))
    for bad in (b"", b"Cookie: %b=%b\r\n" % (affinity.NAME, b"0" * 32), _cookie(ready[1])):
        promised = affinity.token(APP, ready[0].id)
        assert _request(bad).take(chooser, ready[:1], shared) == (ready[0], promised)


def test_a_full_instance_is_passed_over_and_the_cookie_stays(shared: counters.Counters) -> None:
    ready = _instances(1, 1)
    chooser = _chooser(ready, Routing(sticky=True, concurrency=1))
    shared.cells[counters.instance_cell(2, 0)] = 1
    assert _request(_cookie(ready[0])).take(chooser, ready, shared) == (ready[1], b"")


def test_a_rule_is_stronger_than_a_cookie_and_a_cookie_than_weights(
    shared: counters.Counters,
) -> None:
    ready = _instances(12, 13)
    rules = [Rule(13, "X-Canary", "1")]
    chooser = _chooser(ready, Routing(sticky=True), {12: 1, 13: 1}, rules)
    block = _cookie(ready[0])
    assert _shares(chooser, ready, shared, _request(block), 50) == {12: 50}
    assert _shares(chooser, ready, shared, _request(block + b"X-Canary: 1\r\n"), 50) == {13: 50}


def test_a_token_tells_nothing_of_the_machine() -> None:
    token = affinity.token(APP, "8c2e0f0a-0000-4000-8000-000000000001")
    assert b"8c2e" not in token
    assert token != affinity.token("another", "8c2e0f0a-0000-4000-8000-000000000001")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"Cookie: smartplatform_affinity=%b\r\n", True),
        (b"cookie:smartplatform_affinity=%b\r\n", True),
        (b"COOKIE: a=1;smartplatform_affinity=%b; b=2\r\n", True),
        (b"Cookie: xsmartplatform_affinity=%b\r\n", False),
        (b"Cookie: smartplatform_affinity=%b0\r\n", False),
        (b"X-Cookie: smartplatform_affinity=%b\r\n", False),
        (b"Cookie: a=1\r\nX: b;smartplatform_affinity=%b\r\n", False),
    ],
)
def test_the_cookie_is_found_where_it_is_one(line: bytes, found: bool) -> None:
    token = b"0123456789abcdef" * 2
    block = b"Host: a\r\n" + line % token + b"\r\n"
    assert affinity.given(block) == (token if found else b"")


@given(st.binary(max_size=200))
def test_any_cookie_is_read(value: bytes) -> None:
    found = affinity.given(b"Cookie: " + value + b"\r\n\r\n")
    assert len(found) in (0, 32)


@pytest.mark.parametrize("secure", [True, False])
def test_the_cookie_joins_the_responses_own(secure: bool) -> None:
    head = response_head(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 3\r\n\r\n")
    changed = affinity.with_cookie(head, b"ab", secure)
    end = b"; Secure\r\n" if secure else b"\r\n"
    assert changed.whole == (
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\n"
        b"Set-Cookie: smartplatform_affinity=ab; Path=/; HttpOnly; SameSite=Lax%b"
        b"Content-Length: 3\r\n\r\n" % end
    )
    assert b"smartplatform" not in head.whole
