"""Requests that are refused, and what the refusal says."""

from datetime import UTC, datetime
from typing import Any

import pytest

from paas.api import failure
from paas.api.endpoints.releases import in_herokus_words
from paas.apps.releases import Release, ReleaseStatus
from paas.errors import PlatformError


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "id"),
    [
        ("GET", "/apps/helo", None, 404, "not_found"),
        ("GET", "/apps/hello/releases/v99", None, 404, "not_found"),
        ("GET", "/apps/hello/releases/x", None, 404, "not_found"),
        ("GET", "/apps/hello/builds/x", None, 404, "not_found"),
        ("GET", "/apps/hello/dynos/web.9", None, 404, "not_found"),
        ("GET", "/apps/hello/domains/x.example", None, 404, "not_found"),
        ("GET", "/apps/hello/formation/nothing", None, 404, "not_found"),
        ("GET", "/apps/hello/pipeline-couplings", None, 404, "not_found"),
        ("GET", "/nothing", None, 404, "not_found"),
        ("PUT", "/apps/hello", None, 405, "method_not_allowed"),
        ("POST", "/apps/hello/addons", {}, 501, "not_implemented"),
        ("POST", "/apps", {"name": "hello"}, 409, "conflict"),
        ("POST", "/apps", {"name": "No"}, 422, "invalid_params"),
        ("POST", "/apps", {"name": 1}, 422, "invalid_params"),
        ("POST", "/apps", {"region": "us"}, 422, "invalid_params"),
        ("POST", "/apps", {"stack": "heroku-24"}, 422, "invalid_params"),
        ("POST", "/apps", {"team": "x"}, 422, "invalid_params"),
        ("PATCH", "/apps/hello", {"name": "No"}, 422, "invalid_params"),
        ("PATCH", "/apps/hello", {"maintenance": "yes"}, 422, "invalid_params"),
        ("PATCH", "/apps/hello", {"maintenance": []}, 422, "invalid_params"),
        ("PATCH", "/apps/hello", {"owner": "me"}, 422, "invalid_params"),
        ("POST", "/smartplatform/apps/hello/objects/missing", {}, 422, "invalid_params"),
        (
            "POST",
            "/smartplatform/apps/hello/objects/missing",
            {"objects": ["a"]},
            422,
            "invalid_params",
        ),
        ("PATCH", "/apps/hello/formation", {}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/formation", {"updates": []}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/formation", {"updates": [1]}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/formation", {"updates": [{"type": "web"}]}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/formation/web", {"quantity": "x"}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/formation/web", {"quantity": 101}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/formation/web", {"size": "huge"}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/formation/web", {"size": 1}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/formation/none", {"quantity": 1}, 404, "not_found"),
        ("PATCH", "/apps/hello/config-vars", {}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/config-vars", {"PORT": "1"}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/config-vars", {"A": 1}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/config-vars", {"A-B": "1"}, 422, "invalid_params"),
        ("POST", "/apps/hello/releases", {"slug": "x"}, 422, "invalid_params"),
        ("POST", "/apps/hello/releases", {"release": "v1"}, 422, "invalid_params"),
        ("POST", "/apps/hello/releases", {"release": True}, 422, "invalid_params"),
        ("POST", "/apps/hello/builds", {"source_blob": {"url": "x"}}, 422, "invalid_params"),
        ("POST", "/apps/hello/builds", {"source_blob": {"version": "--x"}}, 422, "invalid_params"),
        ("POST", "/apps/hello/builds", {"source_blob": []}, 201, None),
        ("POST", "/apps/hello/builds", {"source_blob": 7}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/routing", {}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/routing", {"stick": True}, 422, "invalid_params"),
        ("PATCH", "/apps/hello/routing", {"sticky": "yes"}, 422, "invalid_params"),
        ("PATCH", "/apps/helo/routing", {"sticky": True}, 404, "not_found"),
        ("POST", "/apps/hello/domains", {}, 422, "invalid_params"),
        ("POST", "/apps/hello/domains", {"hostname": "x.localhost"}, 422, "invalid_params"),
        ("DELETE", "/apps/hello/domains/x.example", None, 404, "not_found"),
        ("DELETE", "/apps/hello/dynos/web.9", None, 404, "not_found"),
        ("DELETE", "/apps/hello/dynos/..%2Fx", None, 404, "not_found"),
        ("POST", "/apps/hello/dynos", {}, 422, "invalid_params"),
        ("POST", "/apps/hello/dynos", {"command": ["ls"]}, 422, "invalid_params"),
        ("POST", "/apps/hello/dynos", {"command": "ls", "size": "huge"}, 422, "invalid_params"),
        ("POST", "/apps/hello/dynos", {"command": "ls", "env": []}, 422, "invalid_params"),
        ("POST", "/apps/hello/dynos", {"command": "ls", "time_to_live": 0}, 422, "invalid_params"),
        ("POST", "/apps/hello/dynos", {"command": "ls", "attach": "x"}, 422, "invalid_params"),
        ("POST", "/apps/hello/dynos/run.7/actions/stop", None, 404, "not_found"),
        ("DELETE", "/apps/hello/dynos/run.7", None, 404, "not_found"),
        ("GET", "/apps/hello/features/runtime-heroku-exec", None, 501, "not_implemented"),
        ("POST", "/smartplatform/apps/hello/dynos/web.1/ports/0", {}, 422, "invalid_params"),
        ("POST", "/smartplatform/apps/hello/dynos/web.1/ports/x", {}, 422, "invalid_params"),
    ],
)
def test_refusals(run: Any, method: str, path: str, body: Any, status: int, id: str) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        answer = await api.owner.request(method, path, json=body)
        assert (answer.status_code, answer.json().get("id") if id else None) == (status, id)
        assert id is None or answer.json()["message"]

    run(story)


def test_an_app_without_a_web_process_has_no_url(run: Any) -> None:
    async def story(api: Any) -> None:
        app = await api.deployed()
        assert (await api.owner.get("/apps/hello")).json()["web_url"]
        await api.platform.releases.deploy(app, {"worker": "node worker.js"}, "owner@localhost")
        assert (await api.owner.get("/apps/hello")).json()["web_url"] is None

    run(story)


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"\xff", b"[" * 100_000, b'{"a":NaN'])
def test_a_body_that_is_no_object_is_refused(run: Any, body: bytes) -> None:
    async def story(api: Any) -> None:
        answer = await api.owner.post("/apps", content=body)
        assert (answer.status_code, answer.json()["id"]) == (400, "bad_request")

    run(story)


def test_a_body_that_is_too_large_is_refused(run: Any) -> None:
    async def story(api: Any) -> None:
        answer = await api.owner.post("/apps", content=b" " * (1024 * 1024 + 1))
        assert answer.status_code == 413 and answer.json()["message"]

    run(story)


@pytest.mark.parametrize(
    "accept",
    [
        "application/vnd.heroku+json; version=3",
        "application/vnd.heroku+json; version=3.sdk",
        "application/vnd.heroku+json; version=3.cedar-acm",
        "application/json",
        "*/*",
    ],
)
def test_any_variant_of_the_media_type_is_answered(run: Any, accept: str) -> None:
    async def story(api: Any) -> None:
        answer = await api.owner.get("/apps", headers={"Accept": accept})
        assert answer.status_code == 200 and answer.headers["Request-Id"]

    run(story)


def test_the_hint_is_in_the_message_for_clients_that_know_no_hints(run: Any) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        message, hint = "Couldn't find the app 'helo'.", "Did you mean hello?"
        answer = await api.owner.get("/apps/helo", headers={"User-Agent": "heroku-cli/11"})
        assert answer.json() == {"id": "not_found", "message": f"{message}\n{hint}"}
        answer = await api.owner.get("/apps/helo", headers={"User-Agent": "paas"})
        assert answer.json() == {"id": "not_found", "message": message, "hint": hint}

    run(story)


@pytest.mark.parametrize("error", [PlatformError("secret reason"), ValueError("secret reason")])
def test_a_failure_of_the_platform_is_logged_and_not_told(
    run: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(api: Any) -> None:
        async def fails(*args: Any, **options: Any) -> None:
            raise error

        api.platform.apps.create = fails
        answer = await api.owner.post("/apps", json={"name": "hello"})
        assert answer.status_code == 500 and answer.json()["id"] == "internal_server_error"
        assert "secret" not in answer.text and "secret reason" in caplog.text

    run(story)


def test_a_database_that_does_not_answer_is_said(run: Any) -> None:
    async def story(api: Any) -> None:
        secret = await api.token()
        api.platform.database.close()
        headers = {"Authorization": f"Bearer {secret}"}
        answer = await api.stranger.get("/apps", headers=headers)
        assert (answer.status_code, answer.json()["id"]) == (503, "unavailable")

    run(story)


def test_every_id_has_the_status_of_its_meaning() -> None:
    assert failure.STATUS["not_found"] == 404 and failure.STATUS["conflict"] == 409
    assert all(400 <= status < 600 for status in failure.STATUS.values())


def test_a_domain_of_another_app_is_out_of_reach(run: Any) -> None:
    async def story(api: Any) -> None:
        await api.deployed("hello")
        await api.deployed("world")
        await api.owner.post("/apps/world/domains", json={"hostname": "www.example.com"})
        taken = await api.owner.post("/apps/hello/domains", json={"hostname": "WWW.example.com"})
        assert (taken.status_code, taken.json()["id"]) == (409, "conflict")
        path = "/apps/hello/domains/www.example.com"
        assert (await api.owner.delete(path)).status_code == 404

    run(story)


def test_a_build_of_another_app_is_out_of_reach(run: Any) -> None:
    async def story(api: Any) -> None:
        await api.deployed("hello")
        await api.deployed("world")
        build = (await api.owner.get("/apps/world/builds")).json()[0]
        assert (await api.owner.get(f"/apps/hello/builds/{build['id']}")).status_code == 404
        release = (await api.owner.get("/apps/world/releases")).json()[0]
        path = f"/apps/hello/releases/{release['id']}"
        assert (await api.owner.get(path)).status_code == 404

    run(story)


def test_a_timeline_is_read_step_by_step(run: Any) -> None:
    async def story(api: Any) -> None:
        from paas.store import steps

        app = await api.deployed()
        id = await api.platform.database.run(steps.start, app.id, "b", "boot")
        await api.platform.database.run(steps.finish, id, 150.5)
        answer = await api.owner.get("/smartplatform/apps/hello/timelines/b")
        assert [(step["name"], step["duration_ms"]) for step in answer.json()] == [("boot", 150.5)]

    run(story)


@pytest.mark.parametrize("form", ["WWW.Example.COM.", "www.example.com", "Bücher.Example"])
def test_a_domain_is_shown_and_removed_in_every_form_in_which_it_was_added(
    run: Any, form: str
) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        path = f"/apps/hello/domains/{form}"
        added = await api.owner.post("/apps/hello/domains", json={"hostname": form})
        assert (await api.owner.get(path)).json() == added.json()
        assert (await api.owner.delete(path)).json()["id"] == added.json()["id"]
        assert (await api.owner.delete(path)).status_code == 404

    run(story)


def test_a_domain_that_the_app_has_is_told_from_one_of_another(run: Any) -> None:
    async def story(api: Any) -> None:
        await api.deployed("hello")
        await api.deployed("other")
        body = {"hostname": "www.example.com"}
        assert (await api.owner.post("/apps/hello/domains", json=body)).status_code == 201
        for app, said in (("hello", "The app has the domain"), ("other", "by another app")):
            answer = await api.owner.post(f"/apps/{app}/domains", json=body)
            assert answer.status_code == 409 and said in answer.json()["message"]

    run(story)


@pytest.mark.parametrize(
    ("status", "failure", "processes", "said"),
    [
        ("failed", "web.1 exited with status 1", {}, "Deploy (failed: web.1 exited with status 1)"),
        ("failed", "the release command exited with status 1", {"release": "x"}, None),
        ("pending", None, {"web": "x"}, "Deploy (starting)"),
        ("pending", None, {"release": "x"}, None),
        ("succeeded", None, {"web": "x"}, None),
    ],
)
def test_the_heroku_command_is_kept_from_blaming_the_release_command(
    status: str, failure: str | None, processes: dict[str, str], said: str | None
) -> None:
    moment = datetime.now(UTC)
    release = Release(
        "id", "app", 2, "Deploy", "u", moment, moment,
        ReleaseStatus(status), processes=processes, failure=failure,
    )  # fmt: skip
    changed = in_herokus_words(release)
    assert changed.get("description") == said
    assert changed.get("status") not in ("failed", "pending", "expired")
