"""The host's npm configuration as build zones get it."""

import re

from paas.builder.nodejs.registry import CA_BUNDLE
from paas.settings import Settings

_HOST_ONLY = ("cafile", "cache", "prefix", "globalconfig", "userconfig", "nodedir", "tmp", "shell")
"""Keys of an npmrc that name files of the host."""
_PUBLIC = re.compile(
    r"(?:@[^:=\s]+:)?registry|(?:https?-)?proxy|no-?proxy|strict-ssl|ca(?:\[\])?"
    r"|fetch-(?:retries|retry-[a-z]+|timeout)|maxsockets|prefer-(?:offline|online)"
)
"""Keys that say how a registry is reached, and nothing of who asks."""
_SECRET = re.compile(r"(?:^|:)(?:_auth|_authToken|_password|key)$")
_USERINFO = re.compile(r"(['\"]?[a-z]+://)([^/?#]*)@")
_SECRET_CHARACTERS_LEAST = 6


def for_zones(settings: Settings) -> bytes:
    """The host's npm configuration as a build zone can use it.

    Scripts of whoever pushes can read it: so it has where registries and proxies are, and no
    credentials unless the operator shares them (`share_npm_credentials`).
    """
    shared = settings.share_npm_credentials
    kept = [
        f"{key}={value if shared else _without_credentials(value)}"
        for key, value in _pairs(settings)
        if (key not in _HOST_ONLY if shared else _PUBLIC.fullmatch(key))
    ]
    return "\n".join([*kept, f"cafile={CA_BUNDLE}", ""]).encode()


def registry(settings: Settings) -> str:
    """The default registry, without credentials; empty where the host's npm names none."""
    found = [value for key, value in _pairs(settings) if key == "registry"]
    return _without_credentials(found[-1]) if found else ""


def secrets(settings: Settings) -> tuple[str, ...]:
    """The secrets in what build zones get, the longest first: they are kept out of logs."""
    if not settings.share_npm_credentials:
        return ()
    found = {value for key, value in _pairs(settings) if _SECRET.search(key)}
    for _, value in _pairs(settings):
        match = _USERINFO.match(value)
        found |= {match[2].partition(":")[2] or match[2]} if match else set()
    plain = {value.strip("\"'") for value in found if not value.startswith("${")}
    long = (value for value in plain if len(value) >= _SECRET_CHARACTERS_LEAST)
    return tuple(sorted(long, key=len, reverse=True))


def _pairs(settings: Settings) -> list[tuple[str, str]]:
    try:
        lines = settings.npmrc.read_text().splitlines()
    except FileNotFoundError:
        return []
    split = (line.partition("=") for line in lines if not line.lstrip().startswith(("#", ";")))
    return [(key.strip(), value.strip()) for key, equals, value in split if equals]


def _without_credentials(value: str) -> str:
    return _USERINFO.sub(r"\1", value)
