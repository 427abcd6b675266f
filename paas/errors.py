"""The two kinds of failure: what the user can change, and what is ours.

    UserError(id, message, hint, exit_code)   → said to the user as it stands
    └─ NotFound                               → the same, for a thing that does not exist
    PlatformError(message)                    → logged; the user sees that the platform failed

Every layer raises one of these; only the edges (API, command line, git) turn them into bytes.
"""


class UserError(Exception):
    """Something the user asked for can't be done, and the user can change that.

    `id` is a stable word in snake case (Heroku's error ids where one fits: `not_found`,
    `invalid_params`, `forbidden`, `unauthorized`, `conflict`), `message` says what was wrong and
    where, `hint` says what to do. `exit_code` is for the command line.
    """

    def __init__(self, id: str, message: str, hint: str = "", exit_code: int = 1) -> None:
        super().__init__(message)
        self.id = id
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class NotFound(UserError):
    """The thing that was named does not exist."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__("not_found", message, hint)


class PlatformError(Exception):
    """The platform itself failed; the message is for the operator's log."""
