"""A tree of HTML files without package.json: recognised, and planned. Nothing is built."""

import hashlib

from buildpacks.plan import ManagerVersion, Plan, Runtime, Site, Step
from buildpacks.static import named, server
from buildpacks.tree import Tree

FOLDERS = ("", "public", "dist", "docs", "site", "_site", "www", "build", "out", "html")
_APP = ("package.json", "server.js", "Procfile")
_NOTHING = Step("nothing", "", skip="there is none")
_KEY = hashlib.sha256(b"site").hexdigest()


def folder_of(tree: Tree) -> str | None:
    """The first folder that has an index.html."""
    asked = named.folder(tree)
    folders = FOLDERS if asked is None else (asked[0],)
    return next((folder for folder in folders if "index.html" in tree.names(folder)), None)


def detect(tree: Tree) -> bool:
    """HTML files, and nothing that is an app. `package.json` leads to Node.js's buildpack."""
    names = tree.names()
    return folder_of(tree) is not None and not any(name in names for name in _APP)


def plan(tree: Tree, runtime: Runtime, folder: str = "") -> Plan:
    """`runtime` is what instances have mounted, though nothing of it runs; `tree` is what is in
    `folder` of the repository."""
    site = named.applied(tree, Site("HTML", (folder_of(tree) or "",), "index.html"))
    process = server.process(site)
    return Plan(
        manager=ManagerVersion("npm"),
        runtime=runtime,
        prebuild=_NOTHING,
        install=_NOTHING,
        build=_NOTHING,
        prune=_NOTHING,
        cleanup=_NOTHING,
        processes={process.type: process},
        notices=(),
        dependencies_key=_KEY,
        environment={},
        caches=(),
        installs_afresh=False,
        updates=False,
        repeats_scripts=False,
        probe=(),
        has_dependencies=False,
        site=site,
        folder=folder,
    )
