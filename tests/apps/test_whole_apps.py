"""The apps of docs/apps.md: pushed twice, and looked at in a real browser, console included."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import NewApp
from tests.apps.browser import Browser
from tests.apps.catalogue import GENERATED
from tests.apps.catalogue_large import LARGE
from tests.apps.catalogue_more import MORE
from tests.apps.catalogue_runtimes import RUNTIMES
from tests.apps.catalogue_whole import WHOLE
from tests.apps.whole import Whole, push_twice

APPS = (*GENERATED, *WHOLE, *RUNTIMES, *LARGE, *MORE)
pytestmark = [pytest.mark.apps, pytest.mark.root, pytest.mark.timeout(7200)]


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    home = tmp_path / "browser"
    found = Browser(home)
    yield found
    found.close()
    shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize("app", APPS, ids=[f"{app.name}-page" for app in APPS])
def test_its_page_is_right_after_each_of_two_pushes(
    new_app: NewApp,
    npm_environment: dict[str, str],
    browser: Browser,
    app: Whole,
    record_property: Callable[[str, object], None],
) -> None:
    row = push_twice(new_app(prefix=app.name), npm_environment, browser, app)
    record_property("row", row.markdown)
