"""Everything at once under load, on an installation of its own: the short form of the benchmark."""

import subprocess
import sys
from pathlib import Path

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "events"
TIMEOUT_S = 170


def test_mixed_events_lose_only_what_was_in_flight_on_what_was_killed() -> None:
    command = [sys.executable, str(BENCHMARK), "--events", "10", "--seed", "5"]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "     0 others;" in done.stdout
