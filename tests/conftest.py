"""What holds for all tests: their signals, how long Hypothesis looks, what `--long`, `--guest`,
`--apps` and `--selected` change."""

import pytest
from hypothesis import HealthCheck, settings

from tests.processes import restore_signals

LONG_TIMEOUT_S = 3600

settings.register_profile(
    "any machine",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
"""A busy machine is no failure: no example has a time limit of its own, nor has making one. And the
examples are the same in each run: who breaks something sees it in the run of the change."""
settings.register_profile(
    "long", settings.get_profile("any machine"), max_examples=5000, derandomize=False
)
settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--long",
        action="store_true",
        help="run tests marked `long` too, and give fuzz and differential tests more examples",
    )

    parser.addoption(
        "--guest",
        action="store_true",
        help="run tests marked `guest` too: whole systems in QEMU, each for many minutes",
    )

    parser.addoption(
        "--apps",
        action="store_true",
        help="run tests marked `apps` too: real apps from their makers' generators, minutes each",
    )

    parser.addoption(
        "--selected",
        action="store_true",
        help="of the real apps only those that CI pushes, as their makers had them on a fixed day",
    )


def pytest_configure(config: pytest.Config) -> None:
    restore_signals()
    if config.getoption("--long"):
        settings.load_profile("long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--guest"):
        skip = pytest.mark.skip(reason="a guest is made for it: script/test --guest")
        for item in items:
            if item.get_closest_marker("guest"):
                item.add_marker(skip)
    if not config.getoption("--apps"):
        skip = pytest.mark.skip(reason="real apps are generated for it: script/test --apps")
        for item in items:
            if item.get_closest_marker("apps"):
                item.add_marker(skip)
    if not config.getoption("--long"):
        skip = pytest.mark.skip(reason="a long test: script/test --long")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(skip)
        return
    for item in items:
        if not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(LONG_TIMEOUT_S))


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    """Whether this is a long run: for fuzzers that count their own rounds."""
    return bool(request.config.getoption("--long"))
