"""How many visitors are let in, and that those who wait outside get their turn."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.traffic import visitors
from tests.router.conftest import FAST_LIMITS, PATIENCE_S, Router
from tests.router.tls.test_tls import careless, make, push, visit


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=60), st.integers(1, 3))
def test_an_address_has_as_many_as_it_may(steps: list[tuple[bool, int]], limit: int) -> None:
    known = visitors.Visitors(limit)
    held = dict.fromkeys(range(4), 0)
    for comes, number in steps:
        address = b"192.0.2.%d" % number
        if comes:
            assert known.enter(address) == (held[number] < limit)
            held[number] = min(limit, held[number] + 1)
        elif held[number]:
            known.leave(address)
            held[number] -= 1


def test_a_customers_ipv6_network_counts_as_one() -> None:
    known = visitors.Visitors(1)
    assert known.enter(b"2001:db8:0:1::1")
    assert not known.enter(b"2001:db8:0:1:9::2")
    assert known.enter(b"2001:db8:0:2::1")


@pytest.mark.parametrize("address", [b"127.0.0.1", b"127.9.9.9", b"::1", b"10.1.2.3"])
def test_this_host_and_trusted_proxies_are_not_counted(address: bytes) -> None:
    known = visitors.Visitors(1, visitors.networks(["10.0.0.0/8"]))
    for _ in range(5):
        assert known.enter(address)
    known.leave(address)


def test_who_is_turned_away_is_reported_once(capfd: Any) -> None:
    known = visitors.Visitors(1)
    for _ in range(4):
        known.enter(b"192.0.2.1")
    known.report()
    known.report()
    (line,) = capfd.readouterr().err.splitlines()
    assert "refused 3 connections" in line
    assert "192.0.2.1" in line


def _other_address() -> str | None:
    """An address of this host that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, contextlib.suppress(OSError):
        probe.connect(("192.0.2.1", 9))
        address: str = probe.getsockname()[0]
        return None if address.startswith("127.") else address
    return None


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """A router that lets twelve visitors in, four from one address, three in a handshake."""
    limits = ("connections=12", "connections_per_address=4", "handshakes=3", *FAST_LIMITS[1:])
    router = Router(tmp_path_factory.mktemp("small"), limits=(*limits, "keep_alive_s=100"))
    yield router
    router.stop()


@pytest.fixture
def site(small: Router, make_app: Any) -> Iterator[Any]:
    app = make_app()
    small.publish(app.entry)
    yield app
    small.withdraw(app.id)


def test_a_socket_s_own_address_counts(small: Router, site: Any) -> None:
    address = _other_address()
    if address is None:
        pytest.skip("this host has no address but loopback")
    held = []
    for _ in range(4):
        connection = socket.create_connection(small.address, PATIENCE_S, (address, 0))
        connection.sendall(b"GET / HTTP/1.1\r\nHost: %b\r\n\r\n" % site.host)
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        held.append(connection)
    more = socket.create_connection(small.address, PATIENCE_S, (address, 0))
    with contextlib.suppress(ConnectionResetError):
        assert more.recv(100) == b""
    for each in (*held, more):
        each.close()
    assert small.fetch(site.host).status == 200


def test_when_it_is_full_visitors_wait_and_kept_connections_make_room(
    small: Router, site: Any
) -> None:
    kept = []
    for _ in range(12):
        visitor = small.visit()
        visitor.get(site.host)
        assert visitor.response().status == 200
        kept.append(visitor)
    waiting = [small.visit() for _ in range(20)]
    for visitor in waiting:
        visitor.get(site.host, extra=b"Connection: close\r\n")
    for visitor in waiting:
        assert visitor.response().status == 200
        visitor.close()
    for visitor in kept:
        visitor.close()


def test_silent_handshakes_do_not_keep_others_out(small: Router, site: Any) -> None:
    push(small, make("www.test"))
    small.publish({**site.entry, "domains": ["www.test"]})
    silent = [socket.create_connection(small.secure_address, PATIENCE_S) for _ in range(8)]
    visitor = visit(small, "www.test", careless())
    visitor.get(b"www.test")
    assert visitor.response().status == 200
    visitor.close()
    for each in silent[:5]:  # the oldest had to go
        with contextlib.suppress(ConnectionResetError):
            assert each.recv(100) == b""
    for each in silent:
        each.close()


def test_with_few_descriptors_visitors_wait_and_nobody_is_lost(
    tmp_path: Path, make_app: Any
) -> None:
    router = Router(tmp_path, limits=FAST_LIMITS, descriptors_max=260)
    try:
        app = make_app()
        router.publish(app.entry)
        visitors = [router.visit() for _ in range(80)]
        for visitor in visitors:
            visitor.get(app.host)
        assert [visitor.response().status for visitor in visitors] == [200] * 80
        for visitor in visitors:
            visitor.close()
    finally:
        router.stop()


def test_a_worker_that_runs_out_of_descriptors_serves_again(tmp_path: Path, make_app: Any) -> None:
    router = Router(tmp_path, limits=FAST_LIMITS)
    try:
        app = make_app()
        router.publish(app.entry)
        (worker,) = router.worker_pids()
        used = len(list(Path(f"/proc/{worker}/fd").iterdir()))
        subprocess.run(
            ["prlimit", "--pid", str(worker), f"--nofile={used + 20}"], check=True, timeout=30
        )
        visitors = [router.visit() for _ in range(60)]
        for visitor in visitors:
            with contextlib.suppress(ConnectionError):
                visitor.get(app.host)
        answered = [_status(visitor) for visitor in visitors]
        assert set(answered) <= {200, 503, None}
        end = time.monotonic() + PATIENCE_S
        while _again(router, app.host) != 200:  # those who were let in have to go first
            assert time.monotonic() < end
            time.sleep(0.1)
        assert not any("code=H21" in line for line in router.lines(app.id))
        assert router.worker_pids() == [worker]
    finally:
        router.stop()


def _again(router: Router, host: bytes) -> int | None:
    visitor = router.visit()
    with contextlib.suppress(ConnectionError):
        visitor.get(host)
    return _status(visitor)


def _status(visitor: Any) -> int | None:
    try:
        return int(visitor.response().status)
    except (EOFError, ConnectionError):
        return None
    finally:
        visitor.close()


def test_a_bad_network_is_said_at_the_start() -> None:
    command = [sys.executable, "-m", "router.keeper", "--control-socket", "x", "--table", "x"]
    command += ["--log-folder", "x", "--trusted-proxy", "10.0.0.1/8"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "10.0.0.1/8" in done.stderr
