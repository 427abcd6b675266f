"""The two kinds of failure: what the user can change, and what is ours.

    UserError(id, message, hint, exit_code)   → said to the user as it stands
    └─ NotFound                               → the same, for a thing that does not exist
    PlatformError(message)                    → logged; the user sees that the platform failed

Every layer raises one of these; only the edges (API, command line, git) turn them into bytes.
"""

EXIT_CODES = {
    "usage": 2,
    "not_found": 3,
    "unauthorized": 4,
    "forbidden": 4,
    "platform_unavailable": 5,
}
"""Of a command that fails with a UserError of this id; of any other it is 1, unless the error says
otherwise. Scripts depend on them; `paas help` says what they mean."""


class UserError(Exception):
    """Something the user asked for can't be done, and the user can change that.

    `id` is a stable word in snake case (Heroku's error ids where one fits: `not_found`,
    `invalid_params`, `forbidden`, `unauthorized`, `conflict`), `message` says what was wrong and
    where, `hint` says what to do. `exit_code` is for where the id says too little.
    """

    def __init__(self, id: str, message: str, hint: str = "", exit_code: int | None = None) -> None:
        super().__init__(message)
        self.id = id
        self.message = message
        self.hint = hint
        self.exit_code = EXIT_CODES.get(id, 1) if exit_code is None else exit_code


class NotFound(UserError):
    """The thing that was named does not exist."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__("not_found", message, hint)


class PlatformError(Exception):
    """The platform itself failed; the message is for the operator's log."""
