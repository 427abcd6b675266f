"""Every noun's functions, on every kind of database."""

from datetime import timedelta
from typing import Any

import pytest

from paas.apps.apps import App
from paas.apps.builds import BuildStatus
from paas.apps.formation import FormationEntry
from paas.apps.instances import Instance
from paas.apps.releases import Release, ReleaseStatus
from paas.errors import NotFound, PlatformError, UserError
from paas.store import (
    apps,
    builds,
    domains,
    formation,
    instances,
    outputs,
    promises,
    releases,
    settings,
    steps,
    tokens,
    trunks,
)
from paas.store.sql import sequence
from paas.store.sql.row import new_id, now


def release_of(call: Any, app: App, **values: Any) -> Release:
    given = {"description": "", "user": "u", "config": {}, "processes": {}} | values
    inserted: Release = call(releases.insert, app_id=app.id, **given)
    return inserted


def test_an_app_is_found_by_name_and_id(call: Any, app: App) -> None:
    assert call(apps.by_name, "hello") == call(apps.by_id, app.id) == app
    assert call(apps.named, "hello") == call(apps.named, app.id) == app
    assert call(apps.by_name, "world") is None and call(apps.by_id, "x") is None
    assert call(apps.all) == [app]


def test_an_unknown_app_suggests_the_nearest(call: Any, app: App) -> None:
    with pytest.raises(NotFound) as caught:
        call(apps.named, "helo")
    assert caught.value.hint == "Did you mean hello?"


def test_a_name_is_taken_once(call: Any, app: App) -> None:
    with pytest.raises(UserError, match="already taken") as caught:
        call(apps.insert, App(new_id(), "hello", "o", now()))
    assert caught.value.id == "conflict"
    other = call(apps.insert, App(new_id(), "world", "o", now()))
    with pytest.raises(UserError, match="already taken"):
        call(apps.rename, other.id, "hello")


def test_an_app_is_renamed_and_put_into_maintenance(call: Any, app: App) -> None:
    assert call(apps.rename, app.id, "brave").name == "brave"
    assert call(apps.set_maintenance, app.id, True).maintenance is True
    assert call(apps.by_name, "brave").maintenance is True
    with pytest.raises(UserError, match="can't name"):
        call(apps.rename, app.id, "No")


def test_routing_settings_are_merged_or_left_alone(call: Any, app: App) -> None:
    assert app.routing == {} == call(apps.by_id, app.id).routing
    call(apps.change_routing, app.id, {"sticky": "on", "concurrency": 5})
    with pytest.raises(UserError):
        call(apps.change_routing, app.id, {"concurrency": 9, "burst": "x"})
    changed = call(apps.change_routing, app.id, {"sticky": None, "first-byte-timeout": "1.5"})
    assert changed == call(apps.by_id, app.id)
    assert changed.routing == {"concurrency": 5, "first_byte_timeout_s": 1.5}


def test_what_is_gone_is_not_found(call: Any) -> None:
    for function, args in (
        (apps.rename, ("x", "brave")),
        (apps.set_maintenance, ("x", True)),
        (apps.delete, ("x",)),
        (apps.lock, ("x",)),
        (releases.by_id, ("x",)),
        (releases.set_status, ("x", ReleaseStatus.FAILED)),
        (builds.by_id, ("x",)),
        (builds.set_status, ("x", BuildStatus.FAILED)),
        (steps.finish, (1, 1.0)),
        (tokens.revoke, ("x",)),
        (domains.remove, ("x", "a.example")),
    ):
        with pytest.raises(NotFound):
            call(function, *args)


def test_an_app_takes_all_that_is_its_own_with_it(call: Any, app: App) -> None:
    release = release_of(call, app)
    build = call(builds.insert, app_id=app.id, commit="c", user="u")
    call(formation.set, app.id, [FormationEntry("web", 1)])
    call(domains.add, app.id, "www.example.com")
    call(instances.insert, Instance(new_id(), app.id, 1, "web", 1, now()))
    call(steps.start, app.id, build.id, "boot")
    call(trunks.set, app.id, image_uuid=new_id(), commit="c", lock_key="k")
    call(apps.delete, app.id)
    for function in (releases.pending, builds.unfinished, domains.all, instances.all, trunks.all):
        assert call(function) == []
    assert call(steps.unfinished) == [] and call(formation.get, app.id) == ()
    with pytest.raises(NotFound):
        call(releases.by_id, release.id)


@pytest.mark.parametrize("function", [builds.insert, releases.insert])
def test_nothing_is_added_to_an_app_that_is_gone(call: Any, function: Any) -> None:
    values: dict[str, Any] = {"app_id": new_id(), "user": "u"}
    if function is builds.insert:
        values["commit"] = "c"
    else:
        values |= {"description": "", "config": {}, "processes": {}}
    with pytest.raises(UserError):
        call(function, **values)


def test_releases_count_in_each_app(call: Any, app: App) -> None:
    other = call(apps.insert, App(new_id(), "world", "o", now()))
    versions = [release_of(call, one).version for one in (app, app, other)]
    assert versions == [1, 2, 1]
    assert [release.version for release in call(releases.all, app.id)] == [2, 1]


def test_a_release_is_read_as_it_was_written(call: Any, app: App) -> None:
    values = {"config": {"A": "ü\n"}, "processes": {"web": "node ."}, "image_uuid": new_id()}
    release = release_of(call, app, commit="c" * 40, runtime_uuid=new_id(), **values)
    assert call(releases.by_id, release.id) == release
    assert call(releases.by_version, app.id, 1) == release
    for name in ("1", "v1", "V1", release.id):
        assert call(releases.named, app.id, name) == release
    for name in ("2", "x", "", new_id()):
        with pytest.raises(NotFound):
            call(releases.named, app.id, name)


def test_the_current_release_is_the_newest_that_succeeded(call: Any, app: App) -> None:
    assert call(releases.current, app.id) is None
    made = [release_of(call, app) for _ in range(3)]
    call(releases.set_status, made[0].id, ReleaseStatus.SUCCEEDED)
    call(releases.set_status, made[1].id, ReleaseStatus.FAILED, "it did not boot")
    assert call(releases.current, app.id).version == 1
    assert call(releases.newest, app.id).version == 3
    assert call(releases.by_version, app.id, 2).failure == "it did not boot"
    assert [release.version for release in call(releases.pending)] == [3]


def test_a_release_ends_once(call: Any, app: App) -> None:
    release = release_of(call, app)
    call(releases.set_status, release.id, ReleaseStatus.FAILED, "no")
    with pytest.raises(PlatformError):
        call(releases.set_status, release.id, ReleaseStatus.SUCCEEDED)
    assert call(releases.by_id, release.id).status is ReleaseStatus.FAILED


def test_a_build_ends_with_its_image_or_its_failure(call: Any, app: App) -> None:
    made = [call(builds.insert, app_id=app.id, commit=str(n), user="u") for n in range(3)]
    assert [build.id for build in call(builds.unfinished)] == [build.id for build in made]
    image = new_id()
    call(builds.set_status, made[0].id, BuildStatus.PENDING, image_uuid=image)
    done = call(builds.set_status, made[0].id, BuildStatus.SUCCEEDED, release_id="r")
    assert (done.image_uuid, done.release_id, done.failure) == (image, "r", None)
    failed = call(builds.set_status, made[1].id, BuildStatus.FAILED, failure="no start script")
    assert call(builds.by_id, failed.id).failure == "no start script"
    assert [build.commit for build in call(builds.unfinished)] == ["2"]
    assert [build.commit for build in call(builds.all, app.id)] == ["2", "1", "0"]


def test_a_formation_is_set_by_type(call: Any, app: App) -> None:
    assert call(formation.get, app.id) == ()
    call(formation.set, app.id, [FormationEntry("worker", 0), FormationEntry("web", 1)])
    changed = call(formation.set, app.id, [FormationEntry("web", 3, "standard-1g")])
    assert changed == (FormationEntry("web", 3, "standard-1g"), FormationEntry("worker", 0))
    assert call(formation.get, app.id) == changed


def test_a_domain_belongs_to_one_app(call: Any, app: App) -> None:
    other = call(apps.insert, App(new_id(), "world", "o", now()))
    domain = call(domains.add, app.id, "www.example.com")
    for one, reason in ((app, "The app has the domain"), (other, "in use by another app")):
        with pytest.raises(UserError, match=reason) as caught:
            call(domains.add, one.id, "www.example.com")
        assert caught.value.id == "conflict"
    with pytest.raises(NotFound):
        call(domains.remove, other.id, "www.example.com")
    assert call(domains.for_app, app.id) == call(domains.all) == [domain]
    assert call(domains.remove, app.id, domain.id) == domain
    assert call(domains.all) == []


def test_instances_are_listed_until_they_are_deleted(call: Any, app: App) -> None:
    made = [Instance(new_id(), app.id, 1, "web", number, now()) for number in (2, 1)]
    for instance in made:
        call(instances.insert, instance)
    assert call(instances.for_app, app.id) == call(instances.all) == [made[1], made[0]]
    assert call(instances.by_machine, made[0].machine_uuid) == made[0]
    call(instances.delete, made[0].machine_uuid)
    call(instances.delete, made[0].machine_uuid)
    assert call(instances.all) == [made[1]]


def test_steps_make_a_timeline(call: Any, app: App) -> None:
    build = new_id()
    call(steps.record, app.id, build, "receive", now(), 12.5)
    boot = call(steps.start, app.id, build, "boot")
    assert [step.name for step in call(steps.unfinished)] == ["boot"]
    call(steps.finish, boot, 150.0)
    found = call(steps.for_subject, build)
    assert [(step.name, step.duration_ms) for step in found] == [("receive", 12.5), ("boot", 150.0)]
    assert call(steps.unfinished) == []


def test_a_trunk_is_replaced(call: Any, app: App) -> None:
    assert call(trunks.get, app.id) is None
    call(trunks.set, app.id, image_uuid=new_id(), commit="a", lock_key="k")
    second = call(trunks.set, app.id, image_uuid=new_id(), commit="b", lock_key="k")
    assert call(trunks.get, app.id) == second and call(trunks.all) == [second]
    call(trunks.delete, app.id)
    assert call(trunks.get, app.id) is None


def test_the_output_of_a_machine_has_one_process(call: Any, app: App) -> None:
    machines = [new_id(), new_id()]
    for machine, process in ((machines[0], "web.1"), (machines[1], "web.2"), (machines[0], "x.1")):
        call(outputs.add, machine, app.id, process)
    found = {output.machine_uuid: output.process for output in call(outputs.for_app, app.id)}
    assert found == {machines[0]: "x.1", machines[1]: "web.2"}
    call(outputs.delete, machines[0])
    call(outputs.delete, machines[0])
    assert [output.machine_uuid for output in call(outputs.all)] == [machines[1]]


def test_an_app_has_one_promise(call: Any, app: App) -> None:
    made = [promises.Promise(app.id, new_id(), "refs/heads/main", commit) for commit in "ab"]
    for promise in made:
        call(promises.set, promise)
    assert call(promises.all) == [made[1]]
    call(promises.delete, app.id)
    call(promises.delete, app.id)
    assert call(promises.all) == []


def test_sequences_grow(call: Any) -> None:
    assert call(sequence.current_value, "table") == 0
    assert [call(sequence.next_value, "table") for _ in range(3)] == [1, 2, 3]
    assert call(sequence.next_value, "other") == 1
    assert call(sequence.current_value, "table") == 3


def test_settings_are_kept(call: Any) -> None:
    call(settings.set, "a", "1")
    call(settings.set, "a", "2")
    assert call(settings.get, "a") == "2"
    call(settings.delete, "a")
    assert call(settings.get, "a") is None


def test_a_token_authenticates_until_it_is_revoked(call: Any) -> None:
    token, secret = call(tokens.create, description="CI", user="owner@localhost")
    found = call(tokens.authenticate, secret)
    assert found.id == token.id and found.last_used_at is None
    assert call(tokens.of_user, "owner@localhost")[0].last_used_at is not None
    assert call(tokens.authenticate, secret + "x") is None
    call(tokens.revoke, token.id)
    assert call(tokens.authenticate, secret) is None


def test_a_token_expires(call: Any) -> None:
    _, secret = call(tokens.create, description="", user="u", lifetime=timedelta(seconds=-1))
    assert call(tokens.authenticate, secret) is None


def test_a_code_is_exchanged_once_however_it_is_typed(call: Any) -> None:
    code = call(tokens.create_code, "owner@localhost")
    token, secret = call(tokens.exchange, f" {code.upper().replace('-', '')}\n", "laptop")
    assert call(tokens.authenticate, secret).id == token.id
    assert (token.user, token.description) == ("owner@localhost", "laptop")
    with pytest.raises(UserError) as caught:
        call(tokens.exchange, code, "again")
    assert caught.value.id == "unauthorized"


def test_an_expired_code_is_refused(call: Any) -> None:
    code = call(tokens.create_code, "u", lifetime=timedelta(seconds=-1))
    with pytest.raises(UserError, match="expired"):
        call(tokens.exchange, code, "")


def test_no_secret_is_stored(call: Any) -> None:
    _, secret = call(tokens.create, description="", user="u")
    code = call(tokens.create_code, "u")

    def everything(connection: Any) -> str:
        rows = [
            *connection.exec_driver_sql("SELECT * FROM tokens"),
            *connection.exec_driver_sql("SELECT * FROM codes"),
        ]
        return str(rows)

    stored = call(everything)
    assert secret not in stored and code not in stored and code.replace("-", "") not in stored
