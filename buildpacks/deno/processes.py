"""The process types of a Deno app: Procfile, start task, or what a file says; and how each is run.

A command is run as its maker wrote it, with the permissions that it names. `deno serve` listens on
the port that it is told, so a web process is told the platform's.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from buildpacks import static
from buildpacks.deno.configuration import Configuration, Task
from buildpacks.findings import Notice, Refused, refuse
from buildpacks.nodejs.processes import development, procfile, start
from buildpacks.plan import Process, Site
from buildpacks.tree import Tree

_SHOWN_MAX = 12
_DEPTH_MAX = 8
_BETTER = ("start:prod", "serve", "preview", "prod", "production")
_DEVELOPMENT = ("dev", "start", "develop")
_NAMES = ("main", "server", "app", "index", "mod")
_ENDINGS = (".ts", ".tsx", ".js", ".mjs", ".jsx")
_FILE_BYTES_MAX = 256 * 1024
_WATCHES = re.compile(r"\s--(?:watch(?:-hmr|-exclude)?|hmr|unstable-hmr|no-clear-screen)(?:=\S+)?")
_TASK = re.compile(r"deno\s+task\s+(?:-q\s+|--quiet\s+)?(?P<name>[\w:.-]+)(?:\s+(?P<rest>.*))?")
_SERVE = re.compile(r"(?<![\w./-])deno\s+serve(?=\s)")
_ADDRESS = re.compile(r"\s--(?:port|host)(?:=|\s+)(?P<value>\S+)")
_FOLDERS = ("_site", "dist", "build", "out", "public")
_VITE = re.compile(r"\bvite\b")


@dataclass(frozen=True)
class Commands:
    """Type → the command as written and where it stands; or a site in the place of a program."""

    of: Mapping[str, tuple[str, str]]
    notices: tuple[Notice, ...] = ()
    site: Site | None = None
    tasks: Mapping[str, Task] = field(default_factory=dict)

    @property
    def processes(self) -> dict[str, Process]:
        found = {type_: self._process(type_, *written) for type_, written in self.of.items()}
        return {"web": static.process(self.site), **found} if self.site else found

    @property
    def texts(self) -> list[str]:
        """What is run in the end."""
        return [unwrapped(command, self.tasks) for command, _ in self.of.values()]

    def _process(self, type_: str, command: str, source: str) -> Process:
        run = unwrapped(command, self.tasks)
        if type_ == "web":
            run = _on_port(run)
        return Process(type_, command, start.argv(run, {}), source, place="deno")


def find(tree: Tree, configuration: Configuration) -> Commands:
    """Raises Refused when nothing says how to start, or what says it can't be read."""
    tasks = configuration.tasks
    written = procfile.read(tree) or {}
    commands = {type_: (command, "Procfile") for type_, command in written.items()}
    _refuse_missing(written, tasks)
    if commands and set(commands) != {"release"}:
        return _told(Commands(commands, tuple(_no_web(written)), tasks=tasks))
    found = next(_candidates(tree, configuration), None)
    if found is not None:
        command, source, notices = found
        return _told(Commands({"web": (command, source), **commands}, notices, tasks=tasks))
    site = _site(tasks)
    if site:
        return Commands(commands, site=site, tasks=tasks)
    raise _nothing(tree)


def unwrapped(command: str, tasks: Mapping[str, Task]) -> str:
    """`deno task start` becomes what the task says, where that calls nothing but Deno: other
    programs are found by Deno's own shell alone, which also knows what runs before."""
    text = command.strip()
    for _ in range(_DEPTH_MAX):
        match = _TASK.fullmatch(text)
        task = tasks.get(match["name"]) if match else None
        if match is None or task is None or task.needs or not _calls_deno(task.command):
            break
        text = f"{task.command.strip()} {match['rest'] or ''}".strip()
    return text


def _candidates(
    tree: Tree, configuration: Configuration
) -> Iterator[tuple[str, str, tuple[Notice, ...]]]:
    tasks, path = configuration.tasks, configuration.path or "package.json"
    started = tasks.get("start")
    if started and not _watches("start", tasks):
        yield "deno task start", f"tasks.start in {path}", ()
    for name in _BETTER:
        if name in tasks and not _watches(name, tasks) and _calls_deno(tasks[name].command):
            yield f"deno task {name}", f"tasks.{name} in {path}", (_guessed(f"deno task {name}"),)
    for name in _DEVELOPMENT:
        command = tasks[name].command.strip() if name in tasks else ""
        if re.match(r"deno\s+(?:run|serve)\s", command) and not re.search(r"[;&|\n]", command):
            served = _WATCHES.sub("", command)
            notice = _guessed(served, f"as its task {name} has it, ")
            yield served, f"tasks.{name} in {path}", (notice,)
    if _site(tasks):
        return
    for file in _files(tree):
        content = tree.read(file, _FILE_BYTES_MAX) or b""
        verb = "serve" if _exports_handler(content) else "run"
        yield f"deno {verb} -A {file}", file, (_guessed(f"deno {verb} -A {file}"),)


def _files(tree: Tree) -> Iterator[str]:
    for stem in (f"{folder}{name}" for folder in ("", "src/") for name in _NAMES):
        files = (f"{stem}{ending}" for ending in _ENDINGS)
        yield from (file for file in files if tree.read(file, 1) is not None)


def _exports_handler(content: bytes) -> bool:
    """Is it for `deno serve`, which runs what a module exports?"""
    serves = re.search(rb"\bDeno\s*\.\s*serve\b|\.listen\s*\(|\bserve\s*\(", content)
    return bool(re.search(rb"^\s*export\s+default\b", content, re.MULTILINE)) and not serves


def _site(tasks: Mapping[str, Task]) -> Site | None:
    """What a build task leaves, where no program is to be run."""
    build = tasks.get("build")
    if build is None:
        return None
    is_vite = bool(_VITE.search(build.command))
    hashed = (r"/assets/.+-[\w-]{8}\.",) if is_vite else ()
    return Site("Vite" if is_vite else "Deno", _FOLDERS, "task build", is_vite, hashed)


def _on_port(command: str) -> str:
    """`deno serve` on the platform's port, whatever port it names."""
    match = _SERVE.search(command)
    if match is None:
        return command
    after = _ADDRESS.sub("", command[match.end() :])
    return f'{command[: match.end()]} --port "$PORT"{after}'


def _told(found: Commands) -> Commands:
    """With a word about what the web process is run with instead of what its command says."""
    command = unwrapped(found.of["web"][0], found.tasks) if "web" in found.of else ""
    match = _SERVE.search(command)
    named = _ADDRESS.search(command[match.end() :]) if match else None
    if named is None or "PORT" in named["value"]:
        return found
    notice = Notice(
        "port_of_serve",
        f"deno serve is run with the platform's port instead of{named[0]}",
    )
    return replace(found, notices=(*found.notices, notice))


def _watches(name: str, tasks: Mapping[str, Task]) -> bool:
    """Is it for whoever works on the app? With what it calls, as far as that can be read."""
    command = unwrapped(f"deno task {name}", tasks)
    return bool(_WATCHES.search(command) or development.server(command, {}))


def _calls_deno(command: str) -> bool:
    programs = development.programs(command, {})
    return bool(programs) and all(program == "deno" for program in programs)


def _guessed(command: str, how: str = "") -> Notice:
    return Notice(
        "start_guessed",
        f"there is no start task and no Procfile: {how}{command} it is",
        f"Say so: echo 'web: {command}' > Procfile && git add Procfile && "
        "git commit -m 'Say how to start'",
    )


def _no_web(commands: Mapping[str, str]) -> Iterator[Notice]:
    if "web" not in commands:
        types = ", ".join(commands)
        hint = "If the app serves HTTP, add a line: web: deno serve -A main.ts"
        yield Notice("no_web_process", f"the Procfile has no web process, only {types}", hint)


def _refuse_missing(commands: Mapping[str, str], tasks: Mapping[str, Task]) -> None:
    for type_, command in commands.items():
        match = _TASK.fullmatch(command.strip())
        if match and match["name"] not in tasks:
            name = match["name"]
            raise refuse(
                "no_start_command",
                f"Procfile: {type_} runs `{command}`, but there is no task {name}",
                f'Add to deno.json: "tasks": {{"{name}": "deno serve -A <your file>.ts"}}',
            )


def _nothing(tree: Tree) -> Refused:
    names = tree.names()
    listed = ", ".join(names[:_SHOWN_MAX]) + (", …" if len(names) > _SHOWN_MAX else "")
    sources = [name for name in names if name.endswith(_ENDINGS) and "test" not in name]
    file = sources[0] if len(sources) == 1 else "<your file>.ts"
    return refuse(
        "no_start_command",
        f"nothing says how to start the app: no Procfile, no start task, no main.ts "
        f"(in the root: {listed})",
        f"echo 'web: deno serve -A {file}' > Procfile && git add Procfile && "
        "git commit -m 'Say how to start'",
    )
