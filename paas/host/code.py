"""Where this code lies on the host."""

from pathlib import Path


def checkout() -> Path:
    """The folder that holds the packages."""
    return Path(__file__).resolve().parents[2]
