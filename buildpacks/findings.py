"""What a buildpack has to say about an app: a failure stops the build, a notice does not."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Failure:
    """`id` is a stable word, `message` says what is wrong and where, `hint` what to do about it."""

    id: str
    message: str
    hint: str


@dataclass(frozen=True)
class Notice:
    """The same for what the build lives with."""

    id: str
    message: str
    hint: str = ""


class Refused(Exception):
    """The tree can't be built as it stands; seen from its files alone, before anything is run.

    `failures` are all that are known, each to be mended for itself; `failure` is the first.
    """

    def __init__(self, failure: Failure, *others: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure
        self.failures = (failure, *others)


def refuse(id: str, message: str, hint: str) -> Refused:
    return Refused(Failure(id, message, hint))


@contextlib.contextmanager
def found_in(folder: str) -> Iterator[None]:
    """What is refused meanwhile is about a folder of the tree: its hints are followed there."""
    try:
        yield
    except Refused as refused:
        if not folder:
            raise
        raise Refused(*(_in(folder, failure) for failure in refused.failures)) from refused


def _in(folder: str, failure: Failure) -> Failure:
    hint = f"In {folder}: {failure.hint}"
    return Failure(failure.id, f"{failure.message} (in {folder})", hint)
