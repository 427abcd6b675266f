"""How an app is pushed twice and looked at as its visitors would: what the table in docs/apps.md
says of each."""

import json
import re
import shlex
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests import npm_commands
from tests.acceptance.developer import Developer, remote_lines
from tests.acceptance.installation import Finished, until
from tests.apps.browser import Browser
from tests.apps.generated import App

STARTERS = Path(__file__).parent / "starters"
GENERATE_TIMEOUT_S = 1500
PUSH_TIMEOUT_S = 1800
LOOK_TIMEOUT_S = 60
AWAY_TIMEOUT_S = 120
_LOCKS = {
    "package-lock.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "Yarn",
    "bun.lock": "Bun",
    "deno.lock": "Deno",
}
HEAD = """| app | version | installed by | run as | first push | second push | page | change |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True, kw_only=True)
class Whole(App):
    """`generator` is run in an empty folder and makes the folder `app`; in it `files` are written
    and then `commands` run.

    `title` and `package` (of which the lock file says the version) are for readers.
    """

    title: str
    package: str
    generator: str = ""
    needed: str = ""
    """What had to be changed, in the words of the table."""
    left_out: str = ""
    """What of the makers' starter is not in it, because its host is out of reach."""
    fills: tuple[tuple[str, str], ...] = ()
    """A hint's `<placeholders>`, and what a developer puts there."""
    forgiven: tuple[str, ...] = ()
    """Patterns of errors that the makers' own page has, wherever it is served."""


def starter(name: str) -> dict[str, str]:
    """The files of an app that was written as its framework's documentation begins."""
    folder = STARTERS / name
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


@dataclass(frozen=True)
class Row:
    """What was seen of one app."""

    app: Whole
    version: str
    manager: str
    command: str
    first_s: float
    second_s: float

    @property
    def markdown(self) -> str:
        pushes = (f"{seconds:.1f} s" for seconds in (self.first_s, self.second_s))
        change = self.app.needed or "unchanged"
        left_out = f"; without {self.app.left_out}" if self.app.left_out else ""
        command = "nginx" if self.command.startswith("nginx ") else f"`{self.command}`"
        cells = (self.app.title, self.version, self.manager, command, *pushes)
        return f"| {' | '.join(cells)} | right | {change}{left_out} |"


def push_twice(
    developer: Developer, environment: Mapping[str, str], browser: Browser, app: Whole
) -> Row:
    generate(developer, environment, app)
    if app.config:
        developer.paas("config:set", *app.config)
    if app.is_refused_first:
        refused, _ = push(developer, check=False)
        assert refused.status == 1, refused.text
        follow(developer, environment, filled(app, developer, hint(refused, "!")))
    elif app.advice:
        said, _ = push(developer, check=False)
        follow(developer, environment, hint(said, app.advice))
    first, first_s = push(developer)
    look(developer, browser, app, app.before, first)
    app.edit(developer.folder)
    developer.commit("Change")
    second, second_s = push(developer)
    look(developer, browser, app, app.after, second)
    version, manager = locked(developer.folder, app.package)
    return Row(app, version, manager, command(developer), first_s, second_s)


def generate(developer: Developer, environment: Mapping[str, str], app: Whole) -> None:
    for path in developer.folder.iterdir():
        if path.name != ".git":
            path.unlink()
    if app.generator:
        made = developer.folder.with_name(f"{developer.folder.name}-made")
        made.mkdir()
        npm_commands.run(app.generator, made, environment, GENERATE_TIMEOUT_S)
        shutil.rmtree(made / "app" / ".git", ignore_errors=True)
        shutil.copytree(made / "app", developer.folder, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(made)
    for name, content in (app.files or {}).items():
        file = developer.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    for line in app.commands:
        npm_commands.run(line, developer.folder, environment, GENERATE_TIMEOUT_S)
    developer.commit("As it was generated")


def push(developer: Developer, *, check: bool = True) -> tuple[Finished, float]:
    """What the push said, and how long it took."""
    began = time.monotonic()
    done = developer.git("push", "paas", "HEAD:main", check=check, timeout_s=PUSH_TIMEOUT_S)
    return done, time.monotonic() - began


def hint(pushed: Finished, what: str) -> str:
    """The line of commands among what a push said: it ends in a commit, or is a setting."""
    said = [line for line in remote_lines(pushed) if what in line]
    lines = [re.sub(r"^[ !]*(?:[A-Z][^:`]*: )?", "", line) for line in said]
    lines = [line for line in lines if "&& git commit" in line or line.startswith("paas ")]
    assert lines, pushed.err
    return lines[-1]


def filled(app: Whole, developer: Developer, commands: str) -> str:
    for placeholder, value in (
        *app.fills,
        ("<address of the app>", urlsplit(developer.address).netloc),
    ):
        commands = commands.replace(placeholder, value)
    return commands


def follow(developer: Developer, environment: Mapping[str, str], commands: str) -> None:
    if commands.startswith("paas "):
        developer.paas(*shlex.split(commands)[1:])
        return
    npm_commands.run(commands, developer.folder, environment, GENERATE_TIMEOUT_S)


def look(
    developer: Developer, browser: Browser, app: Whole, content: str, pushed: Finished
) -> None:
    # Ghost, for one, answers so until its database is what it should be.
    until(lambda: developer.get(app.path).status_code != 503, AWAY_TIMEOUT_S)
    page = browser.look(f"{developer.address}{app.path}", content, LOOK_TIMEOUT_S)
    complaints = [
        said for said in page.complaints if not any(re.search(p, said) for p in app.forgiven)
    ]
    assert content in page.text, f"{page.text[-3000:]}\n{complaints}\n{pushed.err}"
    assert page.seen, "the page is empty"
    assert not complaints, "\n".join(complaints)


def command(developer: Developer) -> str:
    """What the web process runs, as `paas ps` shows it."""
    shown = developer.paas("ps").out
    match = re.search(r"^=== web \([^)]*\): (.*) \(\d+\)$", shown, re.MULTILINE)
    assert match, shown
    return match[1]


def locked(folder: Path, package: str) -> tuple[str, str]:
    """A package's version, and whose lock file says it."""
    for name, manager in _LOCKS.items():
        if package and (folder / name).is_file():
            own = _own(folder, package)
            return own or _version((folder / name).read_text(), package), manager
    return "–", "–"


def _own(folder: Path, package: str) -> str:
    """The version of an app that is the package itself."""
    file = folder / "package.json"
    found = json.loads(file.read_text()) if file.is_file() else {}
    return str(found["version"]) if found.get("name") == package else ""


def _version(lock: str, package: str) -> str:
    if lock.startswith("{") and '"node_modules/' in lock:
        found = json.loads(lock)["packages"].get(f"node_modules/{package}", {})
        if isinstance(found, dict) and "version" in found:
            return str(found["version"])
    name = re.escape(package)
    match = re.search(rf"""(?:['"/\s]|^){name}@(?:npm:)?(\d[\w.-]*)""", lock, re.MULTILINE)
    other = re.search(rf"""^"?{name}@.*\n\s+version:? "?([\w.-]+)""", lock, re.MULTILINE)
    chosen = other or match
    return chosen[1] if chosen else "?"
