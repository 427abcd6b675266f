"""What a package manager is for a build: the seam behind which npm stands, and others can.

A package manager is a module beside this one with one object in it, an entry in `known.KNOWN`, and
on the builder's side an entry in `paas.builder.nodejs.tools.TOOLS`: how it gets into a build zone.
Everything else asks these questions, and knows no package manager by name:

    whose app is it?            `called`, `lock_files`, `owns`, `versions`
    which version of it?        `choose`; `asked` reads what package.json says
    what is to be installed?    `read`, which also compares the lock file with package.json
    is it in place already?     `configuration`, `obeys`: with what `read` found, they are the key
    how is it installed?        `install`, `quiet`; over what an earlier lock file gave: `update`
    must scripts run again?     `probe`, `ignores_scripts`; and how: `rebuild`, `rebuild_own`, `run`
    what does a command mean?   `script`: `npm start` is run as the script's text
    how is it pruned?           `pruning`, `prunes_at`
    what went wrong?            `rules`, `warnings`, `shown`
    what does one type?         `typed`: commands for hints

`npm` is the first, and shows how much of it can be data.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from buildpacks.findings import Notice
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.rules import Rule
from buildpacks.plan import ManagerVersion
from buildpacks.tree import Tree


@dataclass(frozen=True)
class Lock:
    """What a lock file says. `path` is empty when there is none and none is needed."""

    path: str = ""
    content: bytes = b""
    has_packages: bool = False
    has_dev_dependencies: bool = False
    dev_commands: Mapping[str, str] = field(default_factory=dict)
    """The commands that are gone once dev dependencies are, and the packages that bring them."""
    has_install_scripts: bool = False
    """Of dependencies; True also where the lock file does not say."""
    links: Mapping[str, str] = field(default_factory=dict)
    """Workspaces and other folders that are linked: name → path in the tree."""
    local: tuple[str, ...] = ()
    """What is copied from the tree: archives, patches, folders with `install-links`."""
    names: frozenset[str] = frozenset()
    """What the app can require."""
    form: str = ""
    """The version of the lock file's own form."""
    workspaces: tuple[str, ...] = ()
    """The folders of those that the app consists of, whoever depends on them."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """What the package manager is told because of this app's files."""
    folders: tuple[str, ...] = ()
    """Files and folders beside every `node_modules` that an installation makes."""
    keeps_all: str = ""
    """Why dev dependencies can't be taken away, if so."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """Ranges of the package manager's version that stand in files beside package.json: file →
    range."""


@dataclass(frozen=True)
class Typed:
    """What a developer types, for hints."""

    install: str
    add: str
    add_dev: str
    keep: str
    """Makes a dev dependency one of the app's own: `<name>`, and `<wanted>` with its version."""
    start: str
    files: tuple[str, ...]
    """Those that `add` changes."""
    approve: str = ""
    """Lets install scripts of packages run, where they don't run by themselves; in the form of
    `rules.approval`."""


@dataclass(frozen=True)
class ScriptRun:
    """A script of package.json that a command runs; `rest` follows the script's own words, and with
    `before` its `pre` script is run first."""

    name: str
    rest: str = ""
    before: bool = True


@dataclass(frozen=True)
class ManagerOffer:
    """The versions of one package manager: `available` at the registry.

    `own` is the platform's, for the Node.js in `own_supports`; `in_runtimes` has, by the version
    of Node.js, what the installed runtimes bring. Both are empty but for npm. `in_place` is what
    the app's newest built tree has, which needs no download.
    """

    own: str = ""
    own_supports: str = "*"
    available: Sequence[str] = ()
    in_runtimes: Mapping[str, str] = field(default_factory=dict)
    in_place: str = ""


class PackageManager(Protocol):
    name: str
    """Its own; where it is not the runtime's it is at `/opt/<name>`."""
    called: str
    """As in `packageManager` of package.json: two may have the same, for other `versions`."""
    versions: str
    """The range of its own."""
    typed: Typed
    lock_files: tuple[str, ...]
    """Their names in the root of the tree: an app that has one is its own, if it `owns` that."""

    configuration: tuple[str, ...]
    """The files of the tree's root that it is configured by."""
    obeys: re.Pattern[str]
    """The config vars that it, and the compilers that it starts, obey."""

    install: tuple[str, ...]
    """Everything that the lock file says and nothing else, dev dependencies included."""
    quiet: Mapping[str, str]
    """Variables with which it says no more than what belongs into a build's output."""

    rebuild: str
    """Shell: the install scripts of the dependencies in "$@", once more."""
    rebuild_own: str
    """Shell: the app's own native module (binding.gyp), once more."""
    at_run: Mapping[str, str]
    """Variables of instances, for processes that use it."""

    prunes_at: Mapping[str, str]
    """Config vars that keep dev dependencies unless they have this value."""

    rules: tuple[Rule, ...]
    """What its output means when it has failed; the first that fits counts."""
    warnings: tuple[Rule, ...]
    """What of its output is worth a note when it has not."""

    def owns(self, tree: Tree, lock_file: str) -> bool:
        """Is the lock file of that name in a form of its own? Yarn's of two kinds are alike."""
        ...

    def read(self, tree: Tree, package: Manifest) -> Lock:
        """Raises Refused when the lock file is missing, damaged, or against package.json."""
        ...

    def choose(
        self, package: Manifest, lock: Lock, nodejs: str, offer: ManagerOffer
    ) -> tuple[ManagerVersion, list[Notice]]:
        """The version that the app asks for. Raises Refused for one that can't be had."""
        ...

    def update(self, lock: Lock) -> tuple[str, ...]:
        """The command that makes what an earlier lock file gave into what this one says, and fails
        where that can't be; empty where it would win nothing over `install`."""
        ...

    def ignores_scripts(self, tree: Tree, config: Mapping[str, str]) -> bool:
        """Is it told to run no install scripts?"""
        ...

    def probe(self, package: Manifest, lock: Lock) -> tuple[str, ...]:
        """A command in the tree that prints, for each dependency with install scripts, its name and
        the scripts as a JSON array on a line, and at last the line `end` (see `scripts.chosen`).
        """
        ...

    def pruning(self, lock: Lock) -> tuple[str, ...]:
        """A command that takes the dev dependencies away, and runs no scripts."""
        ...

    def run(self, script: str) -> tuple[str, ...]:
        """The command that runs a script of package.json."""
        ...

    def script(self, command: str, scripts: Mapping[str, str]) -> ScriptRun | None:
        """The script that a command as people write it runs: `npm run x -- -p 1` → x. `scripts` are
        those of package.json."""
        ...

    def shown(self) -> Callable[[str], bool]:
        """Asked of each line of a step's output in turn: is it worth showing?"""
        ...
