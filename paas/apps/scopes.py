"""Scopes: what a token may do, in Heroku's words for OAuth, and one for metrics. Pure.

global            everything
identity          who the account is
read, write       all apps and what belongs to them, but for config vars and releases
read-protected    read, and config vars and releases
write-protected   write and read-protected; also what brings code to run (a push, a build, a run):
                  it sees config vars
metrics           the platform's figures, for Prometheus
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from paas.errors import UserError


class Scope(StrEnum):
    GLOBAL = "global"
    IDENTITY = "identity"
    READ = "read"
    WRITE = "write"
    READ_PROTECTED = "read-protected"
    WRITE_PROTECTED = "write-protected"
    METRICS = "metrics"


_IMPLIED = {
    Scope.GLOBAL: frozenset(Scope),
    Scope.IDENTITY: frozenset({Scope.IDENTITY}),
    Scope.READ: frozenset({Scope.READ, Scope.METRICS}),
    Scope.WRITE: frozenset({Scope.READ, Scope.METRICS, Scope.WRITE}),
    Scope.READ_PROTECTED: frozenset({Scope.READ, Scope.METRICS, Scope.READ_PROTECTED}),
    Scope.WRITE_PROTECTED: frozenset(Scope) - {Scope.GLOBAL, Scope.IDENTITY},
    Scope.METRICS: frozenset({Scope.METRICS}),
}
EVERYTHING = (str(Scope.GLOBAL),)


def allows(held: Iterable[str], needed: Scope) -> bool:
    """Whether a token with these scopes may do what needs that one."""
    return any(needed in _IMPLIED[Scope(name)] for name in held if name in set(Scope))


def check(names: Any) -> tuple[str, ...]:
    """The scopes of a list, or of a text with commas; each once. None means global.

    Raises UserError for one that does not exist, and for none at all.
    """
    if names is None:
        return EVERYTHING
    words = names.split(",") if isinstance(names, str) else names
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise _refusal("A scope is a word.")
    found = tuple(dict.fromkeys(word.strip() for word in words))
    for word in found:
        if word not in set(Scope):
            raise _refusal(f"There is no scope {word[:40]!r}.")
    if not found:
        raise _refusal("A token without a scope could do nothing.")
    return found


def _refusal(message: str) -> UserError:
    return UserError("invalid_params", message, f"The scopes are {', '.join(Scope)}.")


def forbidden(held: Iterable[str], needed: Scope, what: str) -> UserError:
    """`what` begins the sentence: `A push`."""
    return UserError(
        "forbidden",
        f"{what} needs a token with the scope {needed}; this one has {', '.join(held)}.",
        f"Somebody who may do everything makes one: paas auth:token --scope {needed}",
    )
