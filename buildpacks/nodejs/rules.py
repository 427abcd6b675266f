"""How an output is told to mean a failure: a rule has a pattern and the words for people."""

from dataclasses import dataclass

BUILD = ("prebuild", "install", "build", "prune", "cleanup")
SCRIPTS = ("prebuild", "build", "cleanup")
INSTALL = ("install", "prune")
START = ("start",)


@dataclass(frozen=True)
class Rule:
    """`pattern` is looked for in the tail; `{name}` in the texts are its groups."""

    id: str
    steps: tuple[str, ...]
    pattern: str
    message: str
    hint: str


INSTALL_ONLY = ("install",)

PRIVATE_GIT = Rule(
    "private_git_dependency_without_auth",
    INSTALL,
    r"Host key verification failed|could not read Username for|Permission denied \(publickey\)",
    "a dependency comes from a private git repository",
    "Publish it to a registry, or use an https URL with a token.",
)
"""git's words, before those of the package manager that called it."""
