"""Who may do what with an app's repository, by the scope of a token."""

import base64
import hashlib

import httpx
import pytest

from paas.control import gitaccess
from paas.store import tokens
from tests.paas.provisioner.world import Run, World

CONTENT = b"large"
OID = hashlib.sha256(CONTENT).hexdigest()
BATCH = "info/lfs/objects/batch"
OBJECT = f"info/lfs/objects/{OID}"
READS = (
    ("GET", "info/refs?service=git-upload-pack"),
    ("POST", BATCH, "download"),
    ("GET", OBJECT),
)
PUSHES = (("GET", "info/refs?service=git-receive-pack"), ("POST", BATCH, "upload"), ("PUT", OBJECT))


@pytest.mark.parametrize(("scope", "may_push"), [("read", False), ("write-protected", True)])
def test_only_a_token_that_may_push_sends_anything(run: Run, scope: str, may_push: bool) -> None:
    async def story(world: World) -> None:
        app = await world.app()
        _, secret = await world.platform.database.run(
            lambda connection: tokens.create(connection, description="CI", user="ci", scope=[scope])
        )
        server = gitaccess.application(world.platform)
        await server.start()
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=server),
            base_url=f"http://localhost/{app.name}.git",
            headers={"authorization": "Basic " + base64.b64encode(f"x:{secret}".encode()).decode()},
        )
        try:
            for request in PUSHES:
                assert await refused(client, *request) is not may_push, request
            for request in READS:
                assert not await refused(client, *request), request
        finally:
            await client.aclose()
            await server.aclose()

    run(story)


async def refused(
    client: httpx.AsyncClient, method: str, path: str, operation: str | None = None
) -> bool:
    """Whether the token's scope is to blame."""
    objects = [{"oid": OID, "size": len(CONTENT)}]
    if operation:
        body = {"operation": operation, "objects": objects}
        answer = await client.request(method, path, json=body)
    else:
        answer = await client.request(method, path, content=CONTENT if method == "PUT" else None)
    said = "needs a token" in answer.text or "scope" in answer.text
    assert said == (answer.status_code == 403 or "ERR" in answer.text), answer.text
    return said
