import pytest

from paas.apps.instances import free_numbers, parse_name
from paas.apps.packages import (
    DEFAULT_PACKAGE,
    HEROKU_SIZES,
    PACKAGES,
    SHARES_PER_CORE,
    memory_variables,
    package,
)
from paas.apps.processes import check_type
from paas.errors import UserError


def test_the_default_package_has_512_mib() -> None:
    assert package(DEFAULT_PACKAGE).max_physical_memory == 512


def test_packages_obey_sdcs_limits() -> None:
    for one in PACKAGES:
        assert one.cpu_shares >= SHARES_PER_CORE // 32
        assert 1 <= one.zfs_io_priority <= 1024
        assert one.max_swap >= max(one.max_physical_memory, 128)
        assert one.max_physical_memory >= 64 and one.quota >= 1


def test_small_packages_ask_for_less_of_everything() -> None:
    sizes = [(one.cpu_shares, one.max_physical_memory, one.quota) for one in PACKAGES]
    small = [size for size in sizes if size[1] < package(DEFAULT_PACKAGE).max_physical_memory]
    default = package(DEFAULT_PACKAGE)
    assert len(small) >= 2
    for cpu_shares, memory_mib, quota_gib in small:
        assert cpu_shares < default.cpu_shares and quota_gib < default.quota
        assert cpu_shares * default.max_physical_memory == default.cpu_shares * memory_mib


def test_herokus_sizes_name_packages_in_any_case() -> None:
    assert package("Standard-1X") == package("standard-512m")
    assert {package(size).name for size in HEROKU_SIZES} <= {one.name for one in PACKAGES}


@pytest.mark.parametrize(
    ("size", "own", "each", "count"),
    [
        ("standard-128m", None, "128", "1"),
        ("standard-512m", None, "512", "1"),
        ("standard-2g", None, "512", "4"),
        ("standard-2g", "1024", "1024", "2"),
        ("standard-512m", "4096", "4096", "1"),
        ("standard-2g", "1", "1", "200"),
        ("standard-1g", "0", "512", "2"),
        ("standard-1g", "much", "512", "2"),
    ],
)
def test_the_package_is_told_by_herokus_variables(
    size: str, own: str | None, each: str, count: str
) -> None:
    assert memory_variables(package(size), own) == {
        "MEMORY_AVAILABLE": str(package(size).max_physical_memory),
        "WEB_MEMORY": each,
        "WEB_CONCURRENCY": count,
    }


def test_instance_names_are_parsed() -> None:
    assert parse_name("web.12") == ("web", 12)
    assert parse_name("my-worker") == ("my-worker", None)


@pytest.mark.parametrize("name", ["", ".1", "web.", "web.0", "web.x", "web.1.2", "a/b", "web.1\n"])
def test_other_instance_names_are_refused(name: str) -> None:
    with pytest.raises(UserError):
        parse_name(name)


def test_free_numbers_fill_the_gaps() -> None:
    assert free_numbers([1, 3], 3) == [2, 4, 5]
    assert free_numbers([], 0) == []


@pytest.mark.parametrize("type", ["", "a b", "../x", "x" * 31, "web\n"])
def test_bad_process_types_are_refused(type: str) -> None:
    with pytest.raises(UserError):
        check_type(type)
