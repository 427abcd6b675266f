"""What to start and what to retire: pure decisions over the formation and the instances."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from paas.apps.formation import FormationEntry
from paas.apps.instances import Instance, free_numbers
from paas.apps.packages import package


@dataclass(frozen=True)
class Wanted:
    """An instance that should exist: `web.1` with a package's name."""

    type: str
    number: int
    package: str

    @property
    def name(self) -> str:
        return f"{self.type}.{self.number}"


@dataclass(frozen=True)
class Change:
    """From what is to what should be."""

    start: tuple[Wanted, ...] = ()
    retire: tuple[Instance, ...] = ()


def full(formation: Iterable[FormationEntry]) -> tuple[Wanted, ...]:
    """Every instance of a formation: what a new release starts."""
    return tuple(
        Wanted(entry.type, number, entry.package)
        for entry in formation
        for number in range(1, entry.quantity + 1)
    )


def largest(formation: Iterable[FormationEntry]) -> str | None:
    """The name of an instance with the most memory: what runs before it has its room."""
    wanted = full(formation)
    best = max(wanted, key=lambda each: package(each.package).max_physical_memory, default=None)
    return best.name if best else None


def converge(
    formation: Iterable[FormationEntry], instances: Iterable[Instance], version: int
) -> Change:
    """What makes the instances those of release `version` in the formation's quantities.

    Instances of other releases go, then older ones of the same name (a restart was cut off), then
    those with the highest numbers; new ones get the lowest free numbers.
    """
    start: list[Wanted] = []
    retire: list[Instance] = []
    present: dict[str, list[Instance]] = defaultdict(list)
    for instance in instances:
        if instance.release_version == version:
            present[instance.type].append(instance)
        else:
            retire.append(instance)
    for entry in formation:
        have, replaced = _newest_of_each(present.pop(entry.type, []))
        retire += replaced + have[entry.quantity :]
        kept = [instance.number for instance in have[: entry.quantity]]
        for number in free_numbers(kept, entry.quantity - len(kept)):
            start.append(Wanted(entry.type, number, entry.package))
    for left in present.values():
        retire += left
    return Change(tuple(start), tuple(retire))


def _newest_of_each(present: Iterable[Instance]) -> tuple[list[Instance], list[Instance]]:
    """By number the newest instance, and all others."""
    newest: dict[int, Instance] = {}
    others: list[Instance] = []
    for instance in sorted(present, key=lambda item: (item.number, item.created_at)):
        if instance.number in newest:
            others.append(newest[instance.number])
        newest[instance.number] = instance
    return list(newest.values()), others


def replacing(
    formation: Iterable[FormationEntry], instances: Iterable[Instance]
) -> tuple[Wanted, ...]:
    """The same instances again, in the formation's packages: what a restart starts."""
    packages = {entry.type: entry.package for entry in formation}
    return tuple(
        Wanted(instance.type, instance.number, packages[instance.type])
        for instance in instances
        if instance.type in packages
    )
