"""What `paas logs` asks for when it is to look for lines."""

from datetime import UTC, datetime, timedelta

import fake_api
import pytest

Answer = fake_api.Answer


@pytest.fixture
def asked(api, cli):
    def ask(*words: str):
        url = {"logplex_url": "http://x/streams/logs?x=1"}
        api.answers["POST /apps/hello/log-sessions"] = Answer(url, 201)
        api.answers["GET /streams/logs"] = Answer("")
        cli("logs", "-a", "hello", *words)
        return next(each.body for each in api.asked if each.body)

    return ask


def test_lines_are_asked_for_by_time_text_level_and_request(asked) -> None:
    before = datetime.now(UTC)
    body = asked("--since", "2h", "--grep", "x y", "--level", "warn", "--request-id", "abc")
    since = datetime.fromisoformat(body["since"]) + timedelta(hours=2)
    assert before <= since <= datetime.now(UTC)
    assert (body["text"], body["level"], body["request_id"]) == ("x y", "warn", "abc")
    assert "until" not in body


def test_moments_are_those_of_the_clock_here(asked) -> None:
    body = asked("--since", "2026-11-22T17:50", "--until", "2026-11-22T19:00+01:00")
    assert body["since"] == "2026-11-22T17:50:00+00:00"
    assert body["until"] == "2026-11-22T18:00:00+00:00"


@pytest.mark.parametrize("time", ["yesterday", "2 h", "9999999d", "10"])
def test_other_times_are_refused_with_what_there_is(cli, time: str) -> None:
    refused = cli("logs", "-a", "hello", "--since", time)
    assert refused.code == 2 and "--since is 10m, 2h, 3d" in refused.err
