"""Installations: the dependencies of a lock file alone, for all apps of the account that made them.

An app whose own tree can't be used starts from one with the same key: the second app of a kind, and
the first push after its tree was lost. They are images beside the trunks; the newest of each
account are kept.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from buildpacks.plan import ManagerVersion, Plan
from paas.builder.nodejs.tools import TOOLS
from paas.node import words
from paas.node.client import Manifest

ROLE = "installation"
KEPT = 8
"""Of each account. Most share what is in them with a trunk or an app's image, and take no room."""


@dataclass(frozen=True)
class Kind:
    """What an installation is good for. The runtime's major is in the key."""

    account: str
    lock_key: str
    stack: str
    manager: ManagerVersion

    @property
    def tags(self) -> dict[str, str]:
        return {
            words.ROLE: ROLE,
            words.ACCOUNT: self.account,
            words.LOCK_KEY: self.lock_key,
            words.STACK: self.stack,
            **{tool.tag: "" for tool in TOOLS.values()},
            TOOLS[self.manager.name].tag: self.manager.checked,
        }


def kind(account: str, plan: Plan, stack: str) -> Kind | None:
    """None where no other build may use what this plan installs."""
    if not plan.is_shareable:
        return None
    return Kind(account, plan.dependencies_key, stack, plan.manager)


def find(installed: Sequence[Manifest], wanted: Kind) -> Manifest | None:
    """The newest one of a kind."""
    found = (image for image in installed if wanted.tags.items() <= image.get("tags", {}).items())
    return max(found, key=lambda image: str(image["published_at"]), default=None)


def manifest(uuid: str, build_id: str, made: Kind) -> Manifest:
    """The manifest (IMGAPI v2) of one."""
    ran = {words.SCRIPTS: "ran", words.REPEATED_SCRIPTS: "", words.BUILD: build_id}
    return {
        "uuid": uuid,
        "name": ROLE,
        "version": made.lock_key[-12:],
        "owner": uuid,
        "tags": {**made.tags, **ran},
    }


def superfluous(installed: Sequence[Manifest], *, accounts: Collection[str]) -> set[str]:
    """The uuids of those that are not kept. `accounts` have apps."""
    of_account: dict[str, list[Manifest]] = defaultdict(list)
    for image in installed:
        if image.get("tags", {}).get(words.ROLE) == ROLE:
            of_account[image["tags"][words.ACCOUNT]].append(image)
    gone: set[str] = set()
    for account, found in of_account.items():
        newest = sorted(found, key=lambda image: str(image["published_at"]), reverse=True)
        gone |= {image["uuid"] for image in newest[KEPT if account in accounts else 0 :]}
    return gone
