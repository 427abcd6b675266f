"""The formation: per process type how many instances, and how large. Changing it is pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from paas.apps import processes as process
from paas.apps.packages import DEFAULT_PACKAGE, package
from paas.errors import NotFound, UserError

QUANTITY_MAX = 100


@dataclass(frozen=True)
class FormationEntry:
    """`package` is a package's name."""

    type: str
    quantity: int
    package: str = DEFAULT_PACKAGE


@dataclass(frozen=True)
class FormationChange:
    """`quantity` is absolute, or with `relative` a difference; None leaves what is."""

    type: str
    quantity: int | None = None
    relative: bool = False
    package: str | None = None


Formation = tuple[FormationEntry, ...]
"""Sorted by type, `web` first."""


def parse_change(text: str) -> FormationChange:
    """`web=3`, `worker+1`, `web-1`, `web=2:Standard-1x`. Raises UserError."""
    match = re.fullmatch(r"([\w-]+?)([=+-][0-9]{1,6})(?::([\w.-]+))?", text, re.ASCII)
    if not match:
        raise UserError(
            "invalid_params", f"{text!r} is no change of a formation", "Say web=2 or worker+1."
        )
    return change(match[1], match[2].removeprefix("="), match[3])


def change(
    type: str, quantity: int | str | None = None, package_name: str | None = None
) -> FormationChange:
    """A checked change; a quantity with a sign (`"+1"`, `"-1"`) is relative. Raises UserError."""
    process.check_type(type)
    name = package(package_name).name if package_name else None
    if quantity is None:
        return FormationChange(type, package=name)
    if isinstance(quantity, bool) or not re.fullmatch(r"[+-]?[0-9]{1,6}", str(quantity), re.ASCII):
        raise UserError("invalid_params", f"{type}: {quantity!r} is no quantity.", "Say 2 or +1.")
    relative = isinstance(quantity, str) and quantity[0] in "+-"
    return FormationChange(type, int(quantity), relative, name)


def apply(formation: Iterable[FormationEntry], changes: Iterable[FormationChange]) -> Formation:
    """The formation after all changes. Raises NotFound for a type that the formation lacks.

    Before the first push it is taken to have one `web`, so that its size can be chosen.
    """
    had = {entry.type: entry for entry in formation}
    entries = dict(had or {process.WEB: FormationEntry(process.WEB, 1)})
    for change in changes:
        entry = entries.get(change.type)
        if entry is None:
            raise _no_such_type(change.type, had)
        entries[change.type] = _changed(entry, change)
    return ordered(entries.values())


def for_processes(
    formation: Iterable[FormationEntry],
    processes: Mapping[str, str],
    declared: Iterable[FormationEntry] = (),
) -> Formation:
    """The formation of a release with these process types.

    A type keeps what it had; a new one gets what is `declared`, else `web` one instance and any
    other none (Heroku's rule). Types that the release lacks are left out.
    """
    had = {entry.type: entry for entry in (*declared, *formation)}
    types = (type for type in processes if type != process.RELEASE_COMMAND)
    return ordered(
        had.get(type) or FormationEntry(type, int(type == process.WEB)) for type in types
    )


def ordered(entries: Iterable[FormationEntry]) -> Formation:
    return tuple(sorted(entries, key=lambda entry: (entry.type != process.WEB, entry.type)))


def _changed(entry: FormationEntry, change: FormationChange) -> FormationEntry:
    quantity = entry.quantity
    if change.quantity is not None:
        quantity = change.quantity + (entry.quantity if change.relative else 0)
    if not 0 <= quantity <= QUANTITY_MAX:
        raise UserError(
            "invalid_params",
            f"{entry.type} can't have {quantity} instances.",
            f"Say a number from 0 to {QUANTITY_MAX}.",
        )
    return replace(entry, quantity=quantity, package=change.package or entry.package)


def _no_such_type(type: str, known: Mapping[str, FormationEntry]) -> NotFound:
    if not known:
        return NotFound(f"There is no process type {type!r}.", "Push the app first.")
    return NotFound(f"There is no process type {type!r}.", f"There are: {', '.join(known)}.")
