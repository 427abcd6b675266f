"""Logins with e-mail and password: compared in a thread, guesses counted, nothing told."""

import asyncio
import time

from paas.apps import passwords
from paas.apps.account import Account
from paas.apps.guesses import Guesses
from paas.errors import UserError
from paas.store import Database, accounts

AT_ONCE = 2
"""Each takes 64 MiB and a core for tens of milliseconds."""


class Logins:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._guesses = Guesses(time.monotonic)
        self._places = asyncio.Semaphore(AT_ONCE)

    async def check(self, email: str, password: str) -> Account:
        """Raises UserError, in the same words and as late for an unknown address as for a wrong
        password."""
        address = email.strip().lower()[:320]
        if not self._guesses.take(address):
            raise UserError(
                "rate_limit",
                "Too many passwords were tried for this address.",
                "Try again in some minutes. A code from the server works at once: paas auth:code",
            )
        kept = await self._database.run(accounts.password_of, address)
        async with self._places:
            is_right = await asyncio.to_thread(passwords.is_right, kept, password)
        account = await self._database.run(accounts.by_email, address) if is_right else None
        if account is None:
            raise UserError(
                "unauthorized",
                "The e-mail address or the password is wrong.",
                "Whoever operates the platform makes a code to log in with: paas accounts:invite",
            )
        self._guesses.forgive(address)
        await self._database.run(accounts.note_login, address)
        return account

    async def hashed(self, password: str, email: str) -> str:
        """What is to be kept of a new password. Raises UserError for one that is too simple."""
        checked = passwords.check(password, email)
        async with self._places:
            return await asyncio.to_thread(passwords.hashed, checked)
