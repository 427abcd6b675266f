"""Each endpoint's answer, recorded in `examples/`: what clients rely on can't change unseen.

`RECORD_EXAMPLES=1 pytest tests/paas/api/test_examples.py` writes them anew; read the difference.
"""

import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

EXAMPLES = Path(__file__).parent / "examples"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ada@laptop"
FINGERPRINT = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
ACCOUNT = {"email": "ada@example.com", "name": "Ada"}
RECORD = bool(os.environ.get("RECORD_EXAMPLES"))


async def every_endpoint(api: Any) -> dict[str, Any]:
    """Name of the example → request and answer."""
    found: dict[str, Any] = {}

    async def ask(name: str, method: str, path: str, body: Any = None) -> Any:
        response = await api.owner.request(method, path, json=body)
        request = f"{method} {path}" + (f" {json.dumps(body)}" if body is not None else "")
        found[name] = {
            "request": request,
            "status": response.status_code,
            "answer": response.json(),
        }
        return response.json()

    await ask("app-create", "POST", "/apps", {"name": "hello"})
    app = (await api.platform.database.run(_by_name))[0]
    processes = {"web": "node server.js", "worker": "node worker.js"}
    await api.platform.releases.deploy(app, processes, "owner@localhost")
    for name, path in {
        "account": "/account",
        "account-rate-limits": "/account/rate-limits",
        "apps": "/apps",
        "app": "/apps/hello",
        "formation": "/apps/hello/formation",
        "formation-type": "/apps/hello/formation/web",
        "dynos": "/apps/hello/dynos",
        "dyno": "/apps/hello/dynos/web.1",
        "releases": "/apps/hello/releases",
        "release": "/apps/hello/releases/v2",
        "builds": "/apps/hello/builds",
        "domains": "/apps/hello/domains",
        "routing": "/apps/hello/routing",
        "collaborators": "/apps/hello/collaborators",
        "stacks": "/stacks",
        "regions": "/regions",
        "dyno-sizes": "/dyno-sizes",
        "addons": "/apps/hello/addons",
        "teams": "/teams",
        "authorizations": "/oauth/authorizations",
        "smartplatform-status": "/smartplatform/status",
    }.items():
        await ask(name, "GET", path)
    changes = {"maintenance": True, "root": "./services/api"}
    await ask("app-update", "PATCH", "/apps/hello", changes)
    named = {"updates": [{"buildpack": "https://example.com/x#v1"}, {"buildpack": "heroku/nodejs"}]}
    await ask("buildpack-installations-update", "PUT", "/apps/hello/buildpack-installations", named)
    await ask("buildpack-installations", "GET", "/apps/hello/buildpack-installations")
    connected = {"url": "https://github.com/owner/hello", "token": "s3cr3t"}
    place = "/apps/hello/git-connection"
    await ask("git-connection-update", "PUT", place, connected)
    await ask("git-connection", "GET", place)
    await ask("git-connection-deploy", "POST", f"{place}/actions/deploy")
    hook = await ask("git-connection-delete", "DELETE", place)
    path = hook["hook_url"].partition("/hooks")[2]
    await ask("hook", "POST", f"/hooks{path}")
    found["hook"]["request"] = "POST /hooks/<id>"
    routing = {"sticky": True, "first_byte_timeout_s": "60", "concurrency": None}
    await ask("routing-update", "PATCH", "/apps/hello/routing", routing)
    updates = {"updates": [{"type": "web", "quantity": "+1", "size": "Standard-2X"}]}
    await ask("formation-update", "PATCH", "/apps/hello/formation", updates)
    await ask("formation-type-update", "PATCH", "/apps/hello/formation/worker", {"quantity": 1})
    await ask("config-vars-update", "PATCH", "/apps/hello/config-vars", {"A": "1", "B": None})
    await ask("config-vars", "GET", "/apps/hello/config-vars")
    await ask("release-config-vars", "GET", "/apps/hello/releases/2/config-vars")
    await ask("release-rollback", "POST", "/apps/hello/releases", {"release": "v2"})
    build = await ask("build-create", "POST", "/apps/hello/builds", {"source_blob": {}})
    await ask("build", "GET", f"/apps/hello/builds/{build['id']}")
    await ask("deploys", "GET", "/smartplatform/apps/hello/deploys")
    await ask("build-result", "GET", f"/apps/hello/builds/{build['id']}/result")
    await ask("build-cancel", "DELETE", f"/apps/hello/builds/{build['id']}")
    await ask("domain-create", "POST", "/apps/hello/domains", {"hostname": "www.example.com"})
    await ask("domain", "GET", "/apps/hello/domains/www.example.com")
    await ask("domain-delete", "DELETE", "/apps/hello/domains/www.example.com")
    await ask("log-session-create", "POST", "/apps/hello/log-sessions", {"lines": 5, "tail": True})
    await ask("dynos-restart", "DELETE", "/apps/hello/dynos")
    await ask("dyno-restart", "DELETE", "/apps/hello/dynos/web.1")
    await ask("formation-restart", "DELETE", "/apps/hello/formations/worker")
    await ask("dyno-stop", "POST", "/apps/hello/dynos/web.1/actions/stop")
    await ask("formation-stop", "POST", "/apps/hello/formations/worker/actions/stop")
    attached = {"command": "bash", "attach": True, "env": {"TERM": "xterm"}, "time_to_live": 60}
    await ask("dyno-create", "POST", "/apps/hello/dynos", attached)
    await ask("dyno-execute", "POST", "/apps/hello/dynos/web.1", {"command": "ls"})
    port = "/smartplatform/apps/hello/dynos/web.1/ports/9229"
    await ask("dyno-port", "POST", port, {})
    drains = "/apps/hello/log-drains"
    url = "https://user:secret@logs.example.com/drain?key=secret"
    await ask("log-drain-create", "POST", drains, {"url": url})
    await ask("log-drains", "GET", drains)
    await ask("log-drain", "GET", f"{drains}/{quote(url, safe='')}")
    await ask("log-drain-delete", "DELETE", f"{drains}/{quote(url, safe='')}")
    crons = "/smartplatform/apps/hello/crons"
    nightly = {"schedule": "30 4 * * *", "timezone": "Europe/Berlin", "command": "node report.js"}
    await ask("cron-create", "POST", crons, nightly)
    await ask("cron-run", "POST", f"{crons}/node-report-js/runs", {})
    await ask("crons", "GET", crons)
    await ask("cron", "GET", f"{crons}/node-report-js")
    await ask("cron-update", "PATCH", f"{crons}/node-report-js", {"paused": True})
    await ask("cron-results", "GET", f"{crons}/node-report-js/results")
    await ask("cron-delete", "DELETE", f"{crons}/node-report-js")
    code = await ask("code-create", "POST", "/oauth/authorizations", {"client": "paas"})
    await ask("code-exchange", "POST", "/oauth/tokens", {"grant": code["grant"]})
    await ask("token-create", "POST", "/oauth/authorizations", {"description": "CI"})
    await ask("key-create", "POST", "/account/keys", {"public_key": KEY})
    await ask("keys", "GET", "/account/keys")
    await ask("key", "GET", f"/account/keys/{FINGERPRINT}")
    await ask("key-delete", "DELETE", f"/account/keys/{FINGERPRINT}")
    collaborator = {"user": "ada@example.com", "permissions": ["view", "deploy"]}
    await ask("collaborator-create", "POST", "/apps/hello/collaborators", collaborator)
    place = "/apps/hello/collaborators/ada@example.com"
    await ask("collaborator-update", "PATCH", place, {"permissions": ["operate"]})
    await ask("collaborator-delete", "DELETE", place)
    made = await ask("account-create", "POST", "/smartplatform/accounts", ACCOUNT)
    found["account-create"]["answer"]["invitation"]["code"] = "<code>"
    assert len(made["id"]) == 36
    await ask("accounts", "GET", "/smartplatform/accounts")
    place = "/smartplatform/accounts/ada@example.com"
    await ask("account-update", "PATCH", place, {"operator": True})
    await ask("account-lock", "POST", f"{place}/actions/lock")
    await ask("account-delete", "DELETE", place)
    await ask("account-log-out", "POST", "/account/actions/log-out")
    await pipelines(api, ask)
    await ask("app-delete", "DELETE", "/apps/hello")
    await ask("not-found", "GET", "/apps/hello")
    return found


async def pipelines(api: Any, ask: Any) -> None:
    pipeline = await ask("pipeline-create", "POST", "/pipelines", {"name": "shop"})
    await api.deployed("hello-staging")
    ids = {app.name: app.id for app in await api.platform.database.run(_by_name)}
    body = {"app": "hello-staging", "pipeline": pipeline["id"], "stage": "staging"}
    coupling = await ask("pipeline-coupling-create", "POST", "/pipeline-couplings", body)
    for name, path in {
        "pipelines": "/pipelines",
        "pipelines-filtered": "/pipelines?eq[name]=other",
        "pipeline": "/pipelines/shop",
        "pipeline-couplings": "/pipelines/shop/pipeline-couplings",
        "pipeline-couplings-all": "/pipeline-couplings",
        "pipeline-coupling": f"/pipeline-couplings/{coupling['id']}",
        "pipeline-coupling-of-app": "/apps/hello-staging/pipeline-couplings",
    }.items():
        await ask(name, "GET", path)
    made = {"app": ids["hello"], "pipeline": "shop", "stage": "production"}
    await api.owner.post("/pipeline-couplings", json=made)
    differences = "/smartplatform/apps/hello-staging/pipeline-differences"
    await ask("pipeline-differences", "GET", differences)
    await ask("filters-apps", "POST", "/filters/apps", {"in": {"id": [ids["hello"]]}})
    body = {
        "pipeline": {"id": pipeline["id"]},
        "source": {"app": {"id": ids["hello-staging"]}},
        "targets": [{"app": {"id": ids["hello"]}}],
    }
    promotion = await ask("promotion-create", "POST", "/pipeline-promotions", body)
    await ask("promotion", "GET", f"/pipeline-promotions/{promotion['id']}")
    targets = f"/pipeline-promotions/{promotion['id']}/promotion-targets"
    await ask("promotion-targets", "GET", targets)
    place = f"/pipeline-couplings/{coupling['id']}"
    await ask("pipeline-coupling-update", "PATCH", place, {"stage": "development"})
    await ask("pipeline-coupling-delete", "DELETE", place)
    await ask("pipeline-update", "PATCH", "/pipelines/shop", {"name": "store"})
    await ask("pipeline-delete", "DELETE", "/pipelines/store")


def _by_name(connection: Any) -> Any:
    from paas.store import apps

    return apps.all(connection)


def stable(value: Any) -> Any:
    """Without what differs from run to run: random ids, moments, secrets."""
    text = json.dumps(value)
    for pattern, instead in (
        (r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<id>"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "<derived id>"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "<moment>"),
        (r"expires=\d+&", "expires=<s>&"),
        (r'"addresses": \[[^\]]*\]', '"addresses": ["<address>"]'),
        (r"signature=[0-9a-f]{64}", "signature=<signature>"),
        (r"paas_[\w-]{43}", "<token>"),
        (r'"\d+\.\d+\.\d+[^"]*"', '"<version>"'),
        (r"[a-z2-7]{4}(-[a-z2-7]{4}){3}", "<code>"),
    ):
        text = re.sub(pattern, instead, text)
    return json.loads(text)


def test_every_endpoint_answers_as_recorded(run: Any) -> None:
    found: dict[str, Any] = {}

    async def story(api: Any) -> None:
        found.update(stable(await every_endpoint(api)))

    run(story)
    if RECORD:
        EXAMPLES.mkdir(exist_ok=True)
        for name, example in found.items():
            (EXAMPLES / f"{name}.json").write_text(json.dumps(example, indent=2) + "\n")
    recorded = {file.stem: json.loads(file.read_text()) for file in EXAMPLES.glob("*.json")}
    assert found == recorded


def test_no_example_is_a_failure_of_the_platform() -> None:
    statuses = [json.loads(file.read_text())["status"] for file in EXAMPLES.glob("*.json")]
    assert statuses and all(status < 500 or status == 501 for status in statuses)
