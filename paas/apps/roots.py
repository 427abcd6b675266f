"""The folder of a repository that an app is in: a setting of the app, or a config var. Pure."""

import re
from collections.abc import Mapping

from paas.errors import UserError

VARIABLE = "PROJECT_PATH"
"""What users of Heroku's buildpacks for sub-folders have; the app's own setting goes before it."""
_CHARACTERS_MAX = 200
_FOLDER = re.compile(r"[\w@+-][\w@+.-]*(?:/[\w@+-][\w@+.-]*)*", re.ASCII)


def check(text: str) -> str:
    """`./services/api/` → `services/api`; `/` and `.` are the root itself: nothing. Raises
    UserError for what names no folder of a repository."""
    folder = text.strip().removeprefix("./").strip("/")
    if folder in ("", "."):
        return ""
    if len(folder) > _CHARACTERS_MAX or not _FOLDER.fullmatch(folder):
        raise UserError(
            "invalid_params",
            f"{text[:80]!r} can't be the root of an app.",
            "Name a folder of the repository from its top, e.g. services/api, or / for all of it.",
        )
    return folder


def of(setting: str, config: Mapping[str, str]) -> str:
    """The folder that counts. Raises UserError for a config var that names none."""
    if setting or not config.get(VARIABLE):
        return setting
    try:
        return check(config[VARIABLE])
    except UserError as error:
        hint = f"paas config:unset {VARIABLE}, or set it to a folder such as services/api"
        raise UserError(
            error.id, f"The config var {VARIABLE} is no folder of the repository.", hint
        ) from error
