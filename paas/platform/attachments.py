"""Who may attach to what runs: secrets that are offered once, and the connections that bring them.

Whoever asked by the API for a run, a command in an instance or a port gets a secret; whoever brings
it, on whatever connection, is the client. Nothing of it survives control, which the bytes pass.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

SECRET_BYTES = 32
STDIN, STDOUT, STDERR = 0, 1, 2


@dataclass(frozen=True)
class Input:
    """Bytes for the standard input; none are its end."""

    data: bytes


@dataclass(frozen=True)
class Size:
    """Of the client's terminal."""

    rows: int
    columns: int


class Client(Protocol):
    """The other end of a connection that brought a secret."""

    end_of_input: bytes
    """What it sends for the end, where it has no other way to say so; empty where it has."""

    async def receive(self) -> Input | Size | None:
        """What comes next; None when the client is gone."""

    async def send(self, stream: int, data: bytes) -> None:
        """Raises ConnectionError."""

    async def end(self, status: int, said: str = "") -> None:
        """Say how it ended, in a plain line where it did not end by itself, and hang up."""


@dataclass
class Offer:
    """A secret that was given away, and the client that brought it, once there is one."""

    secret: str
    client: "asyncio.Future[Client]"
    _withdraw: Callable[[], None] = field(repr=False, default=lambda: None)

    async def taken(self, timeout_s: float) -> Client:
        """Wait for the client. Raises TimeoutError; afterwards the secret is worth nothing."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.client
        finally:
            self._withdraw()

    def withdraw(self) -> None:
        self._withdraw()


class Attachments:
    """The secrets that are offered now."""

    def __init__(self) -> None:
        self._offers: dict[str, Offer] = {}
        self.sessions: Counter[str] = Counter()
        """By app, how many are at work inside its instances, or wait for their clients."""

    def offer(self) -> Offer:
        secret = secrets.token_urlsafe(SECRET_BYTES)
        future: asyncio.Future[Client] = asyncio.get_running_loop().create_future()
        self._offers[secret] = offer = Offer(secret, future, lambda: self._withdraw(secret))
        return offer

    def _withdraw(self, secret: str) -> None:
        self._offers.pop(secret, None)

    def is_offered(self, secret: str) -> bool:
        return secret in self._offers

    def take(self, secret: str, client: Client) -> bool:
        """Whether the secret was still offered; it is worth nothing afterwards."""
        offer = self._offers.pop(secret, None)
        if offer is None or offer.client.done():
            return False
        offer.client.set_result(client)
        return True
