"""The process types of an app: those of its Procfile, and the web process that it may leave out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from buildpacks import static
from buildpacks.findings import Failure, Notice, Refused, refuse
from buildpacks.nodejs.app import App
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.processes import beside, procfile, serving, start, web
from buildpacks.plan import Expected, Process, Site

_TRIES = (".js", ".json", ".node", "/index.js")
"""What Node.js adds to the name of a file that is not there."""


@dataclass(frozen=True)
class Commands:
    """What the process types run: type → command and where it stands.

    `guessed` is a file that is run because nothing says how to start.
    """

    of: Mapping[str, tuple[str, str]]
    notices: tuple[Notice, ...] = ()
    guessed: str = ""
    site: Site | None = None
    """What is served in the place of a web process of the app's own."""
    build: tuple[str, ...] = ()
    """What builds the app, where no script of its own does."""
    at_build: Mapping[str, str] = field(default_factory=dict)

    def processes(self, package: Manifest) -> dict[str, Process]:
        found = {
            type_: _process(type_, command, source, package)
            for type_, (command, source) in self.of.items()
        }
        return {"web": static.process(self.site), **found} if self.site else found

    @property
    def expected(self) -> Expected | None:
        """What is guessed has to be there once everything is built."""
        if not self.guessed:
            return None
        failure = Failure(
            "start_file_missing",
            f"package.json has no start script, and {self.guessed}, which its main names, "
            "is not there after the build",
            "Name what the build makes: npm pkg set scripts.start='node <file>'",
        )
        files = (self.guessed, *(f"{self.guessed}{ending}" for ending in _TRIES))
        return Expected(files, failure)


def find(app: App) -> Commands:
    """Raises Refused when nothing says how to start, or what says it can't be read."""
    package = app.package
    written = procfile.read(app.tree) or {}
    commands = {type_: (command, "Procfile") for type_, command in written.items()}
    if commands and set(commands) != {"release"}:
        notices = tuple(_missing_scripts(written, package))
        build = serving.build_for(app.tree, package, written.get("web", ""))
        return Commands(commands, notices, build=build)
    try:
        found = web.find(app)
    except Refused:
        if not app.starts_elsewhere:
            raise
        return Commands(commands)
    if found.site:
        return Commands(commands, found.notices, site=found.site, build=found.build)
    web_too = {"web": (found.command, found.source), **commands}
    return Commands(web_too, found.notices, found.file, build=found.build, at_build=found.at_build)


def _process(type_: str, command: str, source: str, package: Manifest) -> Process:
    name = start.script_name(command, package.scripts)
    text = package.scripts.get(name, "").strip()
    environment = serving.environment(package) if type_ == "web" else {}
    if text:
        environment |= {
            "npm_lifecycle_event": name,
            "npm_lifecycle_script": text,
            "npm_package_name": package.name,
            "npm_package_version": package.version,
        }
    argv = start.argv(command, package.scripts)
    place = beside.place(command, package.scripts)
    return Process(type_, command, argv, source, environment, place)


def _missing_scripts(commands: Mapping[str, str], package: Manifest) -> list[Notice]:
    for type_, command in commands.items():
        name = start.script_name(command, package.scripts)
        if name and not package.scripts.get(name, "").strip():
            raise refuse(
                "no_start_command",
                f"Procfile: {type_} runs `{command}`, but package.json has no {name} script",
                f'Add to package.json: "scripts": {{"{name}": "node <your file>.js"}}',
            )
    if "web" in commands:
        return []
    types = ", ".join(commands)
    hint = "If the app serves HTTP, add a line: web: node server.js"
    return [Notice("no_web_process", f"the Procfile has no web process, only {types}", hint)]
