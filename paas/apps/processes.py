"""Process types: the names before the colon in a Procfile."""

import re

from paas.errors import UserError

WEB = "web"
RELEASE_COMMAND = "release"
"""Runs once before a release starts; never an instance."""
PORT = 3000
"""What most apps fall back to without a PORT, so that those which ignore PORT work as well."""
_TYPE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{0,29}")


def check_type(type: str) -> str:
    """The process type itself. Raises UserError when it can't be one."""
    if not isinstance(type, str) or not _TYPE.fullmatch(type):
        raise UserError(
            "invalid_params",
            f"{type!r} can't be a process type",
            "Process types have at most 30 letters, digits, dashes and underscores.",
        )
    return type
