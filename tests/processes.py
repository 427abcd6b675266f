"""Whether a process has ended, as every test should see it."""

from pathlib import Path


def has_ended(pid: int) -> bool:
    """Also when the first process of the host has not collected it yet, or never does."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
