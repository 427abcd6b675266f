"""How an output is told to mean a failure: a rule has a pattern and the words for people.

A rule judges `Evidence` and nothing else, so that the same output always means the same. Its texts
are templates: `{name}` is what the pattern or `facts` found; in a hint it is quoted for a shell,
because hints are commands. `{install}`, `{add}` … are what the app's package manager is told.
"""

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from buildpacks.findings import Failure
from buildpacks.nodejs.manifest import Manifest
from buildpacks.tree import Tree

BUILD = ("prebuild", "install", "build", "prune", "cleanup")
SCRIPTS = ("prebuild", "build", "cleanup")
INSTALL = ("install", "prune")
START = ("start",)
ANY = (*BUILD, *START)
MATCHES_MAX = 50
"""Of one pattern; a flood of the same words says nothing new."""


@dataclass(frozen=True)
class Evidence:
    """What a failure is judged by. `step` is a step's name of the plan, or `start`.

    `exit_code` is None for what was still running when its time was up; a signal N is 128 + N.
    `tree` is the repository, where it is known, `folder` the app's place in it, `package` the app's
    package.json; `config` are the names of its config vars.
    `typed` is what its package manager is told, by purpose.
    """

    step: str
    exit_code: int | None
    tail: str
    package: Manifest = field(default_factory=Manifest)
    tree: Tree | None = None
    folder: str = ""
    config: frozenset[str] = frozenset()
    port: int | None = None
    typed: Mapping[str, str] = field(default_factory=dict)


class Shell(str):
    """A fact that is a piece of a command already, and stands in a hint as it is."""


Facts = Callable[[Evidence, re.Match[str]], Mapping[str, str] | None]
"""The words of a rule's texts; None: the match is of something else after all."""


@dataclass(frozen=True)
class Rule:
    """`pattern` is looked for in the tail, at its every place until `facts` agrees.

    `is_general`: it fits what rules before it mean more exactly, too.
    """

    id: str
    steps: tuple[str, ...]
    pattern: str
    message: str
    hint: str
    facts: Facts | None = None
    is_general: bool = False

    def find(self, evidence: Evidence) -> Failure | None:
        """Pure. None where it is something else."""
        if evidence.step not in self.steps:
            return None
        for number, match in enumerate(re.finditer(self.pattern, evidence.tail)):
            if number == MATCHES_MAX:
                return None
            facts = self.facts(evidence, match) if self.facts else {}
            if facts is not None:
                return self.said({"name": first_group(match), **facts}, evidence.typed)
        return None

    def said(self, facts: Mapping[str, str], typed: Mapping[str, str]) -> Failure:
        quoted = {
            name: text if isinstance(text, Shell) else shlex.quote(text)
            for name, text in facts.items()
        }
        message = self.message.format(**{**typed, **facts})
        return Failure(self.id, message, self.hint.format(**{**typed, **quoted}))


def kept(template: str, name: str, version: str) -> Shell:
    """A package manager's command that makes a dev dependency one of the app's own."""
    wanted = shlex.quote(f"{name}@{version}") if version else name
    return Shell(template.replace("<name>", name).replace("<wanted>", wanted))


def approval(template: str, packages: Sequence[str]) -> Shell:
    """A package manager's command that lets install scripts of packages run. What stands in `<…>`
    is repeated for each, with its name for the star."""

    def each(match: re.Match[str]) -> str:
        return " ".join(match[1].replace("*", name) for name in packages)

    return Shell(re.sub(r"<([^>]+)>", each, template))


_BLOCKED = re.compile(
    r"((?:@[\w.~-]+/)?[\w.~-]+)@(?:[\w.:+~^-]*\d|(?:file|link|https?|git\w*)[:+])", re.ASCII
)
"""A package and its version, or where it comes from."""


def blocked(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """The packages that an output names as `name@version`, and how their scripts are let run."""
    said = re.sub(r"[\s│]+", " ", match["packages"])
    names = list(dict.fromkeys(_BLOCKED.findall(said)))
    if not names:
        return None
    return {
        "name": ", ".join(names),
        "approve": approval(evidence.typed.get("approve", ""), names),
    }


def first_group(match: re.Match[str]) -> str:
    """What the pattern has found: some tools frame what they say."""
    name = next((text for text in match.groupdict().values() if text), "")
    return re.sub(r"[\s│]+", " ", name).strip()


INSTALL_ONLY = ("install",)
_TARBALL = (
    r"/(?P<name>(?:@[\w.~-]+(?:/|%2[fF]))?[\w.~-]+)/-/[\w.~-]*?-(?P<version>\d+\.\d+\.\d+[\w.+-]*?)"
    r"\.tgz\b[^\n]{0,60}?(?:\b404\b|[Nn]ot [Ff]ound)"
)


def unpublished(id: str, *managers: str) -> Rule:
    """What these package managers say of a version that a lock file names and the registry lacks,
    where it may have been once."""
    return Rule(
        id,
        INSTALL,
        _TARBALL,
        "the registry has no {name} {version}, which the lock file names: it was taken back, or "
        "never was in this registry",
        "{newer} && {commit}",
        lambda evidence, match: (
            _newer(evidence, match) if evidence.typed.get("manager") in managers else None
        ),
    )


def _newer(evidence: Evidence, match: re.Match[str]) -> Mapping[str, str] | None:
    """Of a dependency of the app's own the newest; else what its lock file says is found anew."""
    name = re.sub("%2f", "/", match["name"], flags=re.IGNORECASE)
    package, typed = evidence.package, evidence.typed
    add = typed.get("add", "") if name in package.dependencies else typed.get("add_dev", "")
    lock = typed.get("files", "").rpartition(" ")[2]
    newer = f"{add} {shlex.quote(name)}@latest"
    if name not in {**package.dependencies, **package.dev_dependencies}:
        newer = f"rm -rf node_modules {lock} && {typed.get('install', '')}"
    return {"name": name, "version": match["version"], "newer": Shell(newer)}


PRIVATE_GIT = Rule(
    "private_git_dependency_without_auth",
    INSTALL,
    r"Host key verification failed|could not read Username for|Permission denied \(publickey\)",
    "a dependency comes from a private git repository",
    "Publish it to a registry, or use an https URL with a token.",
)
"""git's words, before those of the package manager that called it."""

GIT_UNREACHABLE = Rule(
    "git_host_unreachable",
    INSTALL,
    r"(?:ssh: Could not resolve hostname|Could not resolve host:) (?P<name>[\w.-]+)"
    r"|ssh: connect to host (?P<ssh>\S+) port \d+: |Failed to connect to (?P<https>\S+) port \d+",
    "a dependency comes from a git repository at {name}, which the build can't reach",
    "Put an archive of it into the repository: npm pack <its folder> and {add} ./<archive>.tgz",
)
