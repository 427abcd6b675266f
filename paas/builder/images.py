"""The images around a build: what it starts from, and the manifests it makes.

Every image of an app carries its id and the build's (`smartplatform:app`, `smartplatform:build`),
so that after a crash those that nobody claims can be told and deleted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from buildpacks.plan import ManagerVersion
from paas.builder.nodejs.tools import TOOLS
from paas.errors import PlatformError
from paas.node import words
from paas.node.client import Manifest

_UNKNOWN = "*"


@dataclass(frozen=True)
class Bases:
    """Uuids of the images that the node brings along."""

    base: str
    build_stack: str
    run_stack: str


def bases(images: Sequence[Manifest]) -> Bases:
    """The newest of each kind. Raises PlatformError when the node has not made them."""
    return Bases(
        _newest(images, "base"),
        _newest(images, "stack", {words.VARIANT: "build"}),
        _newest(images, "stack", {words.VARIANT: "run"}),
    )


@dataclass(frozen=True)
class Trunk:
    """An app's newest built tree: of which commit, installed for which key, on which stack.
    Without a commit it is another build's installation (`installations`).

    `scripts_ran`: scripts have been at work in it, so that it may differ from the commit.
    `repeated`: the dependencies whose install scripts have to run again; None: not known.
    `rehearsed`: it has a compile cache for its `runtime`.
    `managers` are the package managers beside the runtime's own, name →
    version, with the checksum that it was compared with.
    """

    uuid: str
    commit: str | None
    lock_key: str
    scripts_ran: bool
    repeated: tuple[str, ...] | None
    stack: str
    runtime: str
    rehearsed: bool
    managers: Mapping[str, str]
    ignored: str = ""
    apt: str = ""
    buildpacks: str = ""


def trunk(images: Sequence[Manifest], uuid: str) -> Trunk | None:
    """None when the image is not there: the next build is like the first."""
    for image in images:
        tags = image.get("tags", {})
        if image["uuid"] == uuid and tags.get(words.ROLE) == "trunk":
            return trunk_of(image)
    return None


def trunk_of(image: Manifest) -> Trunk:
    tags = image["tags"]
    names = tags.get(words.REPEATED_SCRIPTS, _UNKNOWN)
    return Trunk(
        uuid=image["uuid"],
        commit=tags.get(words.COMMIT),
        lock_key=tags[words.LOCK_KEY],
        scripts_ran=tags[words.SCRIPTS] == "ran",
        repeated=None if names == _UNKNOWN else tuple(names.split()),
        stack=tags[words.STACK],
        runtime=tags.get(words.RUNTIME, ""),
        rehearsed=tags.get(words.REHEARSED) == "yes",
        managers={name: tags[tool.tag] for name, tool in TOOLS.items() if tags.get(tool.tag)},
        ignored=tags.get(words.IGNORED, ""),
        apt=tags.get(words.APT, ""),
        buildpacks=tags.get(words.BUILDPACKS, ""),
    )


@dataclass(frozen=True)
class Tree:
    """What a trunk's or an app image's tree is, whatever commit it is of.

    `runtimes` are images by their places, `scripts_ran`, `repeated` and `rehearsed` as a Trunk has
    them; `pruned`: without dev dependencies; `ignored` stands for what of the commit is left out,
    `apt` for the packages of the distribution that are in it, `buildpacks` for other people's
    buildpacks that have been at work in it.
    """

    role: str
    app_id: str
    stack: str
    runtimes: Mapping[str, str]
    lock_key: str
    scripts_ran: bool
    repeated: tuple[str, ...] | None
    pruned: bool
    rehearsed: bool
    manager: ManagerVersion
    ignored: str = ""
    apt: str = ""
    buildpacks: str = ""

    @property
    def tags(self) -> dict[str, str]:
        return {
            words.ROLE: self.role,
            words.APP: self.app_id,
            words.LOCK_KEY: self.lock_key,
            words.SCRIPTS: "ran" if self.scripts_ran else "none",
            words.REPEATED_SCRIPTS: _UNKNOWN if self.repeated is None else " ".join(self.repeated),
            words.PRUNED: "yes" if self.pruned else "no",
            words.REHEARSED: "yes" if self.rehearsed else "no",
            words.IGNORED: self.ignored,
            words.APT: self.apt,
            words.BUILDPACKS: self.buildpacks,
            words.STACK: self.stack,
            **{words.RUNTIMES[place]: uuid for place, uuid in self.runtimes.items()},
            **{tool.tag: "" for tool in TOOLS.values()},
            TOOLS[self.manager.name].tag: self.manager.checked,
        }


def manifest(*, uuid: str, app_name: str, build_id: str, commit: str, tree: Tree) -> Manifest:
    """The manifest (IMGAPI v2) of a trunk or an app's image."""
    return {
        "uuid": uuid,
        "name": app_name,
        "version": commit[:12],
        "owner": tree.app_id,
        "tags": {**tree.tags, words.BUILD: build_id, words.COMMIT: commit},
    }


def commit_of(images: Sequence[Manifest], uuid: str | None, tree: Tree) -> str | None:
    """The commit of the image, if it is there and has such a tree."""
    for image in images:
        if image["uuid"] == uuid:
            tags: dict[str, str] = image.get("tags", {})
            return tags.get(words.COMMIT) if tree.tags.items() <= tags.items() else None
    return None


def _newest(images: Sequence[Manifest], role: str, tags: dict[str, str] | None = None) -> str:
    wanted = {words.ROLE: role, **(tags or {})}
    found = [image for image in images if wanted.items() <= image.get("tags", {}).items()]
    if not found:
        raise PlatformError(f"the node has no image of the role {role} {tags or ''}".rstrip())
    return str(max(found, key=lambda image: str(image["published_at"]))["uuid"])
