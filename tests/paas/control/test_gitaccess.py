"""Who may do what with an app's repository, by the scope of a token."""

import asyncio
import base64
import hashlib

import httpx
import pytest

import gitserver
from paas.apps.access import Permission
from paas.control import gitaccess
from paas.store import accounts, collaborators, tokens
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
            lambda connection: tokens.create(
                connection, description="CI", user="owner@localhost", scope=[scope]
            )
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


@pytest.mark.parametrize(
    ("held", "opens"), [("deploy", True), ("view", False), ("operate", False), ("", False)]
)
def test_a_repository_is_for_those_who_deploy_its_app(run: Run, held: str, opens: bool) -> None:
    """For who may not view the app it is not there, in the same words as one that is not."""

    async def story(world: World) -> None:
        app, database = await world.app(), world.platform.database
        await database.run(accounts.add, "ada@example.com", "", operator=False)
        if held:
            permissions = frozenset({Permission.VIEW, Permission(held)})
            await database.run(collaborators.add, app, "ada@example.com", permissions)
        said = await advertised(world, app.name, user="ada@example.com")
        assert ("ERR " in said) is not opens
        if not held:
            absent = await advertised(world, "absent", user="ada@example.com")
            assert refusal(said).replace(app.name, "absent") == refusal(absent)
        elif not opens:
            assert "needs the permission deploy" in said

    run(story)


def test_a_token_of_one_app_opens_no_other_repository(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.app()
        mine = await advertised(world, app.name, apps=[app.id])
        assert "ERR" not in mine
        other = await advertised(world, app.name, apps=["another"])
        absent = await advertised(world, "absent", apps=["another"])
        assert refusal(other).replace(app.name, "absent") == refusal(absent)

    run(story)


def test_who_lost_the_right_while_a_push_came_changes_nothing(run: Run) -> None:
    async def story(world: World) -> None:
        app = await world.app()

        async def progress(text: str) -> None:
            pass

        update = gitserver.RefUpdate("refs/heads/main", None, "1" * 40)
        path = world.platform.settings.repository(app.id)
        gone = gitserver.Push(
            app.name, path, "gone@example.com", (update,), (), progress, asyncio.Event()
        )
        server = gitaccess.application(world.platform)
        answers = await server._receiver.accept(gone)
        assert answers == {"refs/heads/main": "you may not push here any more"}

    run(story)


def refusal(said: str) -> str:
    """Without the packet's length, in which the name counts."""
    assert "ERR " in said
    return said.partition("ERR ")[2]


async def advertised(
    world: World, name: str, *, user: str = "owner@localhost", apps: list[str] | None = None
) -> str:
    """What git is told first, with a token of this user's."""
    _, secret = await world.platform.database.run(
        lambda connection: tokens.create(connection, description="", user=user, apps=apps)
    )
    server = gitaccess.application(world.platform)
    await server.start()
    try:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=server)) as client:
            url = f"http://localhost/{name}.git/info/refs?service=git-receive-pack"
            return (await client.get(url, headers={"authorization": f"Bearer {secret}"})).text
    finally:
        await server.aclose()


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
