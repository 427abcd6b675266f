"""The ASGI application: who is it, which repository, then the service does the rest."""

import asyncio
import contextlib
import logging
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from urllib.parse import parse_qs

from gitserver import collecting, fetch, incoming, receive, references
from gitserver.interface import (
    Accept,
    Authenticate,
    Find,
    Graft,
    Limits,
    NewCommit,
    NotFoundMessage,
    Receive,
    Refusal,
    Scope,
    Send,
    Stored,
)
from gitserver.jobs import JobDied, JobFailed, Jobs
from gitserver.lfs import serving
from gitserver.objects.tidying import needs_tidying
from gitserver.paths import Target, matches, parse
from gitserver.protocol import conversation, packets
from gitserver.protocol.conversation import Stream
from gitserver.protocol.exchange import ClientGone, Exchange

__all__ = ["GitServer", "application", "matches"]

SERVICES = ("git-upload-pack", "git-receive-pack")
_REALM = {"www-authenticate": 'Basic realm="SmartPlatform"'}
log = logging.getLogger(__name__)


class GitServer:
    """An ASGI application. `start()` warms the checking process; `aclose()` ends it."""

    def __init__(
        self,
        *,
        repositories: Path,
        authenticate: Authenticate,
        find: Find,
        accept: Accept,
        limits: Limits,
    ) -> None:
        self._incoming = repositories / ".incoming"
        self._authenticate = authenticate
        self._find = find
        self._limits = limits
        checks, fetches = limits.checks_at_once, limits.fetches_at_once
        at_once = {"archive": checks, "check": checks, "fetch": fetches, "graft": checks, "tidy": 1}
        self._jobs = Jobs(at_once)
        self._tidying: dict[Path, asyncio.Task[None]] = {}
        self._receiving: Counter[Path] = Counter()
        self._collecting: dict[Path, asyncio.Task[None]] = {}
        self._receiver = receive.Receiver(self._jobs, accept, limits, self._incoming)
        self._large_files = serving.LargeFiles(limits, self._incoming)

    async def start(self) -> None:
        """Forgets packs that a killed predecessor was receiving, and starts the warm process."""
        await asyncio.to_thread(shutil.rmtree, self._incoming, ignore_errors=True)
        await asyncio.to_thread(self._incoming.mkdir, parents=True, exist_ok=True)
        await self._jobs.start()

    async def aclose(self) -> None:
        tasks = [*self._tidying.values(), *self._collecting.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._jobs.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"git does not speak {scope['type']}")
        exchange = Exchange(scope, receive, send, self._limits.receive_idle_s)
        try:
            await self._answer(exchange, scope)
        except ClientGone as gone:
            log.info("%s: %s", exchange.path, gone)

    async def _answer(self, exchange: Exchange, scope: Scope) -> None:
        target = parse(exchange.path)
        if target is None:
            await _refuse(exchange, 404, "this is no path of git's")
            return
        credentials = exchange.headers.get("authorization")
        service = _service(exchange, target)
        pushes = service == "git-receive-pack" or exchange.method == "PUT"
        user = await self._authenticate(credentials, scope, pushes)
        if user is None:
            ended = {"connection": "close"} if exchange.method != "GET" else {}  # body and all
            await _refuse(exchange, 401, "credentials are needed", _REALM | ended)
            return
        if target.service.startswith(serving.PREFIX):
            await self._serve_large_files(exchange, target, scope, user)
            return
        if service is None:
            await _refuse(exchange, 403, "only git's smart protocol is served")
            return
        if isinstance(user, Refusal):
            await self._tell(exchange, target, service, user.text)
            return
        found = await self._find(target.name, user)
        if isinstance(found, NotFoundMessage):
            await self._tell(exchange, target, service, found.text)
        elif target.service == "info/refs":
            await self._advertise(exchange, service, found.path)
        elif service == "git-upload-pack":
            await fetch.fetch(self._jobs, exchange, found.path, self._limits)
        else:
            await self._receive(exchange, target.name, found.path, user)

    async def converse(
        self, service: str, name: str, version: int, user: str | Refusal, stream: Stream
    ) -> bool:
        """One of git's services over a connection that stays (SSH). False when it was refused.

        `version` is the protocol's that the client asks for (git's GIT_PROTOCOL).
        """
        if isinstance(user, Refusal):
            await stream.write(packets.error(user.text))
            return False
        found = await self._find(name, user)
        if isinstance(found, NotFoundMessage):
            await stream.write(packets.error(found.text))
            return False
        hidden = self._limits.hidden_refs
        first = await asyncio.to_thread(references.advertise, found.path, service, version, hidden)
        await stream.write(first)
        if service == "git-receive-pack":
            exchange = conversation.exchange(stream, f"/{name}.git", self._limits.receive_idle_s)
            await self._receive(exchange, name, found.path, user)
        else:
            await fetch.converse(self._jobs, stream, found.path, version, self._limits)
        return True

    async def collect(self, path: Path, keep: Iterable[str]) -> bool:
        """Remove what no ref and no commit in `keep` reaches; False when a push is under way.

        It gives way to a push that comes meanwhile, and is False then too. Returns, also when
        cancelled, after its git has ended. Raises OSError when git fails or takes too long.
        """
        if self._receiving[path] or path in self._tidying or path in self._collecting:
            return False
        task = asyncio.create_task(collecting.collect(path, keep))
        self._collecting[path] = task
        task.add_done_callback(lambda _: self._collecting.pop(path, None))
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        if task.cancelled():
            return False
        await task
        return True

    async def store_archive(self, path: Path, archive: Path, commit: NewCommit) -> Stored:
        """The archive (a tar, or one compressed) as a commit of the repository, which no ref has.

        The caller keeps garbage collection away. Raises JobFailed with what is wrong with it, in
        words, JobDied when it takes too much to find out.
        """
        return await incoming.store_archive(
            self._jobs, self._limits, self._incoming, path, archive, commit
        )

    async def store_fetched(self, path: Path, answer: Path, commit: str) -> None:
        """What another server answered (`gitserver.remote`): its pack is checked like a push's and
        is in the repository afterwards, where no ref has the commit.

        The caller keeps garbage collection away. Raises RemoteFault, JobFailed, JobDied.
        """
        await incoming.store_fetched(self._jobs, self._limits, self._incoming, path, answer, commit)

    @contextlib.contextmanager
    def workplace(self) -> Iterator[Path]:
        """A folder for repositories that last as long as it does, or until the next `start()`."""
        with tempfile.TemporaryDirectory(dir=self._incoming, prefix="work-") as folder:
            yield Path(folder)

    async def graft(self, path: Path, commit: str, grafts: Sequence[Graft]) -> str:
        """A commit of the repository, which no ref has: it is `commit` with the files of these
        submodules in it. The same ones make the same commit.

        The caller keeps garbage collection away from `path`. Raises JobFailed, JobDied.
        """
        async with contextlib.AsyncExitStack() as stack:
            for source in {each.repository for each in grafts} - {path}:
                await stack.enter_async_context(self._kept_whole(source))
            return await incoming.graft(
                self._jobs, self._limits, self._incoming, path, commit, grafts
            )

    async def _serve_large_files(
        self, exchange: Exchange, target: Target, scope: Scope, user: str | Refusal
    ) -> None:
        async def may_push() -> str | None:
            credentials = exchange.headers.get("authorization")
            found = await self._authenticate(credentials, scope, True)
            return None if isinstance(found, str) else found.text if found else "no credentials"

        if isinstance(user, Refusal):
            await serving.refuse(exchange, 403, user.text)
            return
        found = await self._find(target.name, user)
        if isinstance(found, NotFoundMessage):
            await serving.refuse(exchange, 404, found.text)
            return
        await self._large_files.serve(exchange, target.service, found.path, may_push)

    async def _receive(self, exchange: Exchange, name: str, path: Path, user: str) -> None:
        async with self._kept_whole(path):
            await receive.receive(self._receiver, exchange, name, path, user)
        self._tidy_soon(path)

    @contextlib.asynccontextmanager
    async def _kept_whole(self, path: Path) -> AsyncIterator[None]:
        """No garbage is collected there meanwhile."""
        while (task := self._collecting.get(path)) is not None:
            task.cancel()
            await asyncio.wait([task])
        self._receiving[path] += 1
        try:
            yield
        finally:
            self._receiving[path] -= 1
            self._receiving += Counter()  # forgets those at zero

    async def _tell(self, exchange: Exchange, target: Target, service: str, text: str) -> None:
        """git shows an ERR packet as `fatal: remote error: …`; an HTTP status it would not explain.

        A push that has begun is answered as pushes are: its client reads nothing else.
        """
        if target.service == "info/refs":
            head = packets.encode(f"# service={service}\n") + packets.FLUSH
            content_type = f"application/x-{service}-advertisement"
            await exchange.respond(200, content_type, head + packets.error(text))
        elif service == "git-receive-pack":
            await receive.refuse(exchange, self._limits, text)
        else:
            await exchange.respond(200, f"application/x-{service}-result", packets.error(text))

    def _tidy_soon(self, path: Path) -> None:
        """In the background: the push that made one pack too many need not wait."""
        if path not in self._tidying and needs_tidying(path):
            task = asyncio.create_task(self._tidy(path))
            self._tidying[path] = task
            task.add_done_callback(lambda _: self._tidying.pop(path, None))

    async def _tidy(self, path: Path) -> None:
        limits = self._limits
        with tempfile.TemporaryDirectory(dir=self._incoming, prefix="tidy-") as folder:
            request = {
                "job": "tidy",
                "repository": str(path),
                "folder": folder,
                "memory_bytes": limits.check_memory_bytes,
                "cpu_s": limits.check_cpu_s,
                "wall_s": limits.check_s,
            }
            try:
                async with self._jobs.job(request) as job:
                    await job.wait()
            except (JobFailed, JobDied) as error:
                log.warning("packs of %s were not put together: %s", path, error)

    async def _advertise(self, exchange: Exchange, service: str, path: Path) -> None:
        body = await asyncio.to_thread(
            references.advertise, path, service, exchange.protocol_version, self._limits.hidden_refs
        )
        head = packets.encode(f"# service={service}\n") + packets.FLUSH
        await exchange.respond(200, f"application/x-{service}-advertisement", head + body)


def application(
    *,
    repositories: Path,
    authenticate: Authenticate,
    find: Find,
    accept: Accept,
    limits: Limits | None = None,
) -> GitServer:
    """The git server as an ASGI application.

    `repositories` is a folder on the disk of the repositories: packs are received in
    `<repositories>/.incoming/`, which is emptied at `start()`.
    """
    return GitServer(
        repositories=repositories,
        authenticate=authenticate,
        find=find,
        accept=accept,
        limits=limits or Limits(),
    )


def _service(exchange: Exchange, target: Target) -> str | None:
    """The service that is asked for, or None when method, query or type are not git's."""
    if target.service == "info/refs":
        asked = parse_qs(exchange.query.decode("latin-1")).get("service", [""])[0]
        return asked if exchange.method == "GET" and asked in SERVICES else None
    content_type = exchange.headers.get("content-type", "")
    expected = f"application/x-{target.service}-request"
    return target.service if (exchange.method, content_type) == ("POST", expected) else None


async def _refuse(
    exchange: Exchange, status: int, text: str, extra: dict[str, str] | None = None
) -> None:
    await exchange.respond(status, "text/plain; charset=utf-8", f"{text}\n".encode(), extra)
