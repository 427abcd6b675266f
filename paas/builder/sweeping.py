"""Deletes what builds have made and nobody needs any more."""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from paas.builder import installations
from paas.node import words
from paas.node.client import Manifest, Node
from paas.node.errors import NodeError

log = logging.getLogger(__name__)


async def delete_trunks(node: Node, images: Sequence[Manifest], app_id: str, keep: str) -> None:
    """Delete the app's trunks but one.

    The last but one goes only with the next build: control may die before it notes the new one.
    """
    for image in images:
        tags = image.get("tags", {})
        if (
            tags.get(words.ROLE) == "trunk"
            and tags.get(words.APP) == app_id
            and image["uuid"] != keep
        ):
            await _delete(node, image["uuid"])


async def discard(node: Node, app_id: str, keep: Collection[str] = ()) -> None:
    """Delete all that builds have made for an app: its machines are gone, or go meanwhile.

    `keep` are images that were promoted to other apps; once those need them no more, they are
    swept like any other.
    """
    for machine in await node.list():
        tags = machine.get("tags", {})
        if tags.get(words.APP) == app_id and words.BUILD in tags:
            await node.delete(machine["uuid"])
    for image in await node.images():
        if image.get("tags", {}).get(words.APP) == app_id and image["uuid"] not in keep:
            await _delete(node, image["uuid"])


async def sweep(node: Node, claimed: Callable[[], Awaitable[set[str]]]) -> list[str]:
    """Delete what builds have left behind that nobody claims; the uuids that are gone.

    `claimed` finds the uuids of the images of releases and trunks, the ids of builds under way, and
    the accounts that have apps.
    It is asked after the node, so that what a build makes meanwhile is never taken for a leftover.
    """
    gone = []
    machines, images = await node.list(), await node.images()
    keep = await claimed()
    superfluous = installations.superfluous(images, accounts=keep)
    for machine in machines:
        build = machine.get("tags", {}).get(words.BUILD)
        if build is not None and build not in keep:
            await node.delete(machine["uuid"])
            gone.append(str(machine["uuid"]))
    for image in images:
        tags = image.get("tags", {})
        made = tags.get(words.ROLE) in ("trunk", "app") and words.BUILD in tags
        unclaimed = made and not {image["uuid"], tags[words.BUILD]} & keep
        unneeded = unclaimed or image["uuid"] in superfluous
        if unneeded and await _delete(node, image["uuid"]):
            gone.append(str(image["uuid"]))
    return gone


async def _delete(node: Node, uuid: str) -> bool:
    """False when a machine still needs it: a later sweep will find it again."""
    try:
        await node.delete_image(uuid)
    except NodeError as error:
        if error.code not in ("ImageInUse", "ImageHasDependentImages"):
            raise
        log.warning("image %s stays: %s", uuid, error.message)
        return False
    return True
