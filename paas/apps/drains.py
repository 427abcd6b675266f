"""Drains: where an app's log is sent, by Heroku's rules for their addresses. Pure."""

import ipaddress
import re
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import SplitResult, urlsplit, urlunsplit

from paas.errors import UserError
from paas.system.outgoing import is_public

DRAINS_MAX = 5
"""Of an app, as on Heroku."""
ALL_MAX = 200
"""Of all apps: each has a thread of control's."""
URL_CHARACTERS_MAX = 2048
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9a-fA-F:.]{2,45}")
_HIDDEN = "****"


@dataclass(frozen=True)
class Drain:
    """`token` is how Heroku's receivers know whose lines they are. Lines up to `seen_ns` (of the
    clock) were taken."""

    id: str
    app_id: str
    url: str = field(repr=False)
    token: str
    created_at: datetime
    seen_ns: int

    @property
    def shown(self) -> str:
        return masked(self.url)


def check_url(text: str, *, private: bool) -> str:
    """`private`: the operator lets drains lead into the host's own networks. Raises UserError."""
    url = text.strip()
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - it raises for one that is no port
    except ValueError as error:
        raise _wrong("it is no address") from error
    if len(url) > URL_CHARACTERS_MAX or not url.isascii() or not url.isprintable() or " " in url:
        raise _wrong("it is no address")
    if parts.scheme not in ("syslog", "syslog+tls", "https", *(["http"] if private else [])):
        raise _wrong("it begins with none of these")
    if not _HOST.fullmatch(parts.hostname or ""):
        raise _wrong("it names no host")
    if parts.fragment:
        raise _wrong("certificates are always checked, and nothing else may stand behind #")
    if parts.scheme.startswith("syslog") and (
        parts.path.strip("/") or parts.query or "@" in parts.netloc
    ):
        raise _wrong("syslog has a host and a port only")
    if not private and _is_near(parts.hostname or ""):
        raise UserError(
            "invalid_params",
            f"{parts.hostname} is in the networks of this server, where no logs are sent.",
            "The operator lets it: drain_to_private_addresses = true in the configuration file.",
        )
    return url


def masked(url: str) -> str:
    """Without the password and the values of the query, which are somebody's secrets."""
    parts = urlsplit(url)
    return urlunsplit(
        SplitResult(parts.scheme, _without_password(parts), parts.path, _names(parts.query), "")
    )


def _without_password(parts: SplitResult) -> str:
    login, at, host = parts.netloc.rpartition("@")
    if not at:
        return host
    user, colon, _ = login.partition(":")
    # A user without a password is a token most often.
    return f"{user}:{_HIDDEN}@{host}" if colon else f"{_HIDDEN}@{host}"


def _names(query: str) -> str:
    pairs = (pair.partition("=") for pair in query.split("&") if pair)
    return "&".join(f"{name}={_HIDDEN}" if equals else _HIDDEN for name, equals, _ in pairs)


def _is_near(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return not is_public(ipaddress.ip_address(host))
    except ValueError:
        return False  # A name is judged whenever it is looked up.


def _wrong(why: str) -> UserError:
    hint = "One of: https://host/path, syslog+tls://host:6514, syslog://host:514"
    return UserError("invalid_params", f"No logs can be sent to this URL: {why}.", hint)
