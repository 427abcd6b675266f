"""Where the files of a submodule are: what its URL in `.gitmodules` means here. Pure.

A relative URL is one beside the app's own remote, as git has it (git-submodule(1)): the repository
that the app is connected with, or else the app's own here, whose neighbours are the account's apps.
What is read is over HTTPS: addresses for SSH, of which there are no keys here, are tried so, too.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit, urlunsplit

from paas.apps.git_connections import GitConnection, login

CREDENTIALS = "GIT_CREDENTIALS"
"""The config var that has logins, as git-credential-store(1) keeps them: a URL a line."""
COUNT_MAX = 100
DEPTH_MAX = 10
"""Submodules of submodules of …"""
BYTES_MAX = 1024 * 1024 * 1024
"""Of all of a build's, as they come."""
TIME_S_MAX = 300.0
_SCP = re.compile(r"(?:[^@/:\s]+@)?(?P<host>[A-Za-z0-9.-]+):(?!/)(?P<path>[^:]+)")
_APP = re.compile(r"/(?P<name>[a-z][a-z0-9-]*?)(?:\.git)?/?")


class BadAddress(Exception):
    """Nothing can be fetched from there; the message says why."""


@dataclass(frozen=True)
class Own:
    """How the platform's own repositories are addressed: the port of HTTP on its loopback, that of
    SSH with the names of the host; `root` has the apps."""

    http_port: int
    ssh_port: int
    hosts: tuple[str, ...]

    @property
    def root(self) -> str:
        return f"http://localhost:{self.http_port}"


@dataclass(frozen=True)
class Place:
    """A repository elsewhere, or an app here. `by_ssh`: the address was one for SSH."""

    url: str
    app: str = ""
    by_ssh: bool = False


def place(url: str, base: str, own: Own) -> Place:
    """`base` is the URL of the repository that has the submodule. Raises BadAddress."""
    if not url:
        raise BadAddress("its URL is not in .gitmodules")
    if url.startswith(("./", "../")):
        url = relative(base, url)
    if any(ord(letter) <= 32 or ord(letter) == 127 for letter in url):
        raise BadAddress(f"its URL {url[:200]!r} is no address")
    scp = _SCP.fullmatch(url) if "://" not in url else None
    if scp:
        url = f"ssh://{scp['host']}/{scp['path']}"
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise BadAddress(f"its URL {url[:200]!r} is no address") from error
    if parts.scheme not in ("http", "https", "ssh") or not host:
        raise BadAddress(_not_here(url))
    if _is_own(parts.scheme, host, port, own):
        match = _APP.fullmatch(parts.path)
        if match is None:
            raise BadAddress(f"its URL {url[:200]} is that of no app here")
        return Place(f"{own.root}/{match['name']}.git", app=match["name"])
    if parts.scheme == "ssh":
        # The port is SSH's own: where HTTPS is served on another one, the URL has to say so.
        named = f"[{host}]" if ":" in host else host
        return Place(urlunsplit(("https", named, parts.path, "", "")), by_ssh=True)
    return Place(url)


def relative(base: str, url: str) -> str:
    """As git resolves it (remote.c, relative_url). Raises BadAddress where that leads out."""
    left, colon = base.rstrip("/"), False
    while True:
        if url.startswith("../"):
            url = url[3:]
            cut = left.rfind("/")
            if cut < 0:
                cut, colon = left.rfind(":"), True
            if cut < 0 or left.endswith("//", 0, cut + 1):
                raise BadAddress(f"its relative URL leads out of {base}")
            left = left[:cut]
        elif url.startswith("./"):
            url = url[2:]
        else:
            break
    return f"{left}{':' if colon else '/'}{url}".rstrip("/")


def credentials(
    url: str, config: Mapping[str, str], connection: GitConnection | None
) -> dict[str, str]:
    """The headers with which the URL is asked: of the config var's first login for its host, or of
    the connection's, where that is with the same host."""
    target = urlsplit(url)
    for line in config.get(CREDENTIALS, "").split():
        known = _split(line)
        if known and known[1:] == (target.scheme, target.netloc.rpartition("@")[2].lower()):
            return _basic(known[0])
    if connection is not None and connection.token:
        own = urlsplit(connection.url)
        if (own.scheme, own.netloc.lower()) == (target.scheme, target.netloc.lower()):
            return _basic(login(connection))
    return {}


def _split(line: str) -> tuple[str, str, str] | None:
    try:
        parts = urlsplit(line)
    except ValueError:
        return None
    if parts.username is None:
        return None
    known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return known, parts.scheme, parts.netloc.rpartition("@")[2].lower()


def _basic(known: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(known.encode()).decode()}"}


def _is_own(scheme: str, host: str, port: int | None, own: Own) -> bool:
    loopback = host in ("localhost", "127.0.0.1", "::1")
    if scheme == "ssh":
        known = own.ssh_port and (loopback or host in own.hosts)
        return bool(known) and (port or 22) == own.ssh_port
    return scheme == "http" and loopback and port == own.http_port


def _not_here(url: str) -> str:
    scheme = url.partition("://")[0] if "://" in url else ""
    if scheme == "git":
        return f"its URL {url[:200]} is one of git's protocol without encryption"
    return f"its URL {url[:200]!r} is no address of HTTPS or SSH"
