"""The suite runs alike under a parent that ignores signals, as `nohup` and many CI systems do."""

import signal
import subprocess
import sys
from pathlib import Path

IGNORED = [signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD]
CHECKOUT = Path(__file__).parent.parent
SCRIPT = f"""
import signal, subprocess, sys
for number in {[int(n) for n in IGNORED]}:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
print(subprocess.call([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                       {f"{__file__}::test_a_child_obeys_every_signal"!r}]))
"""


def test_a_child_obeys_every_signal() -> None:
    status = subprocess.check_output(["cat", "/proc/self/status"], text=True, timeout=60)
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
    ignored, blocked = int(masks["SigIgn"], 16), int(masks["SigBlk"], 16)
    assert [n.name for n in IGNORED if ignored >> (n - 1) & 1] == []
    assert blocked == 0


def test_the_same_under_a_parent_that_ignores_them() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=CHECKOUT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.splitlines()[-1:] == ["0"], done.stdout + done.stderr
