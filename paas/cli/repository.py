"""The git repository in the current folder: its remotes and the credential helper of one URL.

No token is written anywhere: git asks `paas git:credentials` when it needs one.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from shlex import quote

from paas.cli import git_pass
from paas.client.endpoint import may_open
from paas.errors import UserError
from paas.settings import Settings

GIT_TIMEOUT_S = 10.0


def inside() -> bool:
    return _git("rev-parse", "--git-dir").returncode == 0


def remote_url(name: str) -> str | None:
    answer = _git("config", "--get", f"remote.{name}.url")
    return answer.stdout.strip() or None


def remotes_of(url: str) -> list[str]:
    """The names of the remotes with exactly this URL."""
    answer = _git("config", "--get-regexp", r"^remote\..*\.url$")
    pairs = [line.partition(" ") for line in answer.stdout.splitlines()]
    return [key[len("remote.") : -len(".url")] for key, _, value in pairs if value == url]


def set_remote(name: str, url: str, settings: Settings) -> None:
    """Point the remote at `url`, and let git ask `paas` (and nobody else) for its token."""
    if remote_url(name) is None:
        _checked("remote", "add", name, url)
    else:
        _checked("remote", "set-url", name, url)
    _set_helper(url, helper(settings))


def remove_remote(name: str, url: str) -> None:
    _checked("remote", "remove", name)
    _git("config", "--local", "--remove-section", f"credential.{url}")


def _set_helper(url: str, command: str) -> None:
    """The empty helper first clears those of other configuration files (gitcredentials(7))."""
    key = f"credential.{url}.helper"
    _git("config", "--local", "--unset-all", key)
    _checked("config", "--local", "--add", key, "")
    _checked("config", "--local", "--add", key, command)
    _checked("config", "--local", f"credential.{url}.useHttpPath", "true")


def program() -> Path:
    """The absolute path of this `paas`."""
    typed = Path(sys.argv[0])
    if typed.name == "paas" and typed.exists():
        return typed.absolute()
    beside = Path(sys.executable).parent / "paas"
    if beside.exists():
        return beside
    found = shutil.which("paas")
    if found:
        return Path(found).absolute()
    raise UserError(
        "missing_program", "The command `paas` is not installed.", "Run script/bootstrap."
    )


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["git", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GIT_TIMEOUT_S,
            env=environment,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except FileNotFoundError:
        return subprocess.CompletedProcess(arguments, 127, "", "git is not installed")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(arguments, 124, "", f"git took over {GIT_TIMEOUT_S:g} s")


def _checked(*arguments: str) -> None:
    answer = _git(*arguments)
    if answer.returncode != 0:
        raise UserError("git", f"`git {_words(arguments)}` failed: {answer.stderr.strip()}")


def _words(arguments: Sequence[str]) -> str:
    return " ".join(arguments)


def helper(settings: Settings) -> str:
    """The credential helper. Git also offers to store and erase what it learned; that nobody needs,
    and each would start the command for nothing while the developer waits.

    On the platform's own host a smaller program is asked first, for as long as it is there.
    """
    paas = f"{quote(str(program()))} git:credentials get"
    if may_open(settings.control_socket):
        own = (
            Path(git_pass.__file__).absolute(),
            program(),
            f"http://localhost:{settings.control_port}",
            settings.control_socket,
            settings.installation,
        )
        words = [quote(str(word)) for word in own]
        paas = f"test -e {words[0]} && {quote(sys.executable)} -I -S {' '.join(words)} || {paas}"
    return f'!f() {{ test "$1" != get || {paas}; }}; f'
