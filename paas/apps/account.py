"""An account: who asks. The installation has its owner; operators make the others."""

import re
from dataclasses import dataclass

from paas.errors import UserError

OWNER_EMAIL = "owner@localhost"
EMAIL_CHARACTERS_MAX = 254
"""RFC 5321 §4.5.3.1.3: a path is 256, with its brackets."""
NAME_CHARACTERS_MAX = 100
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"/%?#]{1,64}@[a-z0-9.-]+", re.ASCII)


@dataclass(frozen=True)
class Account:
    """`id` is a uuid; `email` is what apps, releases and builds name as their user.

    An operator may do everything with all apps, and has the platform's own matters.
    """

    id: str
    email: str
    name: str
    operator: bool = False


OWNER = Account(
    id="00000000-0000-4000-8000-000000000001", email=OWNER_EMAIL, name="owner", operator=True
)


def check_email(text: str) -> str:
    """The address as it is kept, in lower case. Raises UserError for what can't be one."""
    email = text.strip().lower()
    if not _EMAIL.fullmatch(email) or len(email) > EMAIL_CHARACTERS_MAX or not email.isascii():
        raise UserError("invalid_params", f"{text[:80]!r} is not an e-mail address.")
    return email


def check_name(text: str) -> str:
    """Raises UserError for one that a terminal could not show."""
    name = text.strip()
    if not name.isprintable() or len(name) > NAME_CHARACTERS_MAX:
        most = f"A name is one line of at most {NAME_CHARACTERS_MAX} characters."
        raise UserError("invalid_params", most)
    return name
