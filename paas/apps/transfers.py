"""Handing an app to another account: what is asked for, and what becomes of it. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from paas.errors import UserError


class State(StrEnum):
    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True)
class Transfer:
    """`recipient` may have no account yet; `owner` is whose the app was."""

    id: str
    app_id: str
    owner: str
    recipient: str
    state: State
    created_at: datetime
    updated_at: datetime


def check_answer(text: str | None) -> State:
    """Raises UserError for what is no answer to a pending transfer."""
    if text not in (State.ACCEPTED, State.DECLINED):
        raise UserError("invalid_params", "`state` is `accepted` or `declined`.")
    return State(text)


def check_recipient(owner: str, recipient: str, app: str) -> str:
    """Raises UserError where there is nothing to hand over."""
    if recipient == owner:
        raise UserError("conflict", f"{recipient} owns {app} already.")
    return recipient
