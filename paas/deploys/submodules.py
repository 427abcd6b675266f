"""The files of a commit's submodules: fetched, and put where the commit has nothing but a link.

What is built is then a commit of ours, the pushed one with these files in it, so that no other part
of a build need know. A submodule that the last build had at the same commit is not asked for again.
"""

import asyncio
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from urllib.parse import urlsplit

from buildpacks import output
from gitserver import GitServer, Graft, JobDied, JobFailed, RemoteFault, gitmodules, trees
from gitserver.faults import Fault
from gitserver.gitmodules import Submodule
from paas.apps import submodules as rules
from paas.apps.git_connections import GitConnection
from paas.apps.submodules import BadAddress, Own, Place
from paas.deploys.attempt import Attempt
from paas.deploys.git_host import Closed, Unreachable, Wanted, fetch_commit
from paas.errors import UserError
from paas.platform.platform import Platform
from paas.store import apps, git_connections
from paas.system.plaintext import plain

_LINE = re.compile(r"Submodule: ([0-9a-f]{40}) (.+)")
_ANSWER = "answer"


async def taken_in(
    platform: Platform, attempt: Attempt, config: Mapping[str, str], last: str | None
) -> str:
    """The commit to build: the attempt's, or one that has its submodules' files as well. `last` is
    what the last build was of. Raises UserError."""
    commit = attempt.build.commit
    repository = platform.settings.repository(attempt.app.id)
    found = await _read(repository, commit, "")
    if not any(each.is_wanted for each in found):
        return commit
    git_server = platform.git.server
    connection = await platform.database.run(git_connections.of_app, attempt.app.id)
    own = _own(platform)
    base = connection.url if connection else f"{own.root}/{attempt.app.name}.git"
    known = {} if attempt.from_nothing else await asyncio.to_thread(_known, repository, last)
    async with attempt.timeline.step("submodules"):
        with git_server.workplace() as folder:
            work = _Fetching(platform, git_server, attempt, config, connection, own, folder)
            work.known, work.last = known, last or ""
            try:
                async with asyncio.timeout(rules.TIME_S_MAX):
                    await work.take(found, "", base)
            except TimeoutError as error:
                message = f"The submodules did not come within {rules.TIME_S_MAX:.0f} s."
                raise _failed(message, _LESS) from error
            finally:
                work.stop.set()
            return await _grafted(git_server, repository, commit, work.grafts)


@dataclass
class _Fetching:
    """One build's submodules. `fetched` has the repositories by URL and commit."""

    platform: Platform
    git_server: GitServer
    attempt: Attempt
    config: Mapping[str, str] = field(repr=False)
    connection: GitConnection | None
    own: Own
    folder: Path
    known: Mapping[str, str] = field(default_factory=dict)
    last: str = ""
    grafts: list[Graft] = field(default_factory=list)
    fetched: dict[tuple[str, str], Path] = field(default_factory=dict)
    left_bytes: int = rules.BYTES_MAX
    stop: threading.Event = field(default_factory=threading.Event)

    async def take(
        self, found: tuple[Submodule, ...], above: str, base: str, depth: int = 1
    ) -> None:
        """All of a repository, which lies `above` and is addressed as `base`, and theirs."""
        for submodule in found:
            if not submodule.is_wanted:
                continue
            path = f"{above}{submodule.path}"
            self._bound(depth)
            if self.known.get(path) == submodule.commit:
                repository = self.platform.settings.repository(self.attempt.app.id)
                self.grafts.append(Graft(path, submodule.commit, repository, self.last, path))
                continue
            source, url = await self._source(submodule, _Where(submodule, above), base)
            self.grafts.append(Graft(path, submodule.commit, source, submodule.commit))
            inner = await _read(source, submodule.commit, path)
            await self.take(inner, f"{path}/", url, depth + 1)

    async def _source(self, submodule: Submodule, where: "_Where", base: str) -> tuple[Path, str]:
        try:
            place = rules.place(submodule.url, base, self.own)
        except BadAddress as bad:
            raise where.unreachable(str(bad), where.another_address) from bad
        if not self.fetched:
            await self.attempt.transcript.write(output.step("Fetching submodules"))
        said = f"{where.path}: {plain(place.url)} at {submodule.commit[:8]}"
        await self.attempt.transcript.write(output.detail(plain(said)))
        key = (place.url, submodule.commit)
        if key not in self.fetched:
            of = self._of_app if place.app else self._from_elsewhere
            self.fetched[key] = await of(submodule, where, place)
        return self.fetched[key], place.url

    async def _of_app(self, submodule: Submodule, where: "_Where", place: Place) -> Path:
        """Another app's repository, if it is the same account's."""
        app = await self.platform.database.run(apps.by_name, place.app)
        if app is None or app.owner != self.attempt.app.owner:
            why = f"you have no app {place.app} here, which its URL {submodule.url} means"
            raise where.unreachable(why, where.another_address)
        repository = self.platform.settings.repository(app.id)
        if await asyncio.to_thread(trees.resolve, repository, submodule.commit) is None:
            why = f"the app {place.app} has no commit {submodule.commit[:8]}"
            hint = where.push_it(f"{self.own.root}/{place.app}.git", "-o skip ")
            raise where.unreachable(why, hint)
        return repository

    async def _from_elsewhere(self, submodule: Submodule, where: "_Where", place: Place) -> Path:
        answer = self.folder / _ANSWER
        repository = self.folder / f"{len(self.fetched)}.git"
        await asyncio.to_thread(trees.init, repository)
        headers = rules.credentials(place.url, self.config, self.connection)
        limit_bytes, stop = self.left_bytes, self.stop
        wanted = Wanted(place.url, submodule.commit, headers)
        try:
            await asyncio.to_thread(
                fetch_commit, self.platform.settings, wanted, answer, limit_bytes, stop
            )
            self.left_bytes -= answer.stat().st_size
            await self.git_server.store_fetched(repository, answer, submodule.commit)
        except Unreachable as away:
            is_closed = isinstance(away, Closed)
            hint = where.log_in(place.url) if is_closed else where.another_address
            raise where.unreachable(str(away), hint) from away
        except (RemoteFault, JobFailed) as fault:
            why = f"{place.url} does not give the commit {submodule.commit[:8]} ({fault})"
            raise where.unreachable(why, where.push_it("origin")) from fault
        except JobDied as death:
            why = "it takes too much time or memory to read"
            raise where.unreachable(why, _LESS) from death
        finally:
            answer.unlink(missing_ok=True)
        return repository

    def _bound(self, depth: int) -> None:
        if depth > rules.DEPTH_MAX:
            raise _failed(f"Submodules lie in each other more than {rules.DEPTH_MAX} deep.", _LESS)
        if len(self.grafts) >= rules.COUNT_MAX:
            raise _failed(f"The commit has more than {rules.COUNT_MAX} submodules.", _LESS)


@dataclass(frozen=True)
class _Where:
    """A submodule and the folder that its repository lies in: what is said when it can't be had."""

    submodule: Submodule
    above: str

    @property
    def path(self) -> str:
        return f"{self.above}{self.submodule.path}"

    @property
    def another_address(self) -> str:
        change = f"git submodule set-url {quote(self.submodule.path)} https://<its address>"
        whole = self._in_its_repository(change, "Its address")
        return f"Give it an address that can be reached: {whole}"

    def log_in(self, url: str) -> str:
        parts = urlsplit(url)
        known = f"{parts.scheme}://<user>:<token>@{parts.netloc.rpartition('@')[2]}"
        login = f"paas config:set {rules.CREDENTIALS}={known}"
        return f"If it is private, its login is a config var: {login}"

    def push_it(self, remote: str, options: str = "") -> str:
        push = f"git -C {quote(self.path)} push {options}{remote} HEAD:<its branch>"
        return f"Push the submodule first: {push}"

    def unreachable(self, why: str, hint: str) -> UserError:
        name = quote(f"submodule.{self.submodule.name}.update")
        change = self._in_its_repository(
            f"git config -f {gitmodules.FILE} {name} none", "Build without it"
        )
        message = f"The submodule {self.path} can't be had: {why}."
        return _failed(message, f"{hint}\nor do without its files: {change}")

    def _in_its_repository(self, change: str, message: str) -> str:
        where = f"cd {quote(self.above)} && " if self.above else ""
        return f"{where}{change} && git add {gitmodules.FILE} && git commit -m '{message}'"


async def _grafted(
    git_server: GitServer, repository: Path, commit: str, grafts: list[Graft]
) -> str:
    try:
        return await git_server.graft(repository, commit, grafts)
    except JobFailed as failure:
        raise _failed(f"The submodules are refused: {failure}.", _LESS) from failure
    except JobDied as death:
        message = "The submodules take too much time or memory to read."
        raise _failed(message, _LESS) from death


async def _read(repository: Path, commit: str, path: str) -> tuple[Submodule, ...]:
    try:
        return await gitmodules.read(repository, commit)
    except Fault as fault:
        where = f" (in the submodule {path})" if path else ""
        hint = "git says what it thinks of the file: git submodule update --init --recursive"
        raise _failed(f"{fault}{where}.", hint) from fault


def _known(repository: Path, last: str | None) -> Mapping[str, str]:
    """Path → commit of the submodules that the last build had."""
    if last is None or trees.resolve(repository, last) is None:
        return {}
    lines = map(_LINE.fullmatch, trees.commit_message(repository, last).splitlines())
    said = {match[2]: match[1] for match in lines if match}
    return {path: said[path] for path in said if _is_folder(repository, last, path)}


def _is_folder(repository: Path, commit: str, path: str) -> bool:
    found = trees.entry(repository, commit, path.encode("utf-8", "surrogateescape"))
    return found is not None and found.mode == trees.FOLDER


def _own(platform: Platform) -> Own:
    settings = platform.settings
    return Own(settings.control_port, settings.ssh_port, settings.base_domains)


def _failed(message: str, hint: str) -> UserError:
    return UserError("submodule_unreachable", plain(message), plain(hint))


_LESS = "Commit the files that the app needs in the submodules' place."
