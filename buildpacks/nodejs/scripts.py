"""Which install scripts have to run again over dependencies that are installed already.

An unchanged lock file does not mean that an installation would give the same: an install script may
read any file of the app (Prisma's client reads the schema), and a workspace's `prepare` builds its
source. So an installation is left out only where no script could matter; otherwise the scripts are
repeated in npm's order: those of dependencies, those of linked folders, the app's own.

What dependencies run is known once they are installed: the package manager's `probe` lists it in
the zone, and `chosen` takes from it what is worth repeating.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from buildpacks.nodejs.manifest import INSTALL_SCRIPTS, Manifest
from buildpacks.nodejs.package_manager import PackageManager
from buildpacks.tree import Tree

LINKED = ("preinstall", "install", "postinstall", "prepare")
"""Those that npm runs in a workspace or another linked folder."""
REPEATED_MAX = 200
COMMAND_CHARACTERS_MAX = 300
_GYP = "binding.gyp"
PROBE_END = "end"

_NAME = re.compile(r"(@[a-z0-9~][\w.~-]*/)?[a-zA-Z0-9~][\w.~-]*", re.ASCII)
_FOLDER = re.compile(r"\.(/[\w@~-][\w.@~-]*)+", re.ASCII)
_COMPILERS = frozenset(
    {
        "node-gyp",
        "node-gyp-build",
        "node-gyp-build-optional-packages",
        "node-pre-gyp",
        "prebuild-install",
        "napi-postinstall",
        "cmake-js",
        "install-from-cache",
    }
)
"""They make a native module from the package's own files, Node.js and npm's options."""
_BANNER = "node -e \"try{require('./postinstall')}catch(e){}\""
_SELF_CONTAINED = {"esbuild": "node install.js", "core-js": _BANNER, "core-js-pure": _BANNER}
"""Packages in most front ends, whose script reads and writes their own files only: esbuild puts its
program in place and asks it for its version, core-js says that its author looks for work."""
_PLAIN_WORD = re.compile(r"(?!.*\.\.)[\w@=.,:-]+(/[\w@=.,:-]+)*", re.ASCII)


_ELSEWHERE = re.compile(r"(?:\bcd|--prefix|-C|-w|--workspace)[ =]\S+")
"""Where a script goes to work is not what it works with."""


_UNCHANGED = r"""changed=$(find . -path '*/node_modules/.*' -prune \
  -o -path '*/node_modules/*' -cnewer "$mark" -print -quit) && rm -f "$mark" && {
  test -z "$changed" || {
    echo "The app's own install scripts changed ${changed#./}, and would do so twice."
    exit 1
  }
}"""
"""Over an installation that they changed before (patches, sed), the app's own scripts would give
something else than an installation does; the step's fallback is that. Generated folders, whose
names begin with a dot, are not part of any package."""


@dataclass(frozen=True)
class Again:
    """What is repeated: packages and linked folders by name, and the app's own scripts."""

    names: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    own_gyp: bool = False
    unknown: bool = False
    """There is more to repeat than can be named."""

    def __bool__(self) -> bool:
        return bool(self.names or self.own or self.own_gyp)

    def command(self, manager: PackageManager, *, over_packages: bool) -> tuple[str, ...]:
        """Names are arguments, never part of the shell's text. `over_packages`: some are installed,
        and have to stay as they are."""
        parts = [manager.rebuild] if self.names else []
        own = [manager.rebuild_own] if self.own_gyp else []
        own += [" ".join(manager.run(event)) for event in self.own]
        parts += ["mark=$(mktemp)", *own, _UNCHANGED] if own and over_packages else own
        return ("sh", "-c", " && ".join(parts), "sh", *self.names)

    @property
    def title(self) -> str:
        return "Running install scripts again" + (f": {_listed(self.names)}" if self.names else "")


def chosen(printed: Iterable[str]) -> tuple[str, ...] | None:
    """From what a `probe` printed: the dependencies whose scripts are repeated; None: not known.

    Left out are those that only compile: what they make follows from what is in the key.
    """
    names: set[str] = set()
    ended = False
    for line in printed:
        if line == PROBE_END:
            ended = True
            continue
        try:
            name, *commands = json.loads(line)
        except (ValueError, TypeError):
            return None
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > 214:
            return None
        known = _SELF_CONTAINED.get(name)
        if not all(command == known or _is_self_contained(command) for command in commands):
            names.add(name)
    return tuple(sorted(names)) if ended and len(names) <= REPEATED_MAX else None


def again(
    tree: Tree,
    package: Manifest,
    links: Mapping[str, str],
    dependencies: Iterable[str],
    *,
    ignored: bool,
) -> Again:
    """`links` are linked folders, name → path; where the package manager takes folders the name is
    `./` and the path. `ignored`: none are to be run."""
    if ignored:
        return Again()
    linked = sorted(name for name, path in links.items() if _runs(tree, path))
    has = {event for event in INSTALL_SCRIPTS if package.scripts.get(event, "").strip()}
    gyp = _GYP in tree.names() and not {"preinstall", "install"} & has
    # A native module of the app's own: npm rebuild runs its postinstall as well.
    own = _own(has - {"postinstall"} if gyp else has)
    names = tuple(dict.fromkeys((*dependencies, *linked)))
    return Again(names, own, gyp, unknown=not all(map(_is_plain, linked)))


def named_files(tree: Tree, package: Manifest) -> list[str]:
    """Files and folders of the app that its own install scripts name, e.g. a folder of patches.

    Such a script may change the dependencies themselves, and what it did before can't be undone.
    """
    text = " ".join(package.scripts.get(event, "") for event in INSTALL_SCRIPTS)
    words = re.split(r"[\s=;&|'\"()]+", _ELSEWHERE.sub(" ", text))
    paths = {word.partition("*")[0].removeprefix("./").rstrip("/") for word in words}
    return sorted(path for path in paths if path and tree.digest(path) is not None)


def _is_plain(name: str) -> bool:
    """A package's name, or a folder of the tree."""
    return bool(_NAME.fullmatch(name) or _FOLDER.fullmatch(name))


def _own(has: set[str]) -> tuple[str, ...]:
    """In npm's order, each once: `npm run` itself runs the events before and after one."""
    covered = {
        f"{prefix}{event}"
        for event in ("install", "prepare")
        for prefix in ("pre", "post")
        if event in has
    }
    return tuple(event for event in INSTALL_SCRIPTS if event in has - covered)


def _runs(tree: Tree, folder: str) -> bool:
    content = tree.read(f"{folder}/package.json", 1024 * 1024)
    if content is None:
        return False
    try:
        scripts = json.loads(content).get("scripts", {})
        found = any(scripts.get(event) for event in LINKED)
    except (ValueError, AttributeError, RecursionError):
        return True
    return found or _GYP in tree.names(folder)


def _is_self_contained(command: object) -> bool:
    """Does it follow from the package's own files what the command makes?"""
    if not isinstance(command, str) or len(command) > COMMAND_CHARACTERS_MAX:
        return False
    return all(_only_compiles(part.split()) for part in re.split(r"\|\||&&", command))


def _only_compiles(words: list[str]) -> bool:
    if words in (["true"], ["exit", "0"]):
        return True
    return bool(words) and words[0] in _COMPILERS and all(map(_PLAIN_WORD.fullmatch, words))


def _listed(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
