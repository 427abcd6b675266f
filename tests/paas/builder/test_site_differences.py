"""Sites that nothing builds: a changed page boots no build zone, and is served as ever."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.paas.builder.apps import App
from tests.paas.node.conftest import RunningNode

pytestmark = [pytest.mark.root, pytest.mark.timeout(300)]
FAST = {"preflight", "image"}
LONG = "<p>some {word} words</p>" * 200


def tell(app: App, story: Callable[[App], Awaitable[None]]) -> None:
    async def told() -> None:
        app.repository.write("long.html", LONG.format(word="long"))
        app.repository.write("gone.css", "a { color: red }\n" * 100)
        await app.build()
        assert "site" in app.ms
        await story(app)

    asyncio.run(told())


async def unpacked(app: App, path: str) -> str:
    async with app.instance() as machine:
        code, said = await app.node.output(machine, "gzip", "-dc", path)
        assert code == 0, said
        return said


def test_a_changed_page_is_compressed_anew_and_no_old_one_is_left(
    running_node: RunningNode, folder: Path
) -> None:
    async def story(app: App) -> None:
        before = await app.files()
        assert {"/app/long.html.br", "/app/gone.css.gz", "/app/gone.css.br"} <= set(before)
        app.repository.write("long.html", LONG.format(word="other"))
        app.repository.write("deep/new.js", "let x = 1;\n" * 100)
        app.repository.remove("gone.css")
        await app.build()
        assert set(app.ms) == FAST
        assert "other words" in await app.get("/long")
        assert await unpacked(app, "/app/long.html.gz") == LONG.format(word="other")
        derived = await app.files()
        assert "/app/long.html.br" not in derived
        await app.build(from_nothing=True)
        assert "site" in app.ms
        afresh = {path for path in await app.files() if not path.endswith((".br", ".gz"))}
        assert {path for path in derived if not path.endswith((".br", ".gz"))} == afresh
        assert {path for path in derived if "gone" in path} == set()
        assert {"/app/deep/new.js.gz", "/app/.nginx.conf"} <= set(derived)

    tell(App(running_node, folder, "html"), story)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("_redirects", "/old /about 302\n"),
        ("404.html", "<p>not here</p>"),
        ("static.json", '{"routes": {"/**": "index.html"}}'),
        ("public/index.html", "<p>elsewhere</p>"),
        (".nginx.conf", "own"),
    ],
)
def test_what_the_server_is_told_anew_needs_a_zone(
    running_node: RunningNode, folder: Path, path: str, content: str
) -> None:
    async def story(app: App) -> None:
        app.repository.write(path, content)
        await app.build()
        assert "site" in app.ms
        app.repository.write("long.html", "short")
        await app.build()
        assert set(app.ms) == FAST
        assert await app.get("/long") == "short"

    tell(App(running_node, folder, "html"), story)


def test_a_site_with_links_is_always_looked_at(running_node: RunningNode, folder: Path) -> None:
    async def story(app: App) -> None:
        (app.repository.work / "link.html").symlink_to("long.html")
        await app.build()
        assert "site" in app.ms
        app.repository.write("long.html", "short")
        await app.build()
        assert "site" in app.ms
        assert await app.get("/link") == "short"

    tell(App(running_node, folder, "html"), story)
