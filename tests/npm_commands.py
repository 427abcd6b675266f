"""A developer's npm and npx: the platform's own, so that no npm is asked of the host."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from paas.builder.nodejs import registry

_QUIET = {
    "CI": "1",
    "npm_config_audit": "false",
    "npm_config_fund": "false",
    "npm_config_update_notifier": "false",
    # What a generator writes is to hold with whatever registry is configured.
    "npm_config_omit_lockfile_registry_resolved": "true",
}

PATIENT = {
    "npm_config_fetch_retries": "5",
    "npm_config_fetch_retry_mintimeout": "2000",
    "npm_config_fetch_timeout": "120000",
}
"""For those who would rather wait for a slow registry than fail."""
_AWAY = re.compile(
    r"npm (?:error|ERR!) (?:code |errno )?(?:ECONNRESET|ECONNREFUSED|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|"
    r"EIDLETIMEOUT|ERR_SOCKET_TIMEOUT|E429|E50\d)\b"
)
_TIME_IS_UP = 124
_HALF_PRESENT = re.compile(r"npm (?:error|ERR!) code ETARGET\b")


class RegistryAway(AssertionError):
    """npm could not reach its registry: another try may succeed."""


def environment(folder: Path) -> dict[str, str]:
    """With npm, npx and node before all others in PATH; registries are as npm is configured."""
    folder.mkdir()
    node = registry.npm_folder().parents[2] / "bin" / "node"
    for name in ("npm", "npx"):
        script = registry.npm_folder() / "bin" / f"{name}-cli.js"
        (folder / name).write_text(f'#!/bin/sh\nexec "{node}" "{script}" "$@"\n')
        (folder / name).chmod(0o755)
    (folder / "node").symlink_to(node)
    path = f"{folder}:{os.environ['PATH']}"
    return {**os.environ, **told(), "PATH": path, "GIT_CONFIG_NOSYSTEM": "1"}


def told() -> dict[str, str]:
    """Variables for npm and git: no more talk than needed, and who commits."""
    identity = {
        f"GIT_{who}_{what}": "test@localhost"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    return {**_QUIET, **identity}


def run(command: str, folder: Path, environment: Mapping[str, str], timeout_s: float) -> str:
    """A line of shell, as a developer types it; its output."""
    done = subprocess.run(
        # The group ends with its time, and not the shell alone.
        ["timeout", "--kill-after=10", str(timeout_s), "sh", "-ec", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said = done.stdout.decode(errors="replace")
    if done.returncode and _AWAY.search(said):
        raise RegistryAway(f"{command}\n{said}")
    if done.returncode and _HALF_PRESENT.search(said):
        said += "\nThe registry names a release that it does not have: ask for an earlier one."
    assert done.returncode != _TIME_IS_UP, f"{command}: not within {timeout_s} s\n{said}"
    assert done.returncode == 0, f"{command}\n{said}"
    return said
