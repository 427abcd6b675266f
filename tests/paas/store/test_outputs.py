"""Whose output a log is, and refs that follow a release: they end with their app."""

from collections.abc import Callable
from typing import Any

from paas.apps.apps import App
from paas.store import apps, outputs, promises
from paas.store.sql.row import new_id

Call = Callable[..., Any]


def test_outputs_are_by_app_oldest_first_and_can_be_said_twice(call: Call, app: App) -> None:
    first, second = new_id(), new_id()
    for uuid in (first, second, second):
        call(outputs.add, uuid, app.id, "web.1")
    assert [item.machine_uuid for item in call(outputs.for_app, app.id)] == [first, second]
    assert call(outputs.all) == call(outputs.for_app, app.id)
    call(outputs.delete, first)
    call(outputs.delete, first)
    assert [item.machine_uuid for item in call(outputs.all)] == [second]


def test_an_app_has_one_promise_and_the_newest_counts(call: Call, app: App) -> None:
    old = promises.Promise(app.id, new_id(), "refs/heads/main", "1" * 40)
    new = promises.Promise(app.id, new_id(), "refs/heads/master", "2" * 40)
    call(promises.set, old)
    call(promises.set, new)
    assert call(promises.all) == [new]
    call(promises.delete, app.id)
    call(promises.delete, app.id)
    assert call(promises.all) == []


def test_both_go_with_the_app(call: Call, app: App) -> None:
    call(outputs.add, new_id(), app.id, "web.1")
    call(promises.set, promises.Promise(app.id, new_id(), "refs/heads/main", "1" * 40))
    call(apps.delete, app.id)
    assert call(outputs.all) == call(promises.all) == []
