"""A tree without package.json: what it is instead, and what its owner can do."""

from buildpacks import foreign
from buildpacks.findings import Refused, refuse
from buildpacks.tree import Tree

_SHOWN_MAX = 12
_FOLDERS_MAX = 100
_MESSAGE = "no package.json in the root of the repository"


def check(tree: Tree) -> None:
    """Raises Refused when there is none."""
    names = tree.names()
    if "package.json" in names:
        return
    found = foreign.language(names)
    inside = _inside(tree, names)
    has_scripts = any(name.endswith((".js", ".mjs", ".cjs", ".ts")) for name in names)
    if found and not inside and not has_scripts:
        raise _foreign(*found)
    listed = ", ".join(names[:_SHOWN_MAX]) + (", …" if len(names) > _SHOWN_MAX else "")
    message = f"{_MESSAGE}, which holds: {listed}" if names else _MESSAGE
    raise refuse("no_package_json", message, _hint(inside))


def _inside(tree: Tree, names: list[str]) -> str:
    """The first folder that has one."""
    folders = [name.rstrip("/") for name in names if name.endswith("/")][:_FOLDERS_MAX]
    return next((folder for folder in folders if "package.json" in tree.names(folder)), "")


def _foreign(language: str, sign: str) -> Refused:
    return refuse(
        "only_nodejs",
        f"this is {language} (there is {sign}, and {_MESSAGE}): "
        "only Node.js apps can be built here",
        "Nothing in the push has to be mended. If there is a Node.js app in it as well, its "
        "package.json and lock file belong into the root: npm init -y",
    )


def _hint(inside: str) -> str:
    if inside:
        return (
            f"There is one in {inside}/: push that folder as the root, e.g. "
            f"git subtree push --prefix {inside} paas main"
        )
    return "Run npm init in the root of the repository, then commit package.json."
