"""Numbers that all workers share: one anonymous file, mapped by the keeper and each worker.

A row belongs to one worker, and only that worker writes it: aligned eight-byte stores need no lock.
Row 0 holds what workers that are gone had counted. In a row come first the requests in flight, one
cell an instance, then the apps' cells. Slots are given out by the keeper. After the rows come the
token buckets of `rates`, which all workers write, and the key to find them.
"""

import mmap
import os
import secrets
from collections.abc import Iterable, Sequence
from typing import Final

from router.memory import rates

ROWS: Final = 32
INSTANCES_MAX: Final = 65536
APPS_MAX: Final = 16384
APP_CELLS: Final = 96

STATUS: Final = 0
"""The cell of status class n is STATUS + n, 1 to 5."""
ROUTER_ERRORS: Final = 6
BYTES_OUT: Final = 7
SERVICE_US: Final = 8
QUEUED: Final = 9
WAITING_SINCE: Final = 10
"""Microseconds since the epoch when the oldest request that waits came; 0 when none does."""
HISTOGRAM: Final = 16
BUCKETS: Final = 64
NAMES: Final = (
    "status_1xx",
    "status_2xx",
    "status_3xx",
    "status_4xx",
    "status_5xx",
    "router_errors",
    "bytes_out",
    "service_us",
    "queued",
)

_OF_NOW: Final = (QUEUED, WAITING_SINCE)
"""What ends with the worker that had it."""
_ROW_CELLS: Final = INSTANCES_MAX + APPS_MAX * APP_CELLS
_CELLS: Final = ROWS * _ROW_CELLS + rates.CELLS
_BYTES: Final = _CELLS * 8 + rates.KEY_BYTES


class Counters:
    """`cells` is the whole map as unsigned 64-bit numbers; `buckets` the part that no row has."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.map = mmap.mmap(descriptor, _BYTES)
        self.cells = memoryview(self.map)[: _CELLS * 8].cast("Q")
        rows = ROWS * _ROW_CELLS
        key = bytes(self.map[_CELLS * 8 : _BYTES])
        self.buckets = rates.Buckets(self.cells[rows : rows + rates.CELLS], key)

    def in_flight(self, slot: int, rows: Sequence[int] = range(1, ROWS)) -> int:
        """Requests in flight to an instance, over all workers, or those of these rows."""
        return sum(self.cells[instance_cell(row, slot)] for row in rows)

    def queued(self, slot: int, first_cells: Sequence[int]) -> int:
        """How many wait for an instance of the app, over the rows that begin at these cells."""
        offset = INSTANCES_MAX + slot * APP_CELLS + QUEUED
        return sum(self.cells[first + offset] for first in first_cells)

    def oldest_waiting(self, slot: int, first_cells: Sequence[int]) -> int:
        """The row of the worker with the oldest request that waits for the app; 0: none does."""
        offset = INSTANCES_MAX + slot * APP_CELLS + WAITING_SINCE
        waiting = [(self.cells[first + offset], first) for first in first_cells]
        oldest = min((each for each in waiting if each[0]), default=(0, 0))
        return oldest[1] // _ROW_CELLS

    def app(self, slot: int, rows: Sequence[int] = range(1, ROWS)) -> dict[str, int]:
        """An app's totals by name: those of the workers in `rows`, and of all that are gone."""
        bases = [app_cell(row, slot) for row in (0, *rows)]
        totals = {
            name: sum(self.cells[base + index] for base in bases)
            for index, name in enumerate(NAMES, 1)
        }
        totals["requests"] = sum(totals[f"status_{n}xx"] for n in range(1, 6))
        return totals

    def histogram(self, slot: int, rows: Sequence[int] = range(1, ROWS)) -> list[int]:
        """How many requests fell into each bucket; see `bucket`."""
        bases = [app_cell(row, slot) + HISTOGRAM for row in (0, *rows)]
        parts = (self.cells[base : base + BUCKETS].tolist() for base in bases)
        return [sum(column) for column in zip(*parts, strict=True)]

    def requests(self, slot: int, rows: Sequence[int]) -> tuple[int, int]:
        """How many requests of the app have ended, and how many of them with 5xx."""
        all = errors = 0
        for row in (0, *rows):
            first = app_cell(row, slot) + STATUS + 1
            classes = self.cells[first : first + 5].tolist()
            all += sum(classes)
            errors += classes[4]
        return all, errors

    def retire(self, row: int, instance_slots: Iterable[int], app_slots: Iterable[int]) -> None:
        """Take a dead worker's row out: nothing is in flight there, its totals move to row 0."""
        for slot in instance_slots:
            self.cells[instance_cell(row, slot)] = 0
        for slot in app_slots:
            source, target = app_cell(row, slot), app_cell(0, slot)
            for index in range(APP_CELLS):
                if index not in _OF_NOW:
                    self.cells[target + index] += self.cells[source + index]
                self.cells[source + index] = 0

    def clear_app(self, slot: int) -> None:
        """Make an app's cells ready for another app."""
        for row in range(ROWS):
            base = app_cell(row, slot)
            for index in range(APP_CELLS):
                self.cells[base + index] = 0


def create() -> Counters:
    descriptor = os.memfd_create("paas-router-counters", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, _BYTES)
    os.pwrite(descriptor, secrets.token_bytes(rates.KEY_BYTES), _CELLS * 8)
    return Counters(descriptor)


def instance_cell(row: int, slot: int) -> int:
    return row * _ROW_CELLS + slot


def app_cell(row: int, slot: int) -> int:
    return row * _ROW_CELLS + INSTANCES_MAX + slot * APP_CELLS


def bucket(microseconds: int) -> int:
    """The histogram's bucket: two to each power of two."""
    if microseconds < 2:
        return max(microseconds, 0)
    bits = microseconds.bit_length()
    return min(2 * bits - 2 + (microseconds >> (bits - 2) & 1), BUCKETS - 1)


SMALL_BUCKETS: Final = bytes(bucket(microseconds) for microseconds in range(4096))


def bucket_limit_us(index: int) -> int:
    """The first number of microseconds that is over the bucket."""
    if index < 2:
        return index + 1
    bits, upper = divmod(index + 2, 2)
    return (3 + upper) << (bits - 2)
