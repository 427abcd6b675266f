"""Where SmartOS's own clients look (setting `smartos_paths`): commands in /usr/sbin, and a file for
each machine, `/etc/zones/<uuid>.xml`, by which they know that it is there.

Each file names the installation that made it; those of others are left alone. What is written
follows from the machines, so that a start makes good whatever is missing or too much.
"""

import base64
import logging
import shlex
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from paas.settings import SMARTOS_COMMANDS, Settings
from paas.system.files import write_by_rename

log = logging.getLogger(__name__)
_DOCTYPE = (
    '<!DOCTYPE zone PUBLIC "-//Sun Microsystems Inc//DTD Zones//EN"'
    ' "file:///usr/share/lib/xml/dtd/zonecfg.dtd.1">'
)


class SmartosPaths:
    """Below `root`, for tests. Nothing here fails the node: what can't be written is logged."""

    def __init__(self, settings: Settings, root: Path = Path("/")) -> None:
        self._settings = settings
        self._commands = root / "usr/sbin"
        self._zones = root / "etc/zones"

    def prepare(self, vms: Sequence[Mapping[str, Any]], *, wanted: bool) -> None:
        """Commands, a file for each machine, and none for any other; none where not `wanted`.

        Blocks.
        """
        keep = {f"{vm['uuid']}.xml" for vm in vms} | set(SMARTOS_COMMANDS) if wanted else set()
        if wanted:
            for name in SMARTOS_COMMANDS:
                self._write(self._commands / name, self._command(name), 0o755)
            for vm in vms:
                self.changed(None, vm)
        commands = (self._commands / name for name in SMARTOS_COMMANDS)
        for path in (*commands, *self._zones.glob("*.xml")):
            if path.name not in keep and self._is_ours(path):
                with suppress(OSError):
                    path.unlink()

    def changed(self, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> None:
        """A machine appeared, is another one now, or went."""
        if new is None:
            path = self._zones / f"{(old or {}).get('uuid')}.xml"
            if self._is_ours(path):
                with suppress(OSError):
                    path.unlink()
            return
        text = zone_file(new, self._settings.mark)
        if old is None or text != zone_file(old, self._settings.mark):
            self._write(self._zones / f"{new['uuid']}.xml", text, 0o644)

    def _write(self, path: Path, text: str, mode: int) -> None:
        try:
            if path.is_symlink() or (path.exists() and not self._is_ours(path)):
                log.error("%s is somebody else's, and is left as it is", path)
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            write_by_rename(path, text, mode=mode)
        except OSError as error:
            log.error("%s can't be written: %s", path, error)

    def _is_ours(self, path: Path) -> bool:
        try:
            return self._settings.mark in path.read_text(errors="replace")
        except OSError:
            return False

    def _command(self, name: str) -> str:
        program = Path(sys.executable).with_name(name)
        installation = shlex.quote(self._settings.installation)
        return (
            f"#!/bin/sh\n# {self._settings.mark}\n"
            f'PAAS_INSTALLATION={installation} exec {shlex.quote(str(program))} "$@"\n'
        )


def zone_file(vm: Mapping[str, Any], mark: str) -> str:
    """As zonecfg(8) writes it, of what SmartOS's clients read in it. Pure."""
    attributes = {
        "vm-version": ("string", "1"),
        "create-timestamp": ("string", vm.get("create_timestamp", "")),
        "owner-uuid": ("string", vm.get("owner_uuid", "")),
        "billing-id": ("string", vm.get("billing_id", "")),
        "do-not-inventory": ("string", "true" if vm.get("do_not_inventory") else ""),
        "alias": ("string", base64.b64encode(str(vm.get("alias", "")).encode()).decode()),
    }
    lines = [
        f"  <attr name={quoteattr(name)} type={quoteattr(kind)} value={quoteattr(str(value))}/>"
        for name, (kind, value) in attributes.items()
        if value
    ]
    head = " ".join(
        f"{name}={quoteattr(str(value))}"
        for name, value in {
            "name": vm["uuid"],
            "zonepath": vm.get("zonepath", ""),
            "autoboot": "false",
            "brand": vm.get("brand", ""),
        }.items()
    )
    parts = ['<?xml version="1.0"?>', _DOCTYPE, f"<!-- {mark} -->", f"<zone {head}>", *lines]
    return "\n".join([*parts, "</zone>", ""])
