"""The unmodified `heroku` command from npm, installed once a host for all tests that drive it."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smartplatform-tests"
INSTALL_TIMEOUT_S = 170


def installed() -> Path:
    """The program. The test is skipped where npm can't bring it."""
    program = CACHE / "heroku" / "node_modules" / ".bin" / "heroku"
    CACHE.mkdir(parents=True, exist_ok=True)
    # Tests run side by side: the second waits, and finds it whole.
    with (CACHE / "heroku.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _install()
    return program


def _install() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not here to install the heroku command with")
    fresh = tempfile.mkdtemp(dir=CACHE)
    command = [npm, "install", "--prefix", fresh, "--no-audit", "--no-fund", "heroku"]
    try:
        subprocess.run(
            command, cwd=fresh, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S
        )
        shutil.rmtree(CACHE / "heroku", ignore_errors=True)
        Path(fresh).rename(CACHE / "heroku")
    except (subprocess.SubprocessError, OSError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        pytest.skip(f"npm could not install heroku: {error}")
