"""The source of a build that is no push: an archive, which an address or an upload brings. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from paas.errors import UserError

VERSION_CHARACTERS_MAX = 200
_CHECKSUM = re.compile(r"sha256:([0-9a-f]{64})", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """`url` is as it may be shown; `version` is what its maker calls it; `checksum` is the
    SHA-256 of the archive, in hex."""

    url: str
    version: str | None = None
    checksum: str | None = None


def check_url(url: str, private: bool) -> None:
    """Raises UserError for what can't be fetched; where it leads is judged when it is."""
    try:
        parts = urlsplit(url)
        host, scheme = parts.hostname, parts.scheme
    except ValueError:
        host, scheme = None, ""
    if not host or scheme not in (("https", "http") if private else ("https",)):
        raise UserError(
            "invalid_params",
            "`source_blob.url` must be an address that begins with https://.",
            "Without one of your own: POST /sources says where to upload; paas deploy does it all.",
        )


def checksum(text: str | None) -> str | None:
    """Of `SHA256:…`, as Heroku writes it. Raises UserError for anything else."""
    if not text:
        return None
    match = _CHECKSUM.fullmatch(text.strip())
    if match is None:
        raise UserError(
            "invalid_params",
            "`source_blob.checksum` must be SHA256: and 64 hexadecimal digits.",
            'Make it with: echo "SHA256:$(sha256sum archive.tgz | cut -c1-64)"',
        )
    return match[1].lower()


def version(text: str | None) -> str | None:
    """What releases are called after. Raises UserError."""
    if not text:
        return None
    if len(text) > VERSION_CHARACTERS_MAX or not text.isprintable():
        raise UserError(
            "invalid_params",
            f"`source_blob.version` must be one line of at most {VERSION_CHARACTERS_MAX} letters.",
        )
    return text
