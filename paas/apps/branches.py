"""Which branch of an app's repository is deployed: `main` and `master`, or the one that was set."""

import re

from paas.errors import UserError

PREFIX = "refs/heads/"
USUAL = (f"{PREFIX}main", f"{PREFIX}master")
_CHARACTERS_MAX = 200
_PART = r"[^\x00-\x20\x7f~^:?*\[\\/.](?:[^\x00-\x20\x7f~^:?*\[\\/]*[^\x00-\x20\x7f~^:?*\[\\/.])?"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")


def check(text: str) -> str:
    """`refs/heads/release` → `release`; nothing means the usual ones again. Raises UserError for
    what git would not have as a branch (git-check-ref-format(1))."""
    name = text.strip().removeprefix(PREFIX)
    if not name:
        return ""
    bad = ".." in name or "@{" in name or name == "@" or name.startswith("-") or name == "HEAD"
    bad = bad or any(part.endswith(".lock") for part in name.split("/"))
    if bad or len(name) > _CHARACTERS_MAX or not name.isprintable() or not _NAME.fullmatch(name):
        raise UserError(
            "invalid_params",
            f"{text[:80]!r} can't name a branch.",
            "Name one as git does, e.g. release, or - for main and master.",
        )
    return name


def deployed(setting: str) -> tuple[str, ...]:
    """The full names of the branches that are deployed, the one that a clone begins with first."""
    return (PREFIX + setting,) if setting else USUAL


def spoken(setting: str) -> str:
    return f"{setting} is" if setting else "main and master are"
