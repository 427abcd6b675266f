"""An app that keeps what it knows in files is told, once, that these vanish."""

from typing import Any

import pytest

from buildpacks.plan import Previous
from tests.buildpacks.nodejs.test_plan import planned
from tests.buildpacks.nodejs.trees import app

SCHEMA = 'datasource db {\n  provider = "sqlite"\n}\n'


@pytest.mark.parametrize(
    ("files", "package", "named"),
    [
        ({"shop.sqlite": ""}, {}, "shop.sqlite"),
        ({"data/app.db": ""}, {}, "data/app.db"),
        ({"uploads/.gitkeep": ""}, {}, "uploads/"),
        ({"public/uploads/.gitkeep": ""}, {}, "public/uploads/"),
        ({"prisma/schema.prisma": SCHEMA}, {}, "sqlite in prisma/schema.prisma"),
        ({}, {"dependencies": {"better-sqlite3": "1"}}, "better-sqlite3"),
        ({}, {"dependencies": {"multer": "1"}}, "multer"),
        ({}, {"dependencies": {"session-file-store": "1"}}, "session-file-store"),
    ],
)
def test_signs_of_files_that_are_to_stay_are_told_before_the_first_release(
    files: Any, package: Any, named: str
) -> None:
    lock = {name: {"version": "1.0.0"} for name in package.get("dependencies", {})}
    tree = app({"server.js": "", **files}, lock=lock, engines={"node": "24"}, **package)
    (notice,) = planned(tree).notices
    assert (notice.id, f"({named})" in notice.message) == ("files_vanish", True), notice.message
    assert planned(tree, previous=Previous(runtime_major=24)).notices == ()


def test_an_app_without_such_signs_is_told_nothing() -> None:
    files = {"server.js": "", "lib/db/index.js": "", "prisma/schema.prisma": 'provider = "mysql"'}
    assert planned(app(files, engines={"node": "24"})).notices == ()
