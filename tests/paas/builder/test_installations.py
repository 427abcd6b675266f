"""What one app of an account has installed, its others need not install again."""

import asyncio
from pathlib import Path

import pytest

from paas import builder
from paas.builder import installations
from paas.node import words
from tests.paas.builder.apps import App
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]
SHARED = "Installing dependencies: skipped, package-lock.json was installed by another build"
INSTALLED = "-----> Installing dependencies\n"


def of_one_account(node: RunningNode, folder: Path, sample: str) -> tuple[App, App]:
    one, other = App(node, folder / "one", sample), App(node, folder / "other", sample)
    other.account = one.account
    return one, other


def test_a_second_app_installs_nothing_and_has_nothing_of_the_first_but_its_dependencies(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        one, other = of_one_account(running_node, folder, "express")
        one.repository.write("secret.txt", "of the first app")
        one.repository.write("fixtures/node_modules/a/index.js", "of the first app")
        await one.build()
        assert INSTALLED in one.output

        await other.build()
        assert SHARED in other.output
        assert "dependencies" not in other.ms
        assert await other.get() == "Hello from SmartPlatform\n"
        names = await other.files()
        assert "/app/secret.txt" not in names
        assert "/app/fixtures" not in names
        one.repository.remove("secret.txt")
        one.repository.remove("fixtures/node_modules/a/index.js")
        await one.build(from_nothing=True)
        assert sorted(names) == sorted(await one.files())

        # From now on it has a tree of its own.
        other.repository.replace("server.js", "Hello from SmartPlatform", "Hello again")
        await other.build()
        assert "skipped, package-lock.json has not changed" in other.output
        assert await other.get() == "Hello again\n"

    asyncio.run(story())


def test_another_account_installs_for_itself(running_node: RunningNode, folder: Path) -> None:
    async def story() -> None:
        one, other = of_one_account(running_node, folder, "express")
        await one.build()
        other.account = "somebody@else.example"
        await other.build()
        assert INSTALLED in other.output

    asyncio.run(story())


def test_a_push_whose_dependencies_are_stored_needs_no_registry(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        one, other = of_one_account(running_node, folder, "express")
        await one.build()
        running_node.settings.npmrc.write_text("registry=http://127.0.0.1:9/\n")
        await other.build()
        assert await other.get() == "Hello from SmartPlatform\n"

        one.repository.replace("server.js", "Hello from SmartPlatform", "Hello again")
        await one.build()
        assert await one.get() == "Hello again\n"

    try:
        asyncio.run(story())
    finally:
        running_node.settings.npmrc.unlink()


def test_what_is_deleted_meanwhile_is_installed(
    running_node: RunningNode, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        one, other = of_one_account(running_node, folder, "express")
        await one.build()
        found = installations.find

        def gone(images: object, wanted: installations.Kind) -> object:
            image = found(images, wanted)  # type: ignore[arg-type]
            if image and not deleted:
                deleted.append(image["uuid"])
                return {**image, "uuid": "6f1a2b3c-0000-4000-8000-00000000000a"}
            return None

        deleted: list[str] = []
        monkeypatch.setattr(installations, "find", gone)
        await other.build()
        assert deleted
        assert INSTALLED in other.output
        assert await other.get() == "Hello from SmartPlatform\n"

    asyncio.run(story())


@pytest.mark.parametrize(
    ("path", "content"),
    [
        (".npmrc", "//registry.example/:_authToken=${NPM_TOKEN}\n"),
        ("binding.gyp", '{"targets": [{"target_name": "none", "type": "none"}]}'),
    ],
)
def test_what_another_app_might_not_get_by_itself_is_not_shared(
    running_node: RunningNode, folder: Path, path: str, content: str
) -> None:
    async def story() -> None:
        one, other = of_one_account(running_node, folder, "express")
        for app in (one, other):
            app.repository.write(path, content)
            await app.build({"NPM_TOKEN": "of-the-app"})
            assert INSTALLED in app.output

    asyncio.run(story())


def test_the_newest_of_an_account_are_kept_and_none_of_one_without_apps(
    running_node: RunningNode, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> None:
        async def claimed() -> set[str]:
            return {one.account}

        async def kept() -> list[str]:
            tagged = [image["tags"] for image in await running_node.client.images()]
            return [tags[words.ACCOUNT] for tags in tagged if words.ACCOUNT in tags]

        one, other = of_one_account(running_node, folder, "express")
        other.account = "somebody@else.example"
        await one.build()
        await one.build(from_nothing=True)
        await other.build()
        assert (await kept()).count(one.account) == 2
        monkeypatch.setattr(installations, "KEPT", 1)
        await builder.sweep(running_node.client, claimed)
        assert await kept() == [one.account]

    asyncio.run(story())
