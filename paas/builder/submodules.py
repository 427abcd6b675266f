"""Folders of a commit whose files are in other repositories, which nothing says the address of.

Those of submodules have been fetched before a build begins (`paas.deploys.submodules`).
"""

from collections.abc import Iterable
from shlex import quote

from buildpacks import output
from gitserver.trees import Entry

_NAMED_MAX = 5


def note(entries: Iterable[Entry]) -> str:
    """What the developer is told; nothing where there are none.

    Mostly these are repositories that were added inside of another by mistake; the others are
    submodules that are not wanted (`update = none`).
    """
    paths = [e.path.decode("utf-8", "replace") for e in entries if e.is_submodule]
    if not paths:
        return ""
    names = ", ".join(paths[:_NAMED_MAX])
    more = f" and {len(paths) - _NAMED_MAX} more" if len(paths) > _NAMED_MAX else ""
    first = quote(paths[0])
    return output.detail(
        f"Note: repositories within this one, which .gitmodules has not fetched: {names}{more}\n"
        "Their folders are absent. To have the files in the app, commit them there:\n"
        f"    git rm --cached {first} && rm -rf {first}/.git && git add {first}"
    )
