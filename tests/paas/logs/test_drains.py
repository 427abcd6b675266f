"""What a drain's receiver gets: its form, in what order, what is said of what was dropped."""

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.logs import Delivery, LogLine, Target, framing
from paas.logs import delivery as delivering
from paas.logs.buffer import Buffer
from tests.paas.logs import receivers
from tests.ports import free_ports

TOKEN = "d.01234567-89ab-4cde-8f01-23456789abcd"
PATIENCE_S = 60


def line(number: int, text: str = "", source: str = "app", process: str = "web.1") -> LogLine:
    return LogLine(1_764_563_696_123_456_000 + number, source, process, text or f"line {number}")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivering, "PAUSES_S", (0.02,))


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    context, chain = receivers.certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(chain))
    return context


@pytest.fixture
def deliver() -> Iterator[Any]:
    """`deliver(url)` is a delivery under way."""
    made: list[Delivery] = []

    def start(url: str, *, private: bool = True, buffer: Buffer | None = None) -> Delivery:
        made.append(Delivery(Target(url, TOKEN, private), 0, buffer))
        made[-1].start()
        return made[-1]

    yield start
    for each in made:
        each.stop()


def until(condition: Any) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.01)


def test_messages_have_herokus_form() -> None:
    said = line(0, "State changed from starting to up", "heroku")
    moment = "2025-12-01T04:34:56.123456+00:00"
    assert framing.logplex(said) == (
        f"93 <45>1 {moment} host heroku web.1 - State changed from starting to up\n".encode()
    )
    of_app = framing.syslog(line(0, "é"), TOKEN).decode()
    assert of_app.endswith(f" <190>1 {moment} {TOKEN} app web.1 - - é\n")
    assert of_app.startswith(f"{len(of_app.partition(' ')[2].encode())} <")
    for text, priority in (("router", 158), ("logplex", 172), ("web.1", 45)):
        assert f"<{priority}>1".encode() in framing.logplex(line(0, "x", "heroku", text))
    assert b"<134>1" in framing.logplex(line(0, "x", "app", "api"))
    assert framing.overflow(0, 7, 0).text == (
        "Error L10 (output buffer overflow): 7 messages dropped since 1970-01-01T00:00:00+00:00"
    )


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 8)), max_size=40), st.integers(1, 10))
def test_of_what_is_put_in_each_line_is_taken_or_counted(
    steps: list[tuple[bool, int]], lines_max: int
) -> None:
    buffer, put, taken, said = Buffer(lines_max, 10_000), 0, list[int](), 0
    for is_put, count in [*steps, (True, 1), (False, 99)]:
        if is_put:
            buffer.put([line(put + each) for each in range(count)])
            put += count
        elif len(buffer):
            batch = buffer.take(count, 10_000)
            assert batch
            taken += [each.time_ns - line(0).time_ns for each in batch.lines]
            said += batch.dropped
        assert len(buffer) <= lines_max
    assert taken == sorted(set(taken)) and taken[-1] == put - 1
    assert len(taken) + said == put and said == buffer.dropped


def test_a_buffer_is_bounded_in_characters_as_well() -> None:
    buffer = Buffer(100, 1_000)
    buffer.put([line(number, "x" * 400) for number in range(5)])
    assert (len(buffer), buffer.dropped) == (2, 3)
    batch = buffer.take(10, 1)
    assert batch and len(batch.lines) == 1
    buffer.lose(batch)
    again = buffer.take(10, 1_000)
    assert again and (again.dropped, again.since_ns) == (4, line(0).time_ns)


@pytest.mark.parametrize("scheme", ["syslog", "syslog+tls"])
def test_syslog_comes_whole_and_in_order(deliver: Any, trusted: Any, scheme: str) -> None:
    context = trusted if scheme.endswith("tls") else None
    with receivers.tcp(context) as (port, found):
        to = deliver(f"{scheme}://localhost:{port}")
        for start in range(0, 3_000, 500):
            to.buffer.put([line(start + each) for each in range(500)])
        found.until(lambda received: len(received.messages) == 3_000)
    assert [each.text for each in found.messages] == [f"line {each}" for each in range(3_000)]
    first = found.messages[0]
    assert (first.priority, first.host, first.source, first.process) == (190, TOKEN, "app", "web.1")
    assert len(found.connections) == 1
    until(lambda: to.status.delivered == 3_000)
    assert to.status.seen_ns == line(2_999).time_ns


def test_https_has_herokus_headers_and_a_frame_id_that_lasts(deliver: Any, trusted: Any) -> None:
    with receivers.https(trusted) as (port, found):
        found.answers += [503, 500, 204]
        to = deliver(f"https://user:secret@localhost:{port}/drain?key=1")
        to.buffer.put([line(0), line(1)])
        found.until(lambda received: len(received.messages) == 2)
        until(lambda: to.status.delivered == 2)
    one, two, three = found.requests
    assert one["Logplex-Frame-Id"] == two["Logplex-Frame-Id"] == three["Logplex-Frame-Id"]
    assert three["Content-Type"] == "application/logplex-1"
    assert three["Logplex-Msg-Count"] == "2" and three["Logplex-Drain-Token"] == TOKEN
    assert three["Authorization"] == "Basic dXNlcjpzZWNyZXQ=" and three["path"] == "/drain?key=1"
    assert found.messages[0].host == "host" and to.status.failure == ""


def test_what_a_receiver_refuses_is_counted_and_told(deliver: Any, trusted: Any) -> None:
    with receivers.https(trusted) as (port, found):
        found.answers += [400] * delivering.REFUSALS_MAX
        to = deliver(f"https://localhost:{port}/")
        to.buffer.put([line(0), line(1)])
        found.until(lambda received: len(received.requests) == delivering.REFUSALS_MAX)
        until(lambda: to.status.dropped == 2)
        assert to.status.failure == "the receiver answers 400"
        to.buffer.put([line(2)])
        found.until(lambda received: len(received.messages) == 2)
    assert found.messages[0].text.startswith("Error L10 (output buffer overflow): 2 messages")
    assert [each.text for each in found.messages[1:]] == ["line 2"]


def test_a_receiver_that_hangs_up_is_called_again(deliver: Any) -> None:
    with receivers.tcp() as (port, found):
        to = deliver(f"syslog://127.0.0.1:{port}")
        to.buffer.put([line(0)])
        found.until(lambda received: len(received.messages) == 1)
        found.connections[0].shutdown(2)
        until(lambda: to._socket is None or delivering._is_closed(to._socket))
        to.buffer.put([line(1)])
        found.until(lambda received: len(received.messages) == 2)
    assert [each.text for each in found.messages] == ["line 0", "line 1"]


def test_a_certificate_of_nobody_is_refused(deliver: Any, tmp_path: Path) -> None:
    context, _ = receivers.certificate(tmp_path)
    with receivers.tcp(context) as (port, found):
        to = deliver(f"syslog+tls://localhost:{port}")
        to.buffer.put([line(0)])
        until(lambda: "certificate" in to.status.failure)
        assert not found.messages and to.status.delivered == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]"])
@pytest.mark.parametrize("scheme", ["syslog", "syslog+tls", "https"])
def test_no_address_of_this_host_is_called_unless_the_operator_lets_it(
    deliver: Any, host: str, scheme: str
) -> None:
    with receivers.tcp() as (port, found):
        to = deliver(f"{scheme}://{host}:{port}", private=False)
        to.buffer.put([line(0)])
        until(lambda: "private network" in to.status.failure)
        assert not found.connections


def test_what_is_dropped_for_a_slow_receiver_is_counted_exactly(deliver: Any) -> None:
    """100,000 lines to a receiver that takes none of them meanwhile, and then all that is left."""
    total, step = 100_000, 100
    with receivers.tcp(buffer_bytes=4096) as (port, found):
        found.may_read.clear()
        to = deliver(f"syslog://127.0.0.1:{port}")
        to.buffer.put([line(0)])
        found.until(lambda received: received.connections)
        for start in range(1, total, step):
            to.buffer.put([line(each) for each in range(start, min(start + step, total))])
        assert to.status.dropped > 0 and to.status.waiting <= 5_000
        found.may_read.set()
        last = f"line {total - 1}"
        found.until(lambda received: last in [each.text for each in received.messages[-1:]])
    said = [each.text for each in found.messages if each.process == "logplex"]
    counts = [int(re.findall(r": (\d+) messages dropped", each)[0]) for each in said]
    lines = [each.text for each in found.messages if each.process != "logplex"]
    assert len(lines) + sum(counts) == total and sum(counts) == to.status.dropped
    assert len(lines) == len(set(lines))


def test_who_is_stopped_ends_though_the_receiver_is_dead(deliver: Any) -> None:
    with receivers.tcp(buffer_bytes=4096) as (port, found):
        found.may_read.clear()
        to = deliver(f"syslog://127.0.0.1:{port}")
        to.buffer.put([line(each, "x" * 9_000) for each in range(400)])
        found.until(lambda received: received.connections)
        to.stop()
        to._thread.join(PATIENCE_S)
        assert not to._thread.is_alive()
    before = {each.name for each in threading.enumerate()}
    assert f"drain {TOKEN}" not in before


def _rsyslogd() -> str | None:
    return os.environ.get("RSYSLOGD") or shutil.which("rsyslogd")


@pytest.mark.skipif(_rsyslogd() is None, reason="rsyslog is not installed")
def test_rsyslog_takes_it(deliver: Any, tmp_path: Path) -> None:
    [port] = free_ports(1)
    log = tmp_path / "log"
    (tmp_path / "rsyslog.conf").write_text(
        f'module(load="imtcp")\ninput(type="imtcp" port="{port}" address="127.0.0.1")\n'
        'template(name="t" type="string" string="%pri%|%hostname%|%app-name%|%procid%|%msg%\\n")\n'
        f'action(type="omfile" file="{log}" template="t")\n'
    )
    command = [str(_rsyslogd()), "-n", "-f", str(tmp_path / "rsyslog.conf")]
    with subprocess.Popen([*command, "-i", str(tmp_path / "pid")]) as process:
        try:
            to = deliver(f"syslog://127.0.0.1:{port}")
            texts = ["plain", "é ☃ [1m", '<1>1 - "quoted" \\', "x" * 2_000]
            to.buffer.put([line(number, text) for number, text in enumerate(texts)])
            wanted = [f"190|{TOKEN}|app|web.1|{text}" for text in texts]

            def came() -> bool:
                assert process.poll() is None, "rsyslogd has ended"
                return log.exists() and log.read_text().splitlines() == wanted

            until(came)
        finally:
            process.terminate()
            process.wait(30)
