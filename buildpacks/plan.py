"""The plan of a build, as data, in whatever language the app is written.

Its steps are run in this order: prebuild, install, build; then the tree is the app's next trunk
(dev dependencies included); then prune and cleanup, in what becomes the image. A step with `skip`
is not run, and `skip` says why.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from buildpacks.findings import Failure, Notice


@dataclass(frozen=True)
class Runtime:
    """What runs the app: `name` as people write it, at `version`, and the reason for that.

    `requested` as the app wrote it in `source`; both empty when it asks for nothing.
    """

    requested: str
    source: str
    version: str
    reason: str
    name: str = "Node.js"
    place: str = "node"
    """It is at `/opt/<place>`."""

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    @property
    def said(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class ManagerVersion:
    """The package manager, and which version of it; `version` is empty for the one that the runtime
    brings. `checksum` is Corepack's: `sha512.<digits>`.
    """

    name: str
    version: str = ""
    source: str = ""
    requested: str = ""
    checksum: str = ""

    @property
    def checked(self) -> str:
        """The version, and the checksum that it was compared with: `10.11.0+sha512.<digits>`."""
        return f"{self.version}+{self.checksum}" if self.checksum else self.version


@dataclass(frozen=True)
class Step:
    """A command of the build. `environment` adds to that of the app, None takes a variable away.

    When it fails, `fallback` decides: run instead, in a tree that is the commit's once more.
    It is run in the tree's root, or in `folder` there.
    """

    name: str
    title: str
    command: tuple[str, ...] = ()
    environment: Mapping[str, str | None] = field(default_factory=dict)
    skip: str = ""
    fallback: tuple[str, ...] = ()
    folder: str = ""
    leaves_home: bool = False
    """Its HOME is not the tree: some programs take no user's home for the root of a workspace."""


@dataclass(frozen=True)
class Process:
    """A process type: the command as written, and the argument vector that an instance runs."""

    type: str
    command: str
    argv: tuple[str, ...]
    source: str
    environment: Mapping[str, str] = field(default_factory=dict)
    place: str = "node"
    """Of the runtime that runs it."""


@dataclass(frozen=True)
class Expected:
    """What the build has to leave: one of these files; else it has failed, and why."""

    files: tuple[str, ...]
    failure: Failure


@dataclass(frozen=True)
class Site:
    """Files that are served as they are, by a web server instead of a process of the app's.

    They are in the first of the `folders` that has an `index.html` once everything is built (the
    empty name is the root of the tree); `source` says why there. With `is_single_page` the page
    itself reads the path, so that paths without a file show it. `hashed` are regular expressions
    of paths whose names change with their content.
    """

    framework: str
    folders: tuple[str, ...]
    source: str = ""
    is_single_page: bool = False
    hashed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Previous:
    """What the trunk was made with, and the runtime's major that the app's release has.

    The default is: there is none yet.
    """

    dependencies_key: str = ""
    runtime_major: int | None = None
    scripts: tuple[str, ...] | None = ()
    """The dependencies whose install scripts are repeated; None: not known."""
    is_shared: bool = False
    """It was not made by the last build of the app, and may be another app's."""
    majors: Mapping[str, int] = field(default_factory=dict)
    """Of the other runtimes that the release has, by their places."""


@dataclass(frozen=True)
class Plan:
    """`environment` is that of builds and instances; config vars go over it.

    `dependencies_key` stands for everything that the package manager reads: with an equal key only
    the install scripts need be repeated. `caches` are folders that stay from one build to the next,
    beside those of dependencies. `probe` lists the dependencies' install scripts, to be run after
    an installation; it is empty where there are none. With `has_dependencies` their folder is what
    the lock file says, whatever git holds; `installed` are the files and folders that an
    installation makes beside it. `folder` is where in the tree the app is and its processes run,
    `installs_in` where its dependencies are installed: both are empty for the root.
    """

    manager: ManagerVersion
    runtime: Runtime
    prebuild: Step
    install: Step
    build: Step
    prune: Step
    cleanup: Step
    processes: Mapping[str, Process]
    notices: tuple[Notice, ...]
    dependencies_key: str
    environment: Mapping[str, str]
    caches: tuple[str, ...]
    installs_afresh: bool
    """Nothing of what is in place can be used."""
    updates: bool
    """What is in place is made into what is to be, by the package manager."""
    repeats_scripts: bool
    probe: tuple[str, ...]
    has_dependencies: bool
    is_shareable: bool = False
    """What is installed follows from `dependencies_key`, whatever else is in the app's tree."""
    installed: tuple[str, ...] = ()
    expected: Expected | None = None
    site: Site | None = None
    """What the web process serves, where it is no program of the app's."""
    folder: str = ""
    installs_in: str = ""
    beside: tuple[Runtime, ...] = ()
    """The runtimes that the app has beside `runtime`, which is the one that it is known by."""

    @property
    def runtimes(self) -> tuple[Runtime, ...]:
        return (self.runtime, *self.beside)

    def runs(self, process: Process) -> Runtime:
        """The runtime that a process is run by."""
        found = (each for each in self.runtimes if each.place == process.place)
        return next(found, self.runtime)

    @property
    def runs_scripts(self) -> bool:
        """May the app's own code have changed the tree by the time that it becomes the trunk?"""
        return not (self.prebuild.skip and self.build.skip) or self.repeats_scripts
