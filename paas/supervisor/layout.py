"""The folders of an installation, their owners and modes, made before any process starts."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from paas.settings import CONTROL_USER, ROUTER_USER, Settings
from paas.supervisor import launch
from paas.system.files import write_by_rename

NPM_TIMEOUT_S = 30


def prepare(settings: Settings) -> None:
    """Make what is missing; UserError when the system users do not exist."""
    control, control_group = launch.user_id(CONTROL_USER), launch.group_id(CONTROL_USER)
    router = launch.user_id(ROUTER_USER)
    _folder(settings.state, 0o755, 0, 0)
    _folder(settings.run, 0o755, 0, 0)
    _folder(settings.control_state, 0o700, control, control_group)
    _folder(settings.router_state, 0o700, router, 0)
    _folder(settings.logs, 0o751, 0, control_group)
    _folder(settings.logs / "machines", 0o750, 0, control_group)
    _folder(settings.logs / "apps", 0o750, control, control_group)
    _folder(settings.logs / "router", 0o2750, router, control_group)
    _folder(settings.control_socket.parent, 0o750, control, control_group)
    _folder(settings.router_socket.parent, 0o750, router, control_group)
    launch.prepare(settings)
    _copy_npm_configuration(settings.npmrc, control, control_group)


def _folder(path: Path, mode: int, user: int, group: int) -> None:
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, user, group)
    path.chmod(mode)


def _copy_npm_configuration(target: Path, user: int, group: int) -> None:
    """The host's effective npm configuration as a file of the control process.

    npm's own files may lie where the control process can't look, and hold tokens: so the merged
    global and user files are copied, mode 0600. The registry is named even where npm's own default
    counts, because the node opens the way to it. The environment's proxies are inherited.
    """
    asked = _ask_npm("globalconfig", "registry")
    home = Path(os.environ.get("NPM_CONFIG_USERCONFIG") or Path.home() / ".npmrc")
    # What comes later wins, as the user's lines do in npm.
    files = [Path(asked.get("globalconfig", "/etc/npmrc")), Path("/etc/npmrc"), home]
    registry = f"registry={asked['registry']}\n" if "registry" in asked else ""
    text = registry + "".join(_read(path) for path in dict.fromkeys(files))
    write_by_rename(target, text, owner=(user, group))


def _ask_npm(*keys: str) -> dict[str, str]:
    """What npm says of its own configuration; empty when there is no npm to ask."""
    npm = shutil.which("npm") or str(Path(sysconfig.get_path("scripts")) / "npm")
    try:
        answer = subprocess.run(
            [npm, "config", "get", *keys],
            capture_output=True, text=True, timeout=NPM_TIMEOUT_S, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return {}
    pairs = (line.partition("=") for line in answer.stdout.splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs}


def _read(path: Path) -> str:
    try:
        return path.read_text().rstrip("\n") + "\n"
    except (OSError, UnicodeDecodeError):
        return ""
