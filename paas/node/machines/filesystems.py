"""Folders of the host that a machine is to see (`filesystems`, type lofs): what the host must have.

The operator names them; none may lead into what a tenant can write.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from paas.node.errors import NodeError
from paas.node.machines.host import Host


def check(host: Host, properties: Mapping[str, Any]) -> None:
    """Blocks. Raises NodeError `InvalidPayload` that names the folder and what is wrong with it."""
    for item in properties["filesystems"]:
        refusal = _refusal(host, item["source"])
        if refusal:
            raise NodeError("InvalidPayload", f"filesystems: {item['source']} {refusal}")


def _refusal(host: Host, source: str) -> str:
    try:
        folder = Path(source).resolve(strict=True)
    except (OSError, RuntimeError) as error:
        return f"can't be used: {getattr(error, 'strerror', None) or error}"
    if not folder.is_dir():
        return "is no folder: lofs shows folders alone"
    own = (host.pool.root, host.settings.state, host.settings.run, Path("/proc"), Path("/sys"))
    if folder == Path("/") or any(
        folder.is_relative_to(place.resolve()) or place.resolve().is_relative_to(folder)
        for place in own
    ):
        return "holds or is part of what the node itself works with: choose another folder"
    return ""
