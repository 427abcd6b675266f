"""Berry's lock file and its settings (.yarnrc.yml): what a build has to know of them."""

import re
from typing import Any

from buildpacks.nodejs import dev_commands, indented, workspaces
from buildpacks.nodejs.manifest import Manifest
from buildpacks.nodejs.package_manager import Lock
from buildpacks.nodejs.yarn import lockfile
from buildpacks.tree import Tree

SETTINGS = ".yarnrc.yml"
_SETTINGS_BYTES_MAX = 256 * 1024
_FORM = re.compile(r"^__metadata:\s*\n\s+version: (?P<form>\d+)", re.MULTILINE)
_WORKSPACE = re.compile(r"^\s+resolution: \"?[^\"\n]*@workspace:(?P<path>[^\"\n]+)", re.MULTILINE)
_CACHE = ".yarn/cache"
_READ = (".yarn/plugins", ".yarn/patches", ".yarn/releases", ".yarn/constraints.pro", _CACHE)
_STATE = (".yarn/install-state.gz", ".yarn/build-state.yml", ".yarn/unplugged")
_PLUG_N_PLAY = (".pnp.cjs", ".pnp.js", ".pnp.loader.mjs", ".pnp.data.json", _CACHE)


def settings(tree: Tree) -> dict[str, Any]:
    content = tree.read(SETTINGS, _SETTINGS_BYTES_MAX) or b""
    return indented.load(content.decode("utf-8", "replace"))


def read(tree: Tree, package: Manifest) -> Lock:
    """Raises Refused when it is missing, or no lock file."""
    found = lockfile.content(tree, package)
    if found is None:
        return Lock()
    said, told = found.decode("utf-8", "replace").replace("\r\n", "\n"), settings(tree)
    folders = sorted({match["path"] for match in _WORKSPACE.finditer(said)} - {"."})
    form = _FORM.search(said)
    plays = str(told.get("nodeLinker") or "pnp") == "pnp"
    keeps = any(name.endswith(".zip") for name in tree.names(_CACHE))
    return Lock(
        path=lockfile.FILE,
        content=found,
        form=form["form"] if form else "",
        has_packages=package.has_dependencies or plays,
        has_dev_dependencies=workspaces.dev_dependencies(tree, package),
        dev_commands={} if plays else dev_commands.guessed(package),
        has_install_scripts=True,
        links={f"./{folder}": folder for folder in folders if tree.names(folder)},
        local=(*lockfile.local(found), *(path for path in _READ if tree.digest(path))),
        names=frozenset({**package.dependencies, **package.dev_dependencies}),
        workspaces=tuple(folders),
        folders=(*_STATE, *(_PLUG_N_PLAY if plays else ())),
        variables=_variables(plays=plays, keeps=keeps),
        keeps_all="Yarn's Plug'n'Play keeps all dependencies together" if plays else "",
    )


def _variables(*, plays: bool, keeps: bool) -> dict[str, str]:
    """Archives stay with the app where it runs from them, or git has them (a zero-install)."""
    in_tree = {"YARN_ENABLE_GLOBAL_CACHE": "false" if plays or keeps else "true"}
    return {**in_tree, **({"YARN_ENABLE_IMMUTABLE_CACHE": "true"} if keeps else {})}
