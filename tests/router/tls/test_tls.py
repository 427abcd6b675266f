"""TLS to visitors: who gets which certificate, when, and what goes on meanwhile."""

import contextlib
import datetime
import itertools
import json
import os
import random
import signal
import socket
import ssl
import stat
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from router.memory import limits
from router.tls import certificates, tickets, tls
from router.tls.certificates import CertificateError

DAY = datetime.timedelta(days=1)
PATIENCE_S = 30.0
_serials = itertools.count(1)


def make(*names: str) -> dict[str, Any]:
    """A certificate of its own making; its serial number tells it from others."""
    key = ec.generate_private_key(ec.SECP256R1())
    number = next(_serials)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, f"test {number}")])
    now = datetime.datetime.now(datetime.UTC)
    hosts = [x509.DNSName("default.test" if name == "*" else name) for name in names]
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), number)
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    chain = certificate.public_bytes(serialization.Encoding.PEM).decode()
    return {"names": list(names), "chain": chain, "key": private.decode()}


def serial(certificate: dict[str, Any]) -> int:
    return x509.load_pem_x509_certificate(certificate["chain"].encode()).serial_number


_versions = itertools.count(1)


def push(router: Any, *chosen: dict[str, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = router.ask(
        {"type": "certificates", "version": next(_versions), "certificates": list(chosen)}
    )
    return answer


def trusting(*chosen: dict[str, Any]) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.load_verify_locations(cadata="".join(each["chain"] for each in chosen))
    return context


def careless() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def visit(router: Any, host: str | None, context: ssl.SSLContext, **options: Any) -> Any:
    """A visitor whose connection is encrypted."""
    visitor = router.visit()
    visitor.socket.close()
    plain = socket.create_connection(router.secure_address, PATIENCE_S)
    try:
        visitor.socket = context.wrap_socket(plain, server_hostname=host, **options)
    except BaseException:
        plain.close()
        raise
    return visitor


def shown(router: Any, host: str | None) -> int:
    """The serial number of the certificate that a visitor is shown."""
    visitor = visit(router, host, careless())
    try:
        return x509.load_der_x509_certificate(visitor.socket.getpeercert(True)).serial_number
    finally:
        visitor.close()


@pytest.fixture
def site(router: Any, app: Any) -> Any:
    """An app at www.test, shop.test and whatever is under wild.test."""
    app.entry["domains"] = ["www.test", "shop.test", "*.wild.test"]
    router.publish(app.entry)
    return app


def test_a_request_over_tls_reaches_the_app_and_says_so(router: Any, site: Any) -> None:
    certificate = make("www.test")
    push(router, certificate)
    visitor = visit(router, "www.test", trusting(certificate))
    visitor.get(b"www.test")
    assert visitor.response().body == b"hello"
    visitor.get(b"www.test", extra=b"X-Forwarded-Proto: http\r\nX-Forwarded-Port: 1\r\n")
    assert visitor.response().body == b"hello"
    for request in site.requests:
        assert request.count(b"X-Forwarded-Proto") == 1
        assert b"\r\nX-Forwarded-Proto: https\r\n" in request
        assert b"\r\nX-Forwarded-Port: %d\r\n" % router.secure_address[1] in request
    assert all(line.endswith(" protocol=https") for line in router.lines(site.id, 2))
    assert router.fetch(b"www.test").status == 200
    assert b"\r\nX-Forwarded-Proto: http\r\n" in site.requests[-1]


def test_the_name_chooses_the_certificate(router: Any) -> None:
    exact, wild, other = make("a.wild.test"), make("*.wild.test", "wild.test"), make("*")
    push(router, exact, wild, other)
    assert shown(router, "a.wild.test") == serial(exact)
    assert shown(router, "A.Wild.Test") == serial(exact)
    assert shown(router, "b.wild.test") == serial(wild)
    assert shown(router, "wild.test") == serial(wild)
    assert shown(router, "c.b.wild.test") == serial(other)
    assert shown(router, "elsewhere.test") == serial(other)
    assert shown(router, None) == serial(other)


def test_without_a_default_unknown_names_are_refused(router: Any) -> None:
    push(router, make("www.test"))
    for host in ("elsewhere.test", None):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            visit(router, host, careless())
    push(router)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        visit(router, "www.test", careless())


def test_a_swap_changes_handshakes_and_leaves_connections_alone(router: Any, site: Any) -> None:
    old, new = make("www.test"), make("www.test")
    push(router, old)
    kept = visit(router, "www.test", trusting(old))
    kept.get(b"www.test")
    assert kept.response().status == 200
    assert push(router, new)["type"] == "certificates"
    assert shown(router, "www.test") == serial(new)
    kept.get(b"www.test")
    assert kept.response().status == 200


def test_old_versions_and_old_protocols_are_refused(router: Any) -> None:
    push(router, make("*"))
    old = careless()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        visit(router, "a.test", old)
    weak = careless()
    weak.maximum_version = ssl.TLSVersion.TLSv1_2
    weak.set_ciphers("AES128-SHA:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        visit(router, "a.test", weak)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = careless()
        context.minimum_version = context.maximum_version = version
        visit(router, "a.test", context).close()


def test_alpn_offers_http_1_1(router: Any) -> None:
    push(router, make("*"))
    for offered, chosen in ((["h2", "http/1.1"], "http/1.1"), (["h2"], None)):
        context = careless()
        context.set_alpn_protocols(offered)
        visitor = visit(router, "a.test", context)
        assert visitor.socket.selected_alpn_protocol() == chosen
        visitor.close()


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"version": 10**6}, "certificates is missing"),
        ({"version": True, "certificates": []}, "version"),
        ({"version": 10**6, "certificates": [{"names": ["a.test"]}]}, "form"),
        ({"version": 10**6, "certificates": [make("a.test") | {"names": []}]}, "form"),
        ({"version": 10**6, "certificates": [make("a.test") | {"names": ["a b"]}]}, "names"),
        ({"version": 10**6, "certificates": [make("a.test"), make("a.test")]}, "two"),
        ({"version": 10**6, "certificates": [make("a.test") | {"chain": "x"}]}, "a.test"),
        (
            {"version": 10**6, "certificates": [make("a.test") | {"key": make("b")["key"]}]},
            "a.test",
        ),
    ],
)
def test_a_bad_set_is_refused_whole(router: Any, bad: dict[str, Any], why: str) -> None:
    good = make("*")
    push(router, good)
    answer = router.ask({"type": "certificates", **bad})
    assert answer["type"] == "error"
    assert why in answer["message"]
    assert "PRIVATE" not in answer["message"]
    assert shown(router, "a.test") == serial(good)


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password() -> None:
    certificate = make("a.test")
    key = serialization.load_pem_private_key(certificate["key"].encode(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    ).decode()
    with pytest.raises(CertificateError):
        tls.context_with(certificates.Certificate(("a.test",), certificate["chain"], encrypted))


def test_the_set_is_on_disk_for_its_owner_only_and_keys_are_in_no_log(
    own_router: Any, make_app: Any
) -> None:
    certificate = make("*")
    push(own_router, certificate)
    own_router.ask({"type": "certificates", "version": 10**9, "certificates": [{"key": "SECRET"}]})
    path = own_router.folder / "certificates.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each["names"] for each in json.loads(path.read_text())["certificates"]] == [["*"]]
    own_router.process.kill()
    own_router.process.wait()
    own_router.start()
    assert shown(own_router, "a.test") == serial(certificate)
    secret = certificate["key"].splitlines()[1]
    for file in own_router.folder.rglob("*"):
        if file.is_file() and file != path:
            assert secret not in file.read_text(errors="replace"), file
    assert "SECRET" not in (own_router.folder / "stderr").read_text()


def test_a_damaged_file_is_said_and_leaves_plain_http_alone(own_router: Any, make_app: Any) -> None:
    app = make_app()
    own_router.publish(app.entry)
    own_router.process.kill()
    own_router.process.wait()
    (own_router.folder / "certificates.json").write_text("{")
    own_router.start()
    assert own_router.fetch(app.host).status == 200
    assert "starting without certificates" in (own_router.folder / "stderr").read_text()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_sessions_are_resumed_by_all_workers_and_generations(
    own_router: Any, make_app: Any, version: ssl.TLSVersion
) -> None:
    app = make_app()
    own_router.publish(app.entry)
    push(own_router, make("www.test"))
    context = careless()
    context.minimum_version = context.maximum_version = version

    def session(old: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession]:
        visitor = visit(own_router, "www.test", context, session=old)
        visitor.get(app.host)
        assert visitor.response().status == 200
        reused = bool(visitor.socket.session_reused)
        found = visitor.socket.session
        visitor.close()
        return reused, found

    _, first = session(None)
    assert [session(first)[0] for _ in range(20)] == [True] * 20
    before = set(own_router.worker_pids())
    own_router.process.send_signal(signal.SIGHUP)
    end = time.monotonic() + PATIENCE_S
    while before & set(own_router.worker_pids()):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert [session(first)[0] for _ in range(10)] == [True] * 10


def test_ticket_keys_are_those_of_the_context() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    assert tickets.use(context, tickets.new())
    assert not tickets.use(context, b"short")


def test_challenges_are_answered_for_any_host_before_all_else(router: Any, site: Any) -> None:
    site.entry["https"] = "redirect"
    router.publish(site.entry)
    path = b"/.well-known/acme-challenge/to-ken_1"
    assert router.ask({"type": "challenges", "challenges": {"to-ken_1": "to-ken_1.thumb"}}) == {
        "type": "challenges",
        "version": 1,
    }
    for host in (b"www.test", b"nobody.test", b"127.0.0.1"):
        response = router.fetch(host, path)
        assert (response.status, response.body) == (200, b"to-ken_1.thumb")
    assert router.fetch(b"nobody.test", b"/.well-known/acme-challenge/other").status == 404
    assert router.fetch(b"www.test", b"/.well-known/acme-challenge/other").status == 301
    visitor = router.visit()
    visitor.get(b"www.test", path)
    assert visitor.response().status == 200
    visitor.send(b"HEAD %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
    assert visitor.response(b"HEAD").header("content-length") == "14"
    router.ask({"type": "challenges", "challenges": {}})
    assert router.fetch(b"nobody.test", path).status == 404
    assert site.requests == []


@pytest.mark.parametrize(
    "bad", [[], {"a/b": "x"}, {"": "x"}, {"a": "x\r\ny"}, {"a": 1}, {"a": ""}, None]
)
def test_bad_challenges_are_refused(router: Any, bad: Any) -> None:
    assert router.ask({"type": "challenges", "challenges": bad})["type"] == "error"


def test_an_app_may_send_its_visitors_to_https(router: Any, site: Any) -> None:
    site.entry["https"] = "redirect"
    router.publish(site.entry)
    certificate = make("www.test")
    push(router, certificate)
    visitor = router.visit()
    base = f"https://www.test:{router.secure_address[1]}"
    visitor.get(b"www.test:80", b"/a?b=c%20d")
    response = visitor.response()
    assert (response.status, response.header("location")) == (301, f"{base}/a?b=c%20d")
    visitor.send(b"POST /form HTTP/1.1\r\nHost: www.test\r\nContent-Length: 4\r\n\r\nbody")
    response = visitor.response()
    assert (response.status, response.header("location")) == (308, f"{base}/form")
    assert response.header("connection") == "close"
    assert site.requests == []
    secure = visit(router, "www.test", trusting(certificate))
    secure.get(b"www.test")
    assert secure.response().body == b"hello"
    (first, second, third) = router.lines(site.id, 3)
    assert " status=301 " in first and first.endswith("protocol=http")
    assert " status=308 " in second
    assert " status=200 " in third and third.endswith("protocol=https")


@pytest.mark.parametrize("bad", ["always", "", None, True])
def test_a_table_says_redirect_or_optional(router: Any, site: Any, bad: Any) -> None:
    table = {"version": 10**12, "bases": [], "apps": [site.entry | {"https": bad}]}
    answer = router.ask({"type": "table", "table": table})
    assert answer["type"] == "error"
    assert "table.apps[0].https" in answer["message"]


def test_a_large_body_goes_both_ways_over_tls(router: Any, site: Any) -> None:
    push(router, make("*"))

    def script(talk: Any) -> None:
        body = talk.request().partition(b"\r\n\r\n")[2]
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    site.script = script
    body = random.Random(1).randbytes(3_000_000)
    visitor = visit(router, "www.test", careless())
    head = b"POST / HTTP/1.1\r\nHost: www.test\r\nContent-Length: %d\r\n\r\n" % len(body)
    visitor.send(head + body)
    assert visitor.response().body == body


def test_a_response_to_an_upload_that_is_refused_arrives_over_tls(router: Any) -> None:
    push(router, make("*"))
    visitor = visit(router, "a.test", careless())
    visitor.send(b"POST / HTTP/1.1\r\nHost: nobody.test\r\nContent-Length: 500000\r\n\r\n")
    visitor.send(b"x" * 20000)
    response = visitor.response()
    assert (response.status, response.header("connection")) == (404, "close")
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        assert visitor.socket.recv(1) == b""


def test_a_tunnel_over_tls_ends_for_both_when_one_ends_it(router: Any, site: Any) -> None:
    push(router, make("*"))

    def script(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 101 X\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
        talk.send(b"heard " + talk.exactly(5))
        talk.socket.shutdown(socket.SHUT_WR)
        talk.wait_for_close()

    site.script = script
    visitor = visit(router, "www.test", careless())
    visitor.get(b"www.test", extra=b"Upgrade: x\r\nConnection: upgrade\r\n")
    assert visitor.response().status == 101
    visitor.send(b"hello")
    assert visitor.everything() == b"heard hello"


def test_what_is_no_handshake_is_closed(router: Any, site: Any) -> None:
    push(router, make("*"))
    with socket.create_connection(router.secure_address, PATIENCE_S) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: www.test\r\n\r\n")
        data = b""
        with contextlib.suppress(ConnectionError):
            while part := plain.recv(1000):
                data += part
        assert not data.startswith(b"HTTP")
    with socket.create_connection(router.secure_address, PATIENCE_S) as silent:
        started = time.monotonic()
        with contextlib.suppress(ConnectionError):
            assert silent.recv(1) == b""
        assert time.monotonic() - started < limits.DEFAULTS.head_s
    assert router.fetch(b"www.test").status == 200


class Prober:
    """Asks at a constant rate over TLS, on new and on kept connections; every answer counts."""

    def __init__(self, router: Any, host: str, trusted: ssl.SSLContext) -> None:
        self.answered = 0
        self.failed: list[str] = []
        self._router, self._host, self._trusted = router, host, trusted
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._probe, args=(n,)) for n in range(3)]

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()

    def wait(self, more: int) -> None:
        goal, end = self.answered + more, time.monotonic() + PATIENCE_S
        while self.answered < goal:
            assert time.monotonic() < end, f"stuck at {self.answered}: {self.failed[:3]}"
            time.sleep(0.005)

    def _probe(self, number: int) -> None:
        visitor = None
        while not self._over.wait(0.01):
            try:
                visitor = visitor or visit(self._router, self._host, self._trusted)
                visitor.get(self._host.encode())
                response = visitor.response()
                if (response.status, response.body) != (200, b"hello"):
                    self.failed.append(f"{response.status} {response.body!r}")
                self.answered += 1
                if number == 0 or response.header("connection") == "close":
                    visitor.close()
                    visitor = None
            except (OSError, EOFError) as error:
                self.failed.append(repr(error))
                visitor = None
        if visitor is not None:
            visitor.close()


def test_no_request_is_lost_through_thirty_swaps(own_router: Any, make_app: Any) -> None:
    app = make_app()
    app.entry["domains"] = ["www.test"]
    own_router.publish(app.entry)
    chosen = [make("www.test") for _ in range(31)]
    push(own_router, chosen[0])
    prober = Prober(own_router, "www.test", trusting(*chosen))
    with prober.running():
        for number, certificate in enumerate(chosen[1:]):
            version = push(own_router, certificate, make(f"other-{number}.test"))["version"]
            assert own_router.ask({"type": "status"})["certificates"] == version
            assert shown(own_router, "www.test") == serial(certificate)
            prober.wait(10)
    assert prober.failed == []
    assert prober.answered >= 300


def test_no_request_is_lost_when_generations_change(own_router: Any, make_app: Any) -> None:
    app = make_app()
    app.entry["domains"] = ["www.test"]
    own_router.publish(app.entry)
    certificate = make("www.test")
    push(own_router, certificate)
    prober = Prober(own_router, "www.test", trusting(certificate))
    with prober.running():
        for _ in range(3):
            before = set(own_router.worker_pids())
            os.kill(own_router.process.pid, signal.SIGHUP)
            end = time.monotonic() + PATIENCE_S
            while before & set(own_router.worker_pids()):
                assert time.monotonic() < end
                prober.wait(5)
    assert prober.failed == []


def test_names_lead_to_certificates_in_their_order() -> None:
    front = tls.Front()
    exact = certificates.Certificate(("a.b.test",), "", "")
    wild = certificates.Certificate(("*.b.test",), "", "")
    front.swap(certificates.Certificates(1, (exact, wild)), tickets.new())
    assert front.certificate("a.b.test") is exact
    assert front.certificate("A.B.TEST.") is exact
    assert front.certificate("c.b.test") is wild
    assert front.certificate("b.test") is None
    assert front.certificate("x.c.b.test") is None
    assert front.certificate(None) is None
