import asyncio
from typing import Any

import httpx
import pytest

from paas.api import stream
from paas.api.signature import LIFETIME_S, Signer
from paas.errors import UserError

LINE = "2026-11-22T15:36:00.123456+00:00 app[web.1]: hello"
EVENTS = {"Accept": "text/event-stream"}


async def session(api: Any, **body: Any) -> str:
    await api.deployed()
    answer = await api.owner.post("/apps/hello/log-sessions", json=body)
    assert answer.status_code == 201
    return str(answer.json()["logplex_url"])


def test_logs_are_read_without_a_token_by_a_signed_url(run: Any) -> None:
    async def story(api: Any) -> None:
        api.platform.logs.kept += ["older", LINE]
        url = await session(api, lines=1, source="app", dyno="web.1")
        answer = await api.stranger.get(url)
        assert answer.text == LINE + "\n"
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert api.platform.logs.asked == [
            {"lines": 1, "source": "app", "dyno": "web.1", "tail": False}
        ]

    run(story)


def test_lines_may_be_looked_for(run: Any) -> None:
    async def story(api: Any) -> None:
        url = await session(
            api, since="2026-11-22T17:50:00+01:00", until="2026-11-22T17:00:00", level="warn",
            text="a&b=c", request_id="1-2",
        )  # fmt: skip
        await api.stranger.get(url)
        [asked] = api.platform.logs.asked
        only = asked["only"]
        assert (only.since_ns, only.until_ns) == (1_795_366_200 * 10**9, 1_795_366_800 * 10**9)
        assert (only.texts, only.level) == (("a&b=c", "1-2"), "warn")
        for body in ({"since": "x"}, {"level": "loud"}, {"text": "x" * 201}, {"text": 1}):
            answer = await api.owner.post("/apps/hello/log-sessions", json=body)
            assert answer.status_code == 422, body

    run(story)


def test_logs_are_events_for_those_who_ask_for_events(run: Any) -> None:
    async def story(api: Any) -> None:
        api.platform.logs.kept += ["one", "two"]
        answer = await api.stranger.get(await session(api), headers=EVENTS)
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert answer.text == "retry: 100\n\ndata: one\n\ndata: two\n\n"

    run(story)


def test_a_line_end_inside_a_line_forges_nothing(run: Any) -> None:
    async def story(api: Any) -> None:
        api.platform.logs.kept += ["a\revent: x\r\rdata: forged\n\nid: 1\r\n"]
        url = await session(api)
        expected = "a event: x  data: forged  id: 1"
        assert (await api.stranger.get(url)).text == expected + "\n"
        events = (await api.stranger.get(url, headers=EVENTS)).text
        assert events == f"retry: 100\n\ndata: {expected}\n\n"

    run(story)


@pytest.mark.parametrize("change", [("hello", "world"), ("lines=100", "lines=9999"), ("&", "&&")])
def test_a_changed_url_is_refused(run: Any, change: tuple[str, str]) -> None:
    async def story(api: Any) -> None:
        url = await session(api)
        app = (await api.owner.get("/apps/hello")).json()["id"]
        before, after = (part.replace("hello", app) for part in change)
        changed = url.replace(before, after, 1)
        assert changed != url
        assert (await api.stranger.get(changed)).status_code == 403

    run(story)


def test_a_signature_is_for_one_path_and_a_while() -> None:
    signer = Signer()
    path, query = signer.sign("/streams/logs", {"app": "a&b=c"}, now_s=1000).split("?")
    assert signer.check(path, query, now_s=1000 + LIFETIME_S) == {"app": "a&b=c"}
    for other, at in ((path, 1001 + LIFETIME_S), ("/streams/build", 1000)):
        with pytest.raises(UserError) as caught:
            signer.check(other, query, now_s=at)
        assert caught.value.id == "forbidden"
    for wrong in ("", "&signature=", "app=1", "signature=x", query + "x", "é&signature=é"):
        with pytest.raises(UserError):
            signer.check(path, wrong, now_s=1000)
    with pytest.raises(UserError):
        Signer().check(path, query, now_s=1000)


@pytest.mark.parametrize("headers", [{}, EVENTS])
def test_a_tail_ends_when_its_client_goes(run: Any, headers: dict[str, str]) -> None:
    async def story(api: Any) -> None:
        async with api.serving() as base, httpx.AsyncClient(trust_env=False) as client:
            url = (await session(api, tail=True)).replace("http://localhost:8081", base)
            async with client.stream("GET", url, headers=headers) as answer:
                lines = answer.aiter_lines()
                await api.platform.logs.follow.put(LINE)
                while LINE not in await anext(lines):
                    pass
                assert not api.platform.logs.closed.is_set()
            await asyncio.wait_for(api.platform.logs.closed.wait(), 60)

    run(story)


def test_a_silent_tail_has_a_heartbeat(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.01)

    async def story(api: Any) -> None:
        async with api.serving() as base, httpx.AsyncClient(trust_env=False) as client:
            url = (await session(api, tail=True)).replace("http://localhost:8081", base)
            async with client.stream("GET", url, headers=EVENTS) as answer:
                beats = 0
                async for line in answer.aiter_lines():
                    beats += line == ":"
                    if beats == 3:
                        break
                assert beats == 3

    run(story)


def test_the_output_of_a_build_is_read_by_its_url(run: Any) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        body = {"source_blob": {"version": "abcdef12"}}
        build = (await api.owner.post("/apps/hello/builds", json=body)).json()
        answer = await api.stranger.get(build["output_stream_url"])
        assert answer.text == "-----> Node.js app detected\n       commit abcdef12\n"

    run(story)


@pytest.mark.parametrize(
    "body", [{"lines": -1}, {"lines": "x"}, {"tail": "yes"}, {"dyno": "../x"}, {"source": 1}]
)
def test_a_session_that_makes_no_sense_is_refused(run: Any, body: dict[str, Any]) -> None:
    async def story(api: Any) -> None:
        await api.deployed()
        answer = await api.owner.post("/apps/hello/log-sessions", json=body)
        assert (answer.status_code, answer.json()["id"]) == (422, "invalid_params")

    run(story)
