"""Keeps every host name's certificate: asks for it when it is needed, again before it ends.

What is to be done follows from the database alone, so a crash loses nothing but an order under way.
The router has the whole set on disk: it serves without this process.
"""

import asyncio
import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from sqlalchemy import Connection

from paas.apps.certificates import Certificate, Issuer, State, dns_pause, failure_pause, renewal
from paas.apps.provided_certificates import Content
from paas.certificates import acme, hostnames
from paas.certificates.acme import Refused
from paas.certificates.authority import Authority, Issued
from paas.errors import PlatformError
from paas.routes import hooks
from paas.routes.client import Router
from paas.settings import Settings
from paas.store import apps, certificates, domains, git_connections, provided_certificates
from paas.store.sql import row
from paas.store.sql.database import Database

ORDERS_AT_ONCE = 4
LOOK_EVERY_S, RETRY_PAUSE_S = 60.0, 1.0
RESOLVE_TIMEOUT_S = 10.0
THREAD_TIMEOUT_S = 300.0
FAILURE_PAUSE = timedelta(seconds=30)
_DEFAULT_HOSTNAME = "default.invalid"
T = TypeVar("T")
log = logging.getLogger(__name__)


async def resolves(hostname: str) -> bool:
    """Does the name lead to any address?"""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_TIMEOUT_S):
            return bool(await loop.getaddrinfo(hostname, 80))
    except (OSError, TimeoutError, UnicodeError):
        return False


class Keeping:
    """`changed` is set by whoever changes which host names there are."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        router: Router,
        changed: asyncio.Event,
        resolve: Callable[[str], Awaitable[bool]] = resolves,
    ) -> None:
        self._settings = settings
        self._database = database
        self._router = router
        self._changed = changed
        self._resolve = resolve
        self._folder = settings.root_certificate.parent
        self._slots = asyncio.Semaphore(ORDERS_AT_ONCE)
        self._answers: dict[str, str] = {}
        self._answering = asyncio.Lock()
        self._orders: dict[str, asyncio.Task[None]] = {}
        self._sent: list[tuple[str, str]] | None = None
        self._version = 0

    async def run(self) -> None:
        """For ever."""
        root = self._settings.root_certificate
        own = await _in_thread(lambda: Authority.open(root, self._settings.installation))
        await self._database.run(certificates.resume)
        following = asyncio.create_task(self._follow())
        try:
            while True:
                self._changed.clear()
                pause_s = await self._turn(own)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._changed.wait()
        finally:
            following.cancel()
            for order in self._orders.values():
                order.cancel()

    async def _follow(self) -> None:
        """A router that was started again may have lost its certificates, and has no challenges."""
        async for _ in self._router.appearances():
            self._sent = None
            self._changed.set()
            if self._answers:
                with contextlib.suppress(PlatformError, TimeoutError):
                    await self._answer(self._answers)

    async def _turn(self, own: Authority) -> float:
        """Do what is due; the seconds after which to look again."""
        try:
            due = await self._database.run(self._due)
            await self._sign([each for each in due if each.issuer is Issuer.LOCAL], own)
            for each in due:
                if each.issuer is Issuer.ACME and each.hostname not in self._orders:
                    self._orders[each.hostname] = asyncio.create_task(self._order(each))
            await self._publish(*await self._database.run(_all))
        except (PlatformError, TimeoutError) as error:
            log.warning("certificates: %s", error or "the router took too long")
            return RETRY_PAUSE_S
        return LOOK_EVERY_S

    def _due(self, connection: Connection) -> list[Certificate]:
        names = [app.name for app in apps.all(connection)]
        names += [hooks.NAME] if git_connections.are_there(connection) else []
        provided = provided_certificates.serving(connection)
        added = {domain.hostname for domain in domains.all(connection)} - provided.keys()
        certificates.keep(connection, hostnames.wanted(self._settings, names, added))
        now = row.now()
        return [each for each in certificates.all(connection) if each.next_try_at <= now]

    async def _sign(self, due: Sequence[Certificate], own: Authority) -> None:
        """With the installation's own authority."""
        names = [each.hostname for each in due]
        if names:
            found = await _in_thread(lambda: [own.issue([_signed_for(name)]) for name in names])
            await self._database.run(_keep_issued, dict(zip(names, found, strict=True)))

    async def _publish(self, known: Sequence[Certificate], provided: Mapping[str, Content]) -> None:
        """Give the router the whole set, when it differs from what it has. Raises PlatformError.

        What an app's owner brought is served before what the platform has for the same name.
        """
        now = row.now()
        own = {each.hostname: (each.chain, each.key) for each in known if each.usable(now)}
        usable = own | {name: (each.chain, each.key) for name, each in provided.items()}
        fingerprint = [(name, chain) for name, (chain, _) in usable.items()]
        while fingerprint != self._sent:
            self._version = version = max(self._version + 1, time.time_ns() // 1_000_000)
            message = [
                {"names": [name], "chain": chain, "key": key}
                for name, (chain, key) in usable.items()
            ]
            self._version = await self._router.certificates(version, message)
            if self._version <= version:
                self._sent = fingerprint

    async def _order(self, certificate: Certificate) -> None:
        """Ask the ACME server for one host name's certificate, and write down what came of it."""
        hostname = certificate.hostname
        try:
            async with self._slots:
                await self._try(certificate)
        except Refused as error:
            log.info("no certificate for %s: %s", hostname, error.reason)
            pause = failure_pause(certificate.attempts, rate_limited=error.rate_limited)
            await self._postpone(certificate, State.FAILED, error.reason, pause)
        except Exception:
            # Whatever it is: the next try comes after a pause, and the others go on.
            log.exception("no certificate for %s", hostname)
            reason = "the platform could not ask for it"
            await self._postpone(certificate, State.FAILED, reason, FAILURE_PAUSE)
        finally:
            del self._orders[hostname]
            self._changed.set()

    async def _try(self, certificate: Certificate) -> None:
        if not await self._resolve(certificate.hostname):
            reason = "the name has no address yet: make its DNS record"
            pause = dns_pause(certificate.attempts)
            await self._postpone(certificate, State.WAITING_FOR_DNS, reason, pause)
            return
        await self._database.run(certificates.issuing, certificate.hostname)
        issued = await self._ask(certificate.hostname)
        await self._database.run(_keep_issued, {certificate.hostname: issued})
        log.info("there is a certificate for %s", certificate.hostname)

    async def _ask(self, hostname: str) -> Issued:
        directory = hostnames.acme_directory(self._settings)
        digest = hashlib.sha256(directory.encode()).hexdigest()[:12]
        account = self._folder / f"account-{digest}.key"
        email = self._settings.acme_email
        order = await _in_thread(lambda: acme.begin(directory, email, account, hostname))
        try:
            await self._answer(self._answers | order.answers)
            return await _in_thread(lambda: acme.finish(order))
        finally:
            left = {key: self._answers[key] for key in self._answers.keys() - order.answers.keys()}
            with contextlib.suppress(PlatformError, TimeoutError):
                await self._answer(left)

    async def _answer(self, answers: dict[str, str]) -> None:
        """Have every worker of the router give these answers, in the order of the calls."""
        self._answers = answers
        async with self._answering:
            await self._router.challenges(self._answers)

    async def _postpone(
        self, certificate: Certificate, state: State, reason: str, pause: timedelta
    ) -> None:
        """One that is still good stays issued, with the reason why there is no newer one."""
        now = row.now()
        state = State.ISSUED if certificate.usable(now) else state
        await self._database.run(
            certificates.postponed, certificate.hostname, state, reason, now + pause
        )


def _all(connection: Connection) -> tuple[list[Certificate], dict[str, Content]]:
    return certificates.all(connection), provided_certificates.serving(connection)


def _keep_issued(connection: Connection, found: dict[str, Issued]) -> None:
    for hostname, each in found.items():
        begins, ends = each.life
        certificates.issued(
            connection, hostname, chain=each.chain, key=each.key,
            expires_at=ends, renew_at=renewal(begins, ends),
        )  # fmt: skip


def _signed_for(hostname: str) -> str:
    return _DEFAULT_HOSTNAME if hostname == hostnames.DEFAULT else hostname


async def _in_thread(work: Callable[[], T]) -> T:
    """In a thread that nobody waits for at the end: an ACME server may be slow to answer."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def tell(result: T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def body() -> None:
        result, failure = None, None
        try:
            result = work()
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants it any more
            loop.call_soon_threadsafe(tell, result, failure)

    threading.Thread(target=body, daemon=True, name="certificates").start()
    async with asyncio.timeout(THREAD_TIMEOUT_S):
        return await future
