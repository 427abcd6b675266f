"""A developer's npm and npx: the platform's own, so that no npm is asked of the host."""

import os
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


def environment(folder: Path) -> dict[str, str]:
    """With npm, npx and node before all others in PATH; registries are as npm is configured."""
    folder.mkdir()
    node = registry.npm_folder().parents[2] / "bin" / "node"
    for name in ("npm", "npx"):
        script = registry.npm_folder() / "bin" / f"{name}-cli.js"
        (folder / name).write_text(f'#!/bin/sh\nexec "{node}" "{script}" "$@"\n')
        (folder / name).chmod(0o755)
    (folder / "node").symlink_to(node)
    identity = {
        f"GIT_{who}_{what}": "test@localhost"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    path = f"{folder}:{os.environ['PATH']}"
    return {**os.environ, **_QUIET, **identity, "PATH": path, "GIT_CONFIG_NOSYSTEM": "1"}


def run(command: str, folder: Path, environment: Mapping[str, str], timeout_s: float) -> str:
    """A line of shell, as a developer types it; its output."""
    done = subprocess.run(
        ["sh", "-ec", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
