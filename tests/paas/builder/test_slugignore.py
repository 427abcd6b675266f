"""Files that .slugignore leaves out: of the build, of the image, and of what is derived from it."""

import asyncio
from pathlib import Path

import pytest

from buildpacks.findings import Refused
from paas.builder import BuildFailed, slugignore
from tests.paas.builder.apps import App
from tests.paas.builder.repositories import Repository
from tests.paas.node.conftest import RunningNode

FILES = (
    "server.js",
    "notes/a.md",
    "notes/deep/b.md",
    "big.psd",
    "src/big.psd",
    "src/x.js",
    "test/t",
)


def left_out(folder: Path, text: str, root: str = "", inner: str = "") -> list[str]:
    repository = Repository(folder)
    for path in FILES:
        repository.write(path, path)
    repository.write(".slugignore", text)
    if inner:
        repository.write(f"{root}/.slugignore", inner)
    found = slugignore.read(repository.path, repository.commit(), root)
    return [path for path in FILES if found.hides(path.encode())]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# a comment\n\n", []),
        ("notes\n", ["notes/a.md", "notes/deep/b.md"]),
        ("/notes/deep/\r\n", ["notes/deep/b.md"]),
        ("*.psd\n/test", ["big.psd", "src/big.psd", "test/t"]),
        ("/*.psd", ["big.psd"]),
        ("*.psd\n!src/big.psd\n", ["big.psd", "src/big.psd"]),
    ],
)
def test_patterns_are_gits_and_none_takes_back_another(
    tmp_path: Path, text: str, expected: list[str]
) -> None:
    assert left_out(tmp_path, text) == expected


def test_the_file_of_the_apps_folder_counts_from_there(tmp_path: Path) -> None:
    assert left_out(tmp_path, "test\n", "src", "/x.js\n") == ["src/x.js", "test/t"]


@pytest.mark.parametrize("text", ["a\n" * 301, "a" * 513, "#" * 70_000])
def test_a_file_that_is_too_long_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Refused) as raised:
        left_out(tmp_path, text)
    assert raised.value.failure.id == "slugignore_too_long"


@pytest.mark.root
@pytest.mark.timeout(300)
def test_what_is_left_out_is_in_no_image_and_comes_back(
    running_node: RunningNode, folder: Path
) -> None:
    async def story() -> None:
        app = App(running_node, folder, "express")
        app.repository.write("notes/a.md", "a")
        app.repository.write("secret.psd", "x")
        app.repository.write(".slugignore", "notes/\n*.psd\n!kept.psd\n")
        await app.build()
        assert ".slugignore leaves out 2 files" in app.output
        assert "a line that begins with ! does nothing" in app.output
        assert not {"/app/notes", "/app/secret.psd"} & set(await app.files())

        # A push that runs nothing leaves the same out, also what it adds.
        app.repository.replace("server.js", "SmartPlatform", "here")
        app.repository.write("notes/b.md", "b")
        await app.build()
        assert "zone" not in app.ms
        assert await app.get() == "Hello from here\n"
        assert "/app/notes" not in await app.files()

        # Another list is another tree.
        app.repository.write(".slugignore", "*.psd\n")
        await app.build()
        assert "zone" in app.ms
        assert "dependencies" not in app.ms
        assert {"/app/notes/a.md", "/app/notes/b.md"} <= set(await app.files())
        app.repository.write(".slugignore", "notes\n")
        await app.build()
        names = set(await app.files())
        assert "/app/secret.psd" in names
        assert not [name for name in names if name.startswith("/app/notes")]
        app.repository.remove(".slugignore")
        await app.build()
        assert {"/app/notes/a.md", "/app/secret.psd"} <= set(await app.files())

        app.repository.write(".slugignore", "package.json\n")
        with pytest.raises(BuildFailed) as raised:
            await app.build()
        assert "no package.json" in raised.value.message
        assert ".slugignore leaves out 1 file" in app.output

    asyncio.run(story())
