"""Drains of a platform: begun, gone on with by the next control, ended; and their addresses."""

import asyncio
import threading
from typing import Any

import pytest

from paas import logs
from paas.apps import drains as rules
from paas.apps.apps import App
from paas.errors import NotFound, UserError
from paas.logs import delivery
from paas.store import drains
from tests.paas.logs import receivers

USER = "owner@localhost"
HERE = {"drain_to_private_addresses": True}


def say(world: Any, app: App, *texts: str) -> None:
    for text in texts:
        logs.append(world.platform.settings, app.id, "app", "api", text)


def texts(found: Any) -> list[str]:
    return [each.text for each in found.messages if "drain" not in each.text]


async def came(world: Any, found: Any, *wanted: str) -> None:
    await world.until(lambda: texts(found) == list(wanted))


def test_a_drain_gets_what_comes_after_it_until_it_is_removed(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.app()
        say(world, app, "before")
        with receivers.tcp() as (port, found), receivers.tcp() as (second_port, second):
            url = f"syslog://127.0.0.1:{port}"
            made = await world.operations.drains.add(app, url, USER)
            say(world, app, "one")
            await came(world, found, "one")
            assert (found.messages[0].host, found.messages[0].process) == (made.token, "api")
            other = await world.operations.drains.add(
                app, f"syslog://localhost:{second_port}", USER
            )
            await world.until(lambda: world.platform.drains.status(other))
            say(world, app, "two")
            await came(world, found, "one", "two")
            await came(world, second, "two")
            await world.operations.drains.remove(app, url, USER)
            await world.until(lambda: world.platform.drains.status(made) is None)
            say(world, app, "three")
            await came(world, second, "two", "three")
            assert texts(found) == ["one", "two"]
            with pytest.raises(NotFound):
                await world.operations.drains.remove(app, url, USER)
            await world.operations.apps.destroy(app)
            await world.until(lambda: world.platform.drains.status(other) is None)

    run(story, **HERE)


def test_the_next_control_goes_on_where_the_last_one_was(run: Any) -> None:
    async def story(world: Any) -> None:
        app = await world.app()
        database = world.platform.database
        say(world, app, "before")
        with receivers.tcp() as (port, found):
            made = await database.run(drains.add, app.id, f"syslog://127.0.0.1:{port}")
            say(world, app, "while nobody looked")
            world.platform.drains.changed.set()
            await came(world, found, "while nobody looked")

            async def is_recorded() -> bool:
                [row] = await database.run(drains.all)
                return bool(row.seen_ns > made.seen_ns)

            await world.until(is_recorded)

    run(story, **HERE)


def test_dead_receivers_cost_control_nothing(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an app prints is read on, answers are given at once, and each end is an end."""

    async def story(world: Any) -> None:
        apps = [await world.app(f"app-{number}") for number in range(4)]
        with (
            receivers.tcp(buffer_bytes=4096) as (port, dead),
            receivers.tcp() as (open_port, alive),
        ):
            dead.may_read.clear()
            for app in apps:
                for number in range(4):
                    url = f"syslog://127.0.0.{number + 1}:{port}"
                    await world.platform.database.run(drains.add, app.id, url)
            mine = await world.operations.drains.add(
                apps[0], f"syslog://127.0.0.1:{open_port}", USER
            )
            await world.until(lambda: world.platform.drains.status(mine))
            for number in range(30):
                say(world, apps[0], *(f"{number} {each} {'x' * 5_000}" for each in range(30)))
                await asyncio.sleep(0)
            await world.until(lambda: len(texts(alive)) == 900)
            dead.may_read.set()
        before = [each.name for each in threading.enumerate() if each.name.startswith("drain d.")]
        assert len(before) == 17

    run(story, **HERE)
    for thread in threading.enumerate():
        if thread.name.startswith("drain d."):
            thread.join(60)
            assert not thread.is_alive()


@pytest.mark.parametrize(
    "url",
    [
        *("", "x", "ftp://a.example", "http://logs.example.com", "syslog://", "https://"),
        *("syslog://a.example:x", "syslog://a.example/path", "syslog://u:p@a.example:1"),
        *(
            "https://a.example/#insecure",
            "https://a b/",
            "https://é.example",
            "https://a\n.example",
        ),
        *("https://localhost/", "https://127.0.0.1/", "syslog://10.0.0.1:514", "https://[::1]/"),
        *(
            "https://[::ffff:127.0.0.1]/",
            "syslog+tls://169.254.169.254:1",
            "https://api.localhost/",
        ),
        "https://a.example/" + "x" * 3000,
    ],
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(UserError):
        rules.check_url(url, private=False)


def test_addresses_that_are_taken() -> None:
    for url in (
        "syslog://logs.example.com:514",
        "syslog+tls://logs.example.com:6514",
        "syslog://logs.example.com",
        "https://user:password@logs.example.com/drain?key=x",
        "https://203.0.114.9/x",
    ):
        assert rules.check_url(f" {url}", private=False) == url
    for url in ("http://127.0.0.1:1/", "syslog://localhost:514"):
        assert rules.check_url(url, private=True) == url


def test_secrets_of_an_address_are_not_shown() -> None:
    assert rules.masked("https://u:p@h:1/a?k=v&x&y=") == "https://u:****@h:1/a?k=****&****&y=****"
    assert rules.masked("https://token@h/") == "https://****@h/"
    assert rules.masked("syslog+tls://h:6514") == "syslog+tls://h:6514"


def test_an_app_has_so_many_and_each_once(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "CONNECT_S", 0.01)

    async def story(world: Any) -> None:
        app = await world.app()
        for number in range(rules.DRAINS_MAX):
            await world.operations.drains.add(app, f"syslog://203.0.114.9:{number + 1}", USER)
        with pytest.raises(UserError, match="can have 5"):
            await world.operations.drains.add(app, "syslog://203.0.114.9:9", USER)
        with pytest.raises(UserError, match="already been taken"):
            await world.operations.drains.add(app, "syslog://203.0.114.9:1", USER)

    run(story)
