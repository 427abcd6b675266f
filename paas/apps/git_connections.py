"""A repository at GitHub, GitLab, Gitea or Forgejo that an app is deployed from. Pure.

Its host tells of each push (`paas.apps.git_hooks`); the commit is fetched from there, and what
became of it is told there (`paas.apps.commit_statuses`).
"""

import base64
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote, urlsplit

from paas.errors import UserError

DEFAULT_BRANCH = "main"
TOKEN_CHARACTERS_MAX = 500
SECRET_BYTES = 32
_PATH = re.compile(r"(?:/[A-Za-z0-9_.~-]+){2,20}")
_TOKEN = re.compile(r"[!-~]+")


class Kind(StrEnum):
    """Whose words a host speaks; Forgejo speaks Gitea's."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"


class Outcome(StrEnum):
    NONE = ""
    ASKED = "asked"
    """Somebody wants it deployed, also if it is what runs."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_KNOWN = {
    "github.com": Kind.GITHUB,
    "gitlab.com": Kind.GITLAB,
    "codeberg.org": Kind.GITEA,
    "gitea.com": Kind.GITEA,
}


@dataclass(frozen=True)
class GitConnection:
    """`hook` is the last part of the address that the host calls, `secret` what it signs with;
    `token` lets us fetch and report, or is empty. `user` made the connection.

    `rung` counts the pushes that were told, `seen` how many of them are dealt with: what is between
    them is still to be done, whoever was killed. `commit` is the last one dealt with.
    """

    app_id: str
    hook: str
    url: str
    kind: Kind
    branch: str
    user: str
    created_at: datetime
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)
    rung: int = 0
    seen: int = 0
    commit: str = ""
    outcome: Outcome = Outcome.NONE

    @property
    def ref(self) -> str:
        return f"refs/heads/{self.branch}"

    @property
    def fetched_from(self) -> str:
        """All hosts know the address with `.git` at its end."""
        return self.url if self.url.endswith(".git") else f"{self.url}.git"

    @property
    def repository(self) -> str:
        """`owner/name`, as the host's API has it."""
        return urlsplit(self.url).path.strip("/").removesuffix(".git")


def check_url(text: str, *, plain_http: bool = False) -> str:
    """Without a slash at its end. Raises UserError for what is no repository's address."""
    url = text.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it raises for one that is no port
        host, scheme = parts.hostname, parts.scheme
    except ValueError:
        host, scheme, parts = None, "", urlsplit("")
    if "@" in parts.netloc:
        raise UserError(
            "invalid_params",
            "The address of a repository may hold no password here.",
            "Give the token by itself: paas git:connect URL --token",
        )
    schemes = ("https", "http") if plain_http else ("https",)
    plain = not (parts.query or parts.fragment)
    if not (host and scheme in schemes and plain and _PATH.fullmatch(parts.path)):
        raise UserError(
            "invalid_params",
            f"{url[:120]!r} is not the address of a repository.",
            "Write its https address, e.g. https://github.com/owner/name",
        )
    return url


def kind_of(url: str, said: str | None) -> Kind:
    """Raises UserError where nothing tells whose words the host speaks."""
    host = (urlsplit(url).hostname or "").lower()
    named = {**{kind.value: kind for kind in Kind}, "forgejo": Kind.GITEA}
    guessed = _KNOWN.get(host) or next((named[n] for n in named if host.startswith(f"{n}.")), None)
    found = named.get(said.lower()) if said else guessed
    if found is None:
        raise UserError(
            "invalid_params",
            f"{said!r} is no kind of host." if said else f"What kind of host is {host}?",
            "Say it, one of: --kind github, --kind gitlab, --kind gitea, --kind forgejo",
        )
    return found


def check_token(text: str | None) -> str:
    """Raises UserError for what can't be one."""
    token = (text or "").strip()
    if token and (len(token) > TOKEN_CHARACTERS_MAX or not _TOKEN.fullmatch(token)):
        raise UserError("invalid_params", "The token has letters that no token has.")
    return token


def new_secret() -> str:
    """Good for all hosts: GitLab's signing tokens have this form, of 32 bytes."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def login(connection: GitConnection) -> str:
    """User and password for git, of the token. A deploy token of GitLab's is given with its user
    (`user:token`); all other tokens are the password of a user whose name does not matter."""
    if not connection.token or ":" in connection.token:
        return connection.token
    user = "x-access-token" if connection.kind is Kind.GITHUB else "oauth2"
    return f"{user}:{connection.token}"


def api_token(connection: GitConnection) -> str:
    """The token itself, for the host's API."""
    return connection.token.rpartition(":")[2]


def api_of(connection: GitConnection) -> str:
    """Where the host's API has the repository."""
    parts = urlsplit(connection.url)
    base, path = f"{parts.scheme}://{parts.netloc}", connection.repository
    match connection.kind:
        case Kind.GITHUB if parts.hostname == "github.com":
            return f"https://api.github.com/repos/{path}"
        case Kind.GITHUB:
            return f"{base}/api/v3/repos/{path}"
        case Kind.GITLAB:
            return f"{base}/api/v4/projects/{quote(path, safe='')}"
        case Kind.GITEA:
            return f"{base}/api/v1/repos/{path}"
