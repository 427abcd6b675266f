"""Which packages of the distribution an app asks for, and what a tree that has them is known by."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from buildpacks import aptfile
from buildpacks.tree import Tree
from paas.node.client import Manifest


@dataclass(frozen=True)
class Wanted:
    """`key` stands for the file and the stack that its packages are added to; empty without one."""

    packages: Sequence[str] = ()
    urls: Sequence[str] = ()
    present: Sequence[str] = ()
    key: str = ""

    @property
    def environment(self) -> Mapping[str, str]:
        return aptfile.environment(f"{platform.machine()}-linux-gnu") if self.key else {}


def wanted(own: Tree, whole: Tree, stack: Manifest) -> Wanted:
    """Of the Aptfile in the app's folder, or else in the repository's root. Raises Refused."""
    found = aptfile.read(own) or aptfile.read(whole)
    if found is None:
        return Wanted()
    said = json.dumps([sorted(found.packages), sorted(found.urls), stack["uuid"]])
    present = str(stack.get("description", "")).partition(": ")[2].split()
    return Wanted(found.packages, found.urls, present, hashlib.sha256(said.encode()).hexdigest())
