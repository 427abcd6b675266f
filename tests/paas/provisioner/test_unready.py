"""What is said of a web instance that can't be reached: where it listens, and what to do."""

from typing import Any

import pytest

from paas.provisioner import unready


@pytest.mark.parametrize(
    ("found", "message", "hint"),
    [
        ({}, "web.1 did not listen on port 3000 within 60 s", "PORT"),
        ({"listening": ["[::]:8080"]}, "; it listens on [::]:8080", "$PORT"),
        (
            {"listening": ["0.0.0.0:80", "0.0.0.0:81", "[::]:82"]},
            "it listens on 0.0.0.0:80, 0.0.0.0:81 and [::]:82",
            "$PORT",
        ),
        (
            {"listening": ["127.0.0.1:3000", "0.0.0.0:9229"], "answer": "refused"},
            "web.1 listens on 127.0.0.1:3000, where only the instance itself can reach it",
            "0.0.0.0",
        ),
        ({"listening": ["[::1]:3000"], "answer": "refused"}, "only the instance itself", "0.0.0.0"),
        ({"listening": ["127.0.0.1:3000"]}, "only the instance itself", "0.0.0.0"),
        ({"listening": ["[fd00::5]:3000"], "answer": "refused"}, "not on its IPv4 address", "0.0"),
        ({"listening": ["[::]:3000"]}, "but gives no HTTP answer", "HTTP/1.1"),
        ({"listening": ["[::]:3000"], "answer": "other"}, "something that is not HTTP", "worker"),
        (
            {"listening": ["[::]:3000"], "answer": "silent"},
            "does not answer it (for 60 s)",
            "HTTP/1",
        ),
        ({"listening": ["[::]:3000"], "answer": "closed"}, "without an answer", "HTTPS"),
        ({"listening": ["[::]:3000"], "answer": "http2"}, "speaks HTTP/2 only", "HTTP/1.1"),
        ({"listening": ["[::]:3000"], "answer": "tls"}, "speaks TLS", "HTTPS"),
        ({"answer": "unhealthy 503"}, "its health check with 503 (2xx", "routing:set health-path"),
        (
            {"listening": ["127.0.0.1:3000"], "answer": "unhealthy 404"},
            "web.1 answers, but its health check with 404 (2xx and 3xx are healthy) (for 60 s)",
            "paas logs",
        ),
        ({"listening": ["[::]:3000"], "answer": "news"}, "gives no HTTP answer", "HTTP/1.1"),
    ],
)
def test_what_was_found_is_said(found: dict[str, Any], message: str, hint: str) -> None:
    said, told = unready.explain("web.1", found, 60.0)
    assert message in said
    assert hint in told
    assert unready.is_known(found) == bool(found)
    so_far = unready.so_far("web.1", found)
    assert so_far is None if not found else so_far and so_far.removeprefix("web.1 ") in said
