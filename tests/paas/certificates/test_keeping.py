"""From a domain to its certificate: a real ACME server, a real router, a real database."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography import x509

from paas.apps.apps import App
from paas.apps.certificates import Certificate, Issuer, State
from paas.apps.provided_certificates import read
from paas.certificates.authority import Authority
from paas.certificates.keeping import Keeping
from paas.routes.client import Router
from paas.store import apps, certificates, domains, provided_certificates
from paas.store.sql.database import Database
from paas.store.sql.row import new_id, now
from paas.store.sql.schema import certificates as rows

NAME = "www.shop.dev"
PATIENCE_S = 30.0


async def everything_resolves(_hostname: str) -> bool:
    return True


class Platform:
    """The part of control that keeps certificates, with one app and its domains."""

    def __init__(self, settings: Any, resolve: Any = everything_resolves) -> None:
        self.settings = settings
        self.resolve = resolve
        self.changed = asyncio.Event()
        self.database: Database

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Platform"]:
        url = f"sqlite:///{self.settings.control_state / 'platform.db'}"
        self.database = await asyncio.to_thread(Database.open, url)
        keeping = Keeping(
            self.settings,
            self.database,
            Router(self.settings.router_socket),
            self.changed,
            self.resolve,
        )
        task = asyncio.create_task(keeping.run())
        try:
            yield self
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.database.close()

    async def add(self, *hostnames: str) -> None:
        found = await self.database.run(apps.all)
        if not found:
            app = App(id=new_id(), name="shop", owner="o", created_at=now())
            await self.database.run(apps.insert, app)
            found = [app]
        for hostname in hostnames:
            await self.database.run(domains.add, found[0].id, hostname)
        self.changed.set()

    async def until(
        self, hostname: str, holds: Callable[[Certificate], bool], timeout_s: float = PATIENCE_S
    ) -> Certificate:
        known = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                while True:
                    known = (await self.database.run(certificates.named, [hostname])).get(hostname)
                    if known is not None and holds(known):
                        return known
                    await asyncio.sleep(0.05)
        raise AssertionError(f"it never came true: {known!r}")

    async def issued(self, hostname: str) -> Certificate:
        return await self.until(hostname, lambda each: each.state is State.ISSUED)

    async def due(self, hostname: str) -> None:
        change = sa.update(rows).where(rows.c.hostname == hostname).values(next_try_at=now())
        await self.database.run(lambda connection: connection.execute(change))
        self.changed.set()


async def shown(settings: Any, hostname: str, context: ssl.SSLContext) -> x509.Certificate:
    """The certificate that the router shows, once it verifies."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", settings.router_tls_port, ssl=context, server_hostname=hostname
                )
            except (ssl.SSLError, ConnectionError):
                await asyncio.sleep(0.1)
                continue
            der = writer.get_extra_info("ssl_object").getpeercert(True)
            writer.transport.abort()
            return x509.load_der_x509_certificate(der)


async def shows(settings: Any, hostname: str, holds: Callable[[Any], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if holds(await shown(settings, hostname, careless())):
                return
            await asyncio.sleep(0.1)


def careless() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def pebbles(settings: Any, hostname: str, certificate: Certificate) -> None:
    """The router shows this very certificate, which is not our own authority's."""
    expected = x509.load_pem_x509_certificate(certificate.chain.encode())
    assert "Pebble" in expected.issuer.rfc4514_string()
    await shows(settings, hostname, lambda found: found == expected)


def with_acme(installation: Any, pebble: Any) -> Any:
    return replace(installation, acme_directory=pebble.directory, acme_email="o@shop.dev")


@pytest.mark.parametrize("nonces_refused_percent", [0, 50])
def test_a_domain_gets_its_certificate_unasked(
    installation: Any, pebble: Any, call: Any, nonces_refused_percent: int
) -> None:
    async def story(settings: Any) -> None:
        async with Platform(settings).running() as platform:
            await platform.add(NAME, "api.shop.dev")
            for hostname in (NAME, "api.shop.dev"):
                known = await platform.issued(hostname)
                assert (known.issuer, known.reason, known.attempts) == (Issuer.ACME, "", 0)
                await pebbles(settings, hostname, known)
            (account,) = (settings.control_state / "certificates").glob("account-*.key")
            assert account.stat().st_mode & 0o777 == 0o600

    with pebble(nonces_refused_percent) as server:
        call(story(with_acme(installation, server)))


def test_a_renewal_replaces_the_certificate_and_keeps_the_account(
    installation: Any, pebble: Any, call: Any
) -> None:
    async def story(settings: Any) -> None:
        async with Platform(settings).running() as platform:
            await platform.add(NAME)
            first = await platform.issued(NAME)
            begins, ends = _life(first)
            assert begins + (ends - begins) * 0.66 < first.next_try_at < ends
        async with Platform(settings).running() as platform:
            await platform.due(NAME)
            second = await platform.until(NAME, lambda each: each.chain != first.chain)
            await pebbles(settings, NAME, second)
            assert second.key != first.key

    with pebble() as server:
        call(story(with_acme(installation, server)))


def test_an_order_that_a_kill_cut_off_is_made_again_at_start(
    installation: Any, pebble: Any, call: Any
) -> None:
    async def story(settings: Any) -> None:
        async with Platform(settings, _nothing_resolves).running() as platform:
            await platform.add(NAME)
            await platform.until(NAME, lambda each: each.attempts == 1)
            await platform.database.run(certificates.issuing, NAME)
        async with Platform(settings).running() as platform:
            await pebbles(settings, NAME, await platform.issued(NAME))

    with pebble() as server:
        call(story(with_acme(installation, server)))


async def _nothing_resolves(_hostname: str) -> bool:
    return False


def test_without_a_dns_record_nobody_is_asked(installation: Any, pebble: Any, call: Any) -> None:
    answers = {"resolves": False}

    async def resolve(_hostname: str) -> bool:
        return answers["resolves"]

    async def story(settings: Any) -> None:
        async with Platform(settings, resolve).running() as platform:
            await platform.add(NAME)
            known = await platform.until(NAME, lambda each: each.attempts == 1)
            assert known.state is State.WAITING_FOR_DNS
            assert "DNS record" in known.reason
            assert now() < known.next_try_at < now() + timedelta(minutes=1)
            assert not list((settings.control_state / "certificates").glob("account-*"))
            answers["resolves"] = True
            await platform.due(NAME)
            await platform.issued(NAME)

    with pebble() as server:
        call(story(with_acme(installation, server)))


def test_a_server_that_does_not_answer_is_asked_later_and_what_is_there_goes_on_serving(
    installation: Any, pebble: Any, call: Any
) -> None:
    async def story(settings: Any) -> None:
        async with Platform(settings).running() as platform:
            await platform.add(NAME)
            first = await platform.issued(NAME)
            server.__exit__(None, None, None)
            await platform.due(NAME)
            known = await platform.until(NAME, lambda each: each.attempts == 1)
            assert (known.state, known.chain) == (State.ISSUED, first.chain)
            assert "does not answer" in known.reason
            await platform.add("late.shop.dev")
            late = await platform.until("late.shop.dev", lambda each: each.attempts == 1)
            assert late.state is State.FAILED
            assert late.next_try_at > now() + timedelta(minutes=5)
            await pebbles(settings, NAME, first)

    with contextlib.ExitStack() as stack:
        server = pebble()
        stack.push(lambda *_: None)
        call(story(with_acme(installation, server.__enter__())))


def test_a_refusal_says_why(installation: Any, pebble: Any, call: Any) -> None:
    async def story(settings: Any) -> None:
        async with Platform(settings).running() as platform:
            await platform.add("blocked-domain.example")
            known = await platform.until("blocked-domain.example", lambda each: each.attempts == 1)
            assert known.state is State.FAILED
            assert "refuses" in known.reason

    with pebble() as server:
        call(story(with_acme(installation, server)))


def test_without_an_acme_server_the_installation_signs_itself(installation: Any, call: Any) -> None:
    async def story() -> None:
        async with Platform(installation, _nothing_resolves).running() as platform:
            await platform.add(NAME, "*.wild.dev")
            for hostname in (NAME, "*.wild.dev", "shop.localhost", "*"):
                assert (await platform.issued(hostname)).issuer is Issuer.LOCAL
            trusting = ssl.create_default_context(cafile=str(installation.root_certificate))
            for hostname in (NAME, "any.wild.dev", "shop.localhost"):
                await shown(installation, hostname, trusting)
            other = await shown(installation, "elsewhere.dev", careless())
            names = other.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            assert names.get_values_for_type(x509.DNSName) == ["default.invalid"]

    call(story())


def test_a_domain_that_is_removed_loses_its_certificate(installation: Any, call: Any) -> None:
    async def story() -> None:
        async with Platform(installation).running() as platform:
            await platform.add(NAME)
            first = await platform.issued(NAME)
            (app,) = await platform.database.run(apps.all)
            await platform.database.run(domains.remove, app.id, NAME)
            platform.changed.set()
            expected = x509.load_pem_x509_certificate(first.chain.encode())
            await shows(installation, NAME, lambda found: found != expected)
            assert await platform.database.run(certificates.named, [NAME]) == {}

    call(story())


def test_no_private_key_is_in_any_representation(installation: Any, call: Any) -> None:
    async def story() -> None:
        async with Platform(installation).running() as platform:
            await platform.add(NAME)
            known = await platform.issued(NAME)
            assert "PRIVATE KEY" in known.key
            assert "PRIVATE" not in repr(known)

    call(story())


def _life(certificate: Certificate) -> tuple[Any, Any]:
    leaf = x509.load_pem_x509_certificate(certificate.chain.encode())
    return leaf.not_valid_before_utc, leaf.not_valid_after_utc


def test_a_certificate_that_was_brought_is_served_until_it_is_taken_away(
    call: Any, installation: Any, tmp_path: Any
) -> None:
    """No other is asked for its domain meanwhile."""
    mine = Authority.open(tmp_path / "mine" / "root.pem", "mine")
    issued = mine.issue(["*.shop.dev"])
    trusted = ssl.create_default_context(cafile=str(tmp_path / "mine" / "root.pem"))

    async def story() -> None:
        async with Platform(installation).running() as platform:
            await platform.add(NAME)
            await platform.issued(NAME)
            [app] = await platform.database.run(apps.all)
            content = read(issued.chain, issued.key, now())
            add = provided_certificates.add
            made = await platform.database.run(add, app.id, "mine-1", content)
            platform.changed.set()
            await shown(installation, NAME, trusted)
            assert await platform.database.run(certificates.named, [NAME]) == {}
            await platform.database.run(provided_certificates.remove, app.id, made.name)
            platform.changed.set()
            await platform.issued(NAME)
            root = str(installation.root_certificate)
            await shown(installation, NAME, ssl.create_default_context(cafile=root))

    call(story())
