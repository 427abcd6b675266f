"""Folders of the host that a machine is to see (`filesystems`, type lofs): what the host must have.

The operator names them; none may lead into what a tenant can write. So none is or has above it a
link, and none lies inside a folder that some machine may write to: what is inside is the tenant's,
who could put a link to any place of the host there.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from paas.node.errors import NodeError
from paas.node.machines.host import Host

Properties = Mapping[str, Any]


def check(host: Host, properties: Properties, others: Iterable[Properties] = ()) -> None:
    """Blocks. Raises NodeError `InvalidPayload` that names the folder and what is wrong with it.

    `others` are all machines' properties, this one's earlier ones may be among them.
    """
    for item in properties["filesystems"]:
        source = Path(item["source"])
        refusal = _refusal(host, source) or _nested(item, [properties, *others])
        if refusal:
            raise NodeError("InvalidPayload", f"filesystems: {source} {refusal}")


def _refusal(host: Host, source: Path) -> str:
    try:
        folder = source.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        return f"can't be used: {getattr(error, 'strerror', None) or error}"
    if folder != source:
        return f"is or goes through a link: say {folder}"
    if not folder.is_dir():
        return "is no folder: lofs shows folders alone"
    own = (host.pool.root, host.settings.state, host.settings.run, Path("/proc"), Path("/sys"))
    if any(_overlap(folder, place.resolve()) for place in own):
        return "holds or is part of what the node itself works with: choose another folder"
    return ""


def _nested(item: Mapping[str, Any], machines: Iterable[Properties]) -> str:
    source = Path(item["source"])
    for other in (other for machine in machines for other in machine["filesystems"]):
        place = Path(other["source"])
        inside, around = source.is_relative_to(place), place.is_relative_to(source)
        if source != place and ((inside and _writable(other)) or (around and _writable(item))):
            return f"and {place} lie in each other, and the outer one is not `ro`: choose another"
    return ""


def _writable(item: Mapping[str, Any]) -> bool:
    return "ro" not in item.get("options", [])


def _overlap(one: Path, other: Path) -> bool:
    return one.is_relative_to(other) or other.is_relative_to(one)
