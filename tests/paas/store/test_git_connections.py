"""What git hosts told, and what of it is dealt with: no news is lost, and none counts twice."""

from typing import Any

from paas.apps.apps import App
from paas.apps.git_connections import GitConnection, Kind, Outcome
from paas.store import apps, git_connections
from paas.store.sql.row import new_id, now


def connected(call: Any, app: App) -> GitConnection:
    hook = new_id()
    made = GitConnection(app.id, hook, "https://h/o/n", Kind.GITEA, "main", "u", now(), "secret")
    found: GitConnection = call(git_connections.put, made)
    return found


def test_late_ends_undo_nothing_and_what_was_told_meanwhile_stays_due(call: Any, app: App) -> None:
    connected(call, app)
    first = call(git_connections.ring, app.id)
    second = call(git_connections.ring, app.id)
    call(git_connections.deal, first, "a", Outcome.FAILED)
    assert call(git_connections.due) == [call(git_connections.of_app, app.id)]
    call(git_connections.deal, second, "b", Outcome.SUCCEEDED)
    assert call(git_connections.due) == []
    late = call(git_connections.deal, first, "a", Outcome.FAILED)
    assert (late.seen, late.commit, late.outcome) == (2, "b", Outcome.SUCCEEDED)
    again = call(git_connections.ring, app.id, again=True)
    assert (again.commit, again.outcome) == ("", Outcome.ASKED)


def test_a_new_connection_knows_nothing_of_the_old_one(call: Any, app: App) -> None:
    old = connected(call, app)
    rung = call(git_connections.ring, app.id)
    new = connected(call, app)
    assert call(git_connections.deal, rung, "c", Outcome.FAILED) is None
    assert call(git_connections.by_hook, old.hook) is None
    assert call(git_connections.by_hook, new.hook) == new
    call(apps.delete, app.id)
    assert call(git_connections.by_hook, new.hook) is None
