"""What a package manager is for a build: the seam behind which npm stands, and others can.

A package manager is a module beside this one with one object in it, an entry in `known.KNOWN`, and
on the builder's side an entry in `paas.builder.nodejs.tools.TOOLS`: how it gets into a build zone.
Everything else asks these questions, and knows no package manager by name:

    whose app is it?            `name`, `lock_files`, `owns`
    which version of it?        `choose`; `asked` reads what package.json says
    what is to be installed?    `read`, which also compares the lock file with package.json
    is it in place already?     `configuration`, `obeys`: with what `read` found, they are the key
    how is it installed?        `install`, `quiet`, `folders`
    must scripts run again?     `probe`, `ignores_scripts`; and how: `rebuild`, `rebuild_own`, `run`
    what does a command mean?   `script`: `npm start` is run as the script's text
    how is it pruned?           `prune`, `prunes_at`
    what went wrong?            `rules`, `shown`

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


@dataclass(frozen=True)
class ManagerOffer:
    """The versions of one package manager: `available` at the registry.

    `own` is the platform's, for the Node.js in `own_supports`; `in_runtimes` has, by the version
    of Node.js, what the installed runtimes bring. Both are empty but for npm.
    """

    own: str = ""
    own_supports: str = "*"
    available: Sequence[str] = ()
    in_runtimes: Mapping[str, str] = field(default_factory=dict)


class PackageManager(Protocol):
    name: str
    """As in `packageManager` of package.json; where it is not the runtime's it is at `/opt/<name>`.
    """
    lock_files: tuple[str, ...]
    """Their names in the root of the tree: an app that has one is its own, if it `owns` that."""

    configuration: tuple[str, ...]
    """The files of the tree's root that it is configured by."""
    obeys: re.Pattern[str]
    """The config vars that it, and the compilers that it starts, obey."""

    folders: tuple[str, ...]
    """Folders of the tree that it installs into, beside `node_modules`; they outlive a build."""
    install: tuple[str, ...]
    """Everything that the lock file says and nothing else, dev dependencies included."""
    quiet: Mapping[str, str]
    """Variables with which it says no more than what belongs into a build's output."""

    rebuild: str
    """Shell: the install scripts of the dependencies in "$@", once more."""
    rebuild_own: str
    """Shell: the app's own native module (binding.gyp), once more."""
    probe: tuple[str, ...]
    """A command in the tree that prints, for each dependency with install scripts, its name and the
    scripts as a JSON array on a line, and at last the line `end` (see `scripts.chosen`)."""

    prune: tuple[str, ...]
    """Takes the dev dependencies away, and runs no scripts."""
    prunes_at: Mapping[str, str]
    """Config vars that keep dev dependencies unless they have this value."""

    rules: tuple[Rule, ...]
    """What its output means when it has failed; the first that fits counts."""

    def owns(self, tree: Tree, lock_file: str) -> bool:
        """Is the lock file of that name in a form of its own? Yarn's of two kinds are alike."""
        ...

    def read(self, tree: Tree, package: Manifest) -> Lock:
        """Raises Refused when the lock file is missing, damaged, or against package.json."""
        ...

    def choose(
        self, package: Manifest, nodejs: str, offer: ManagerOffer
    ) -> tuple[ManagerVersion, list[Notice]]:
        """The version that the app asks for. Raises Refused for one that can't be had."""
        ...

    def ignores_scripts(self, tree: Tree, config: Mapping[str, str]) -> bool:
        """Is it told to run no install scripts?"""
        ...

    def run(self, script: str) -> tuple[str, ...]:
        """The command that runs a script of package.json."""
        ...

    def script(self, command: str) -> tuple[str, str] | None:
        """The script that a command as people write it runs, and what follows the script's own
        words: `npm run x -- -p 1` → ("x", "-p 1")."""
        ...

    def shown(self) -> Callable[[str], bool]:
        """Asked of each line of a step's output in turn: is it worth showing?"""
        ...
