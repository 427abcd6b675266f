"""How large a pool may be: pure arithmetic over what the disk has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paas.node.pools import PoolError
from paas.node.pools.sparse_file import check_size, size_for

GIB = 1024**3


def test_a_tenth_of_the_disk_stays_free() -> None:
    assert size_for(0, 80 * GIB, 100 * GIB, 0) == 70 * GIB


def test_what_the_file_holds_already_counts() -> None:
    assert size_for(20 * GIB, 60 * GIB, 100 * GIB, 0) == 70 * GIB


def test_a_wanted_size_is_a_cap() -> None:
    assert size_for(0, 80 * GIB, 100 * GIB, 10 * GIB) == 10 * GIB
    assert size_for(0, 30 * GIB, 100 * GIB, 50 * GIB) == 20 * GIB


def test_a_nearly_full_disk_is_refused() -> None:
    with pytest.raises(PoolError, match="nearly full"):
        check_size(size_for(0, 11 * GIB, 100 * GIB, 0), 0)
    with pytest.raises(PoolError, match="nearly full"):
        check_size(size_for(0, 1 * GIB, 100 * GIB, 1 * GIB), 1 * GIB)
    check_size(size_for(0, 80 * GIB, 100 * GIB, 1 * GIB), 1 * GIB)


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(0, 10**15))
def test_a_pool_never_outgrows_its_disk(allocated: int, free: int, wanted: int) -> None:
    disk = allocated + free
    size = size_for(allocated, free, disk, wanted)
    assert size == 0 or size - allocated <= free - disk // 10
