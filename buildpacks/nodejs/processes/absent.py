"""A tree without package.json: what it is instead, and what its owner can do."""

import posixpath

from buildpacks import containers, foreign
from buildpacks.findings import Refused, refuse
from buildpacks.tree import Tree

_SHOWN_MAX = 12
_FOLDERS_MAX = 100


def check(tree: Tree, folder: str = "") -> None:
    """Raises Refused when there is none; `folder` is where in the repository the tree is."""
    names = tree.names()
    if "package.json" in names:
        return
    if not names and not folder:
        raise refuse(
            "no_package_json",
            "the commit has no files",
            "git add --all && git commit -m 'The app', in the app's folder. What .gitignore names "
            "is left out: git status --ignored",
        )
    message = f"no package.json in {folder or 'the root of the repository'}"
    found = foreign.language(names)
    inside = _inside(tree, names)
    has_scripts = any(name.endswith((".js", ".mjs", ".cjs", ".ts")) for name in names)
    if found and not inside and not has_scripts:
        raise _foreign(*found, message)
    described = containers.named(names)
    if described and not inside and not has_scripts:
        message = (
            f"{message}. {', '.join(described)} {'does' if len(described) == 1 else 'do'} nothing "
            "here: apps are built from their package.json, not as containers"
        )
        raise refuse("only_nodejs", message, containers.hint(tree, described))
    if described:
        does = "does" if len(described) == 1 else "do"
        message = f"{message} ({', '.join(described)} {does} nothing here)"
    listed = ", ".join(names[:_SHOWN_MAX]) + (", …" if len(names) > _SHOWN_MAX else "")
    message = f"{message}, which holds: {listed}" if names else message
    raise refuse("no_package_json", message, _hint(inside and posixpath.join(folder, inside)))


def _inside(tree: Tree, names: list[str]) -> str:
    """The first folder that has one."""
    folders = [name.rstrip("/") for name in names if name.endswith("/")][:_FOLDERS_MAX]
    return next((folder for folder in folders if "package.json" in tree.names(folder)), "")


def _foreign(language: str, sign: str, missing: str) -> Refused:
    return refuse(
        "only_nodejs",
        f"this is {language} (there is {sign}, and {missing}): only Node.js apps are built here "
        "without a buildpack of others",
        "A buildpack of Heroku's classic interface has to build it: paas buildpacks:set "
        "https://… (or ./folder). If there is a Node.js app in it as well, its "
        "package.json and lock file belong into the root: npm init -y",
    )


def _hint(inside: str) -> str:
    if inside:
        return (
            f"There is one in {inside}/. To deploy that folder, say so and push again: "
            f"paas apps:set --root {inside}"
        )
    return "npm init -y && git add package.json && git commit -m 'Say what the app needs'"
