"""Whether the command that app.json has for after an app's first release was run."""

from enum import StrEnum


class State(StrEnum):
    NONE = ""
    """There was no such command when the app was first released."""
    DUE = "due"
    """It runs after the next release that succeeds, and is due until it has ended well."""
    DONE = "done"
