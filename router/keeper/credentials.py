"""What the keeper keeps for TLS: certificates (on disk too), ACME challenges, ticket keys.

Challenges live for a minute and ticket keys for half a day: both are in memory only.
"""

import asyncio
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from router.keeper import files
from router.keeper.files import FileError
from router.tls import certificates, tickets, tls
from router.tls.certificates import Certificate, CertificateError

CHALLENGES_MAX = 1000
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,128}")
"""Base64url, RFC 8555 §8.3."""
_AUTHORIZATION = re.compile(r"[A-Za-z0-9._-]{1,512}")


class Credentials:
    """The set is on disk before any worker hears of it, and serves when control is away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._raw: dict[str, Any] = {}
        self._set = certificates.NONE
        self._challenges: dict[str, str] = {}
        self._challenges_version = 0
        self._ticket_keys = tickets.new()
        self._accepting = asyncio.Lock()
        self._load()

    @property
    def version(self) -> int:
        return self._set.version

    async def accept(self, raw: dict[str, Any]) -> int:
        """Put a newer set in force; the version in force. Raises CertificateError, OSError."""
        async with self._accepting:
            new = certificates.read(raw)
            if new.version > self._set.version:
                known = set(self._set.all)
                unknown = [each for each in new.all if each not in known]
                await asyncio.to_thread(_try, unknown)
                await asyncio.to_thread(files.save, self._path, raw, 0o600)
                self._raw, self._set = raw, new
            return self._set.version

    def challenge(self, raw: Any) -> int:
        """These challenges and no others are answered from now on. Raises CertificateError."""
        if not isinstance(raw, dict) or len(raw) > CHALLENGES_MAX:
            raise CertificateError(f"challenges is no object of at most {CHALLENGES_MAX}")
        for token, authorization in raw.items():
            good = isinstance(authorization, str) and _AUTHORIZATION.fullmatch(authorization)
            if not good or not _TOKEN.fullmatch(token):
                raise CertificateError("challenges has what is no token with its authorization")
        self._challenges = dict(raw)
        self._challenges_version += 1
        return self._challenges_version

    def rotate(self) -> None:
        """New ticket keys: sessions from before begin with a whole handshake."""
        self._ticket_keys = tickets.new()

    def messages(self) -> list[dict[str, Any]]:
        """What a worker has to know before it serves."""
        messages = [self.certificates_message()] if self._raw else []
        if self._challenges_version:
            messages.append(self.challenges_message())
        return messages

    def certificates_message(self) -> dict[str, Any]:
        return {"type": "certificates", "set": self._raw, "ticket_keys": self._ticket_keys.hex()}

    def challenges_message(self) -> dict[str, Any]:
        version = self._challenges_version
        return {"type": "challenges", "version": version, "challenges": self._challenges}

    def _load(self) -> None:
        try:
            raw = files.load(self._path)
            if raw is not None:
                self._set = certificates.read(raw)
                self._raw = raw
        except (OSError, FileError, CertificateError) as error:
            print(f"paas-router: starting without certificates: {error}", file=sys.stderr)


def _try(unknown: Sequence[Certificate]) -> None:
    for each in unknown:
        tls.context_with(each)
