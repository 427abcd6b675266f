"""The folder of the repository that an app is in: is it there, and what is there instead?"""

import difflib

from buildpacks.findings import refuse
from buildpacks.tree import Tree, below

_DEPTH_MAX = 4
_VISITED_MAX = 2000
_SHOWN_MAX = 12
_SKIPPED = ("node_modules/",)


def check(tree: Tree, folder: str) -> None:
    """Raises Refused for a folder that the tree does not have."""
    if not folder or tree.names(folder):
        return
    candidates = with_package(tree)
    above = folder.rpartition("/")[0]
    beside = [f"{above}/{name}".strip("/") for name in below(tree, above).names()]
    folders = candidates or [name for name in beside if name.endswith("/")]
    listed = ", ".join(name.rstrip("/") for name in folders[:_SHOWN_MAX])
    more = len(folders) - _SHOWN_MAX
    listed += f" and {more} more" if more > 0 else ""
    what = "Folders with a package.json" if candidates else "Folders"
    message = f"the app's root is {folder}, and the commit has no such folder"
    message += f". {what}: {listed}" if listed else ""
    meant = difflib.get_close_matches(folder, candidates, n=1, cutoff=0.4)
    example = meant[0] if meant else (candidates[0] if candidates else "/")
    raise refuse(
        "root_missing", message, f"Name another and push again: paas apps:set --root {example}"
    )


def with_package(tree: Tree) -> list[str]:
    """The folders that have a package.json, nearer ones first; the root is not among them."""
    found, waiting = list[str](), [("", 0)]
    for folder, depth in waiting:
        names = tree.names(folder)
        if folder and "package.json" in names:
            found.append(folder)
        if depth < _DEPTH_MAX and len(waiting) < _VISITED_MAX:
            inner = [n for n in names if n.endswith("/") and n not in _SKIPPED and n[0] != "."]
            waiting += [(f"{folder}/{name}".strip("/"), depth + 1) for name in inner]
    return found
