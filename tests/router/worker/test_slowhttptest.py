"""The real slowhttptest against the router, while an honest visitor must notice nothing."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.router.keeper.test_keeper import Prober

pytestmark = pytest.mark.skipif(
    not shutil.which("slowhttptest"), reason="slowhttptest is not installed"
)
CONNECTIONS = 200
MODES = {
    "slow headers": ["-H", "-i", "1"],
    "slow body": ["-B", "-i", "1", "-s", "8192"],
    "ranges": ["-R", "-a", "1", "-b", "500"],
    "slow read": ["-X", "-w", "16", "-y", "32", "-n", "1", "-z", "8", "-k", "3"],
}
MEMORY_KIB_MAX = CONNECTIONS * 512
"""A connection may hold what two reads from its app bring before reading stops."""


def _resident_kib(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def _script(talk: Any) -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + b"x" * 2_000_000
    while True:
        request = talk.request()
        if b" /attacked " in request:
            talk.send(large)
        else:
            talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


@pytest.mark.parametrize("mode", MODES)
def test_an_attack_hurts_nobody_else(router: Any, app: Any, mode: str) -> None:
    app.script = _script
    (worker,) = router.worker_pids()
    published = router.publish({**app.entry, "domains": ["127.0.0.1"]})
    assert published["type"] == "applied", published
    before_kib = _resident_kib(worker)
    attack = subprocess.Popen(
        ["slowhttptest", "-c", str(CONNECTIONS), "-r", "200", "-l", "4", "-p", "20", *MODES[mode],
         "-u", f"http://127.0.0.1:{router.address[1]}/attacked"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    most_kib = before_kib
    try:
        with Prober(router, app.host) as prober:
            while attack.poll() is None:
                prober.wait(20)
                most_kib = max(most_kib, _resident_kib(worker))
    finally:
        attack.terminate()
        attack.wait(30)
    if mode in ("ranges", "slow read"):
        assert any(b" /attacked " in request for request in app.requests)
    assert not prober.failed, prober.failed[:3]
    assert prober.answered > 20
    assert most_kib - before_kib < MEMORY_KIB_MAX
    assert router.worker_pids() == [worker]
