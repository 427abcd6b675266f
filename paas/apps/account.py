"""An account: who asks. The owner of the installation is the one account there is."""

from dataclasses import dataclass

OWNER_EMAIL = "owner@localhost"


@dataclass(frozen=True)
class Account:
    """`id` is a uuid; `email` is what apps, releases and builds name as their user."""

    id: str
    email: str
    name: str


OWNER = Account(id="00000000-0000-4000-8000-000000000001", email=OWNER_EMAIL, name="owner")
