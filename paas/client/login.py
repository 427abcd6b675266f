"""The login file: which platforms this user has logged in to, and the token of each.

`~/.config/smartplatform/login.json`, readable by its owner only.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from paas.errors import UserError


@dataclass(frozen=True)
class Login:
    """`tokens` by address (`http://localhost:8081`); `current` is the one commands talk to."""

    path: Path
    current: str | None = None
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)

    @staticmethod
    def load(environment: Mapping[str, str]) -> "Login":
        """Raises UserError when the file is not what `save` writes."""
        path = _path(environment)
        try:
            table = json.loads(path.read_text())
            return Login(
                path, table["current"], {str(k): str(v) for k, v in table["tokens"].items()}
            )
        except (FileNotFoundError, NotADirectoryError):
            return Login(path)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                "login_file",
                f"{path} can't be read: {error}",
                "Remove it and log in again with `paas login`.",
            ) from error

    def token(self, url: str) -> str | None:
        return self.tokens.get(url)

    def with_token(self, url: str, token: str) -> "Login":
        return replace(self, current=url, tokens={**self.tokens, url: token})

    def without(self, url: str) -> "Login":
        left = {known: token for known, token in self.tokens.items() if known != url}
        current = self.current if self.current != url else next(iter(left), None)
        return replace(self, current=current, tokens=left)

    def save(self) -> None:
        """A crash leaves the old file or the new one."""
        from paas.system.files import write_by_rename

        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        text = json.dumps({"current": self.current, "tokens": dict(self.tokens)}, indent=2)
        write_by_rename(self.path, text + "\n")


def _path(environment: Mapping[str, str]) -> Path:
    folder = environment.get("XDG_CONFIG_HOME")
    base = Path(folder) if folder else Path(environment.get("HOME") or Path.home()) / ".config"
    return base / "smartplatform" / "login.json"
