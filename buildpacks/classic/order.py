"""In which order an app's buildpacks run, and where among them the platform's own has its place."""

from collections.abc import Sequence
from dataclasses import dataclass

from buildpacks.classic.names import OURS, Buildpack, Kind

RUN = (Kind.GIT, Kind.ARCHIVE, Kind.FOLDER)


@dataclass(frozen=True)
class Order:
    """`before` run ahead of the platform's own buildpack, `after` behind it. An app that names
    none has it alone; with others alone it is left out, and all of them are `after`."""

    before: tuple[Buildpack, ...] = ()
    after: tuple[Buildpack, ...] = ()
    has_ours: bool = True

    @property
    def others(self) -> tuple[Buildpack, ...]:
        """Those that are run."""
        return tuple(each for each in (*self.before, *self.after) if each.kind in RUN)

    @property
    def names(self) -> tuple[str, ...]:
        """As they are shown, in their order."""
        before = [each.shown for each in self.before]
        after = [each.shown for each in self.after]
        return (*before, *([OURS] if self.has_ours else []), *after)


def order(listed: Sequence[Buildpack]) -> Order:
    at = next((n for n, each in enumerate(listed) if each.kind is Kind.OURS), None)
    if at is None:
        return Order(after=tuple(listed), has_ours=not listed)
    return Order(tuple(listed[:at]), tuple(listed[at + 1 :]))
