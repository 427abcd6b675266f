"""One supervisor an installation; a lock tells, and what a killed one wrote is never believed."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pytest

from paas.errors import UserError
from paas.host import identity
from paas.host.code import checkout
from paas.settings import Settings

HOLD = """
import fcntl, json, os, sys
file = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(file, fcntl.LOCK_EX)
os.write(file, sys.argv[2].encode())
print(flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Here(Settings):
    folder: Path = Path()

    @property
    def run(self) -> Path:
        return self.folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Here(installation="test-identity", folder=tmp_path)


@contextmanager
def held(settings: Settings, content: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", HOLD, str(settings.run / "supervisor.json"), content]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdout.readline()
        try:
            yield process
        finally:
            process.kill()


def test_the_claim_says_who_runs_it_and_from_which_code(settings: Settings) -> None:
    assert identity.owner(settings) is None
    with identity.claim(settings):
        found = identity.owner(settings)
        assert found is not None
        assert found.checkout == str(checkout())
        assert found.code == identity.code_digest(checkout())
        with (
            pytest.raises(UserError, match=r"already runs \(process \d+") as caught,
            identity.claim(settings),
        ):
            raise AssertionError
        assert caught.value.hint
    assert identity.owner(settings) is None


def test_what_a_killed_owner_wrote_is_stale(settings: Settings) -> None:
    stale = json.dumps({"pid": 1, "checkout": "/elsewhere", "code": "x"})
    with held(settings, stale) as process:
        found = identity.owner(settings)
        assert found is not None and found.pid == 1
        process.kill()
        process.wait(60)
        assert identity.owner(settings) is None
        with identity.claim(settings):
            assert identity.owner(settings) != found


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "null"])
def test_one_that_has_just_taken_the_lock_is_waited_for(settings: Settings, content: str) -> None:
    with held(settings, content):
        assert identity.owner(settings) is None
        with pytest.raises(UserError, match="did not stop"):
            identity.end_owner(settings, signal.SIGTERM, timeout_s=0.1)
        with pytest.raises(UserError, match="already runs"), identity.claim(settings):
            raise AssertionError


def test_the_owner_is_told_to_end_and_waited_for(settings: Settings) -> None:
    with held(settings, "") as process:
        owner = {"pid": process.pid, "checkout": "/here", "code": "x"}
        (settings.run / "supervisor.json").write_text(json.dumps(owner))
        identity.end_owner(settings, signal.SIGTERM, timeout_s=60)
        assert process.wait(60) == -signal.SIGTERM


def test_the_lock_outlives_a_killed_owner_whose_holder_has_the_file(settings: Settings) -> None:
    with identity.claim(settings) as claim:
        holder = os.dup(claim.descriptor)
        mine = claim.owner
    try:
        stale = {**asdict(mine), "started": mine.started - 1}
        os.pwrite(holder, json.dumps(stale).encode(), 0)
        assert identity.is_held(settings)
        assert identity.owner(settings) is None
        assert identity.settled_owner(settings, timeout_s=0.1) is None
        with pytest.raises(UserError, match="already runs"), identity.claim(settings):
            raise AssertionError
        with identity.claim(settings, os.dup(holder)) as next_claim:
            assert next_claim.before is not None and next_claim.before.pid == mine.pid
            assert next_claim.before.runs_as(next_claim.owner)
            assert identity.owner(settings) == next_claim.owner
    finally:
        os.close(holder)
    assert not identity.is_held(settings)


def test_other_settings_are_another_way_to_run(settings: Settings) -> None:
    with identity.claim(settings) as claim:
        one = claim.owner
    with identity.claim(replace(settings, router_workers=3)) as claim:
        assert claim.before is None
        assert not claim.owner.runs_as(one)


def test_the_digest_follows_the_code_and_nothing_else(tmp_path: Path) -> None:
    module = tmp_path / "paas" / "module.py"
    module.parent.mkdir()
    module.write_text("a = 1\n")
    first = identity.code_digest(tmp_path)
    (tmp_path / "paas" / "notes.txt").write_text("anything")
    assert identity.code_digest(tmp_path) == first
    module.write_text("a = 2\n")
    assert identity.code_digest(tmp_path) != first
