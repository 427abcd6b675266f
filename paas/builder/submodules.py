"""Folders of a commit whose files are in other repositories, which are not asked for them."""

from collections.abc import Iterable
from shlex import quote

from buildpacks import output
from gitserver.trees import Entry

_NAMED_MAX = 5


def note(entries: Iterable[Entry]) -> str:
    """What the developer is told; nothing where there are none.

    A repository that was added inside of another by mistake is one of them too.
    """
    paths = [e.path.decode("utf-8", "replace") for e in entries if e.is_submodule]
    if not paths:
        return ""
    names = ", ".join(paths[:_NAMED_MAX])
    more = f" and {len(paths) - _NAMED_MAX} more" if len(paths) > _NAMED_MAX else ""
    first = quote(paths[0])
    return output.detail(
        f"Note: git submodules are not fetched, their folders are absent: {names}{more}\n"
        "To have the files in the app, commit them in the submodule's place:\n"
        f"    git rm --cached {first} && rm -rf {first}/.git && git add {first}"
    )
