"""The router's counts, as Prometheus fetches them."""

from typing import Any


def test_prometheus_gets_its_text_with_a_token_only(run: Any) -> None:
    async def story(api: Any) -> None:
        answer = await api.owner.get("/metrics")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert answer.text.endswith("router_workers 2\n")
        assert (await api.stranger.get("/metrics")).status_code == 401

    run(story)
