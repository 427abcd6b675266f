"""What `paas drains` and its kin ask of the API, and print."""

import fake_api

Answer = fake_api.Answer
PLACE = "/apps/hello/log-drains"
DRAIN = {
    "id": "1",
    "token": "d.1",
    "url": "https://user:****@logs.example.com/x",
    "delivered": 12,
    "dropped": 3,
    "waiting": 4,
    "failure": "the receiver answers 503",
}


def test_drains_are_added_listed_and_removed(api, cli) -> None:
    api.answers[f"GET {PLACE}"] = Answer([])
    assert "has no drains. Add one: paas drains:add URL" in cli("drains", "-a", "hello").err
    api.answers[f"POST {PLACE}"] = Answer(DRAIN, 201)
    made = cli("drains:add", "https://user:secret@logs.example.com/x", "-a", "hello")
    assert api.asked[-1].body == {"url": "https://user:secret@logs.example.com/x"}
    assert made.err == "Adding a drain to ⬢ hello... done, d.1\n" and "secret" not in made.out
    api.answers[f"GET {PLACE}"] = Answer([DRAIN, {**DRAIN, "failure": None}])
    lines = cli("drains", "-a", "hello").out.splitlines()
    assert lines[1].endswith("tries again: the receiver answers 503")
    assert lines[2].split() == [DRAIN["url"], "d.1", "12", "3", "4", "ok"]
    api.answers[f"DELETE {PLACE}/d.1"] = Answer(DRAIN)
    assert cli("drains:remove", "d.1", "-a", "hello").code == 0
    assert cli("drains:remove", "-a", "hello").code == 2
