"""Where SmartOS's clients look: made for each machine, true at every start, others' left alone."""

import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from paas.host import uninstall
from paas.node.upkeep.smartos_paths import SmartosPaths, zone_file
from paas.settings import SMARTOS_COMMANDS, Settings

SETTINGS, OTHER = Settings(installation="mine"), Settings(installation="mine-too")
VM: dict[str, Any] = {"uuid": "u1", "zonepath": "/zones/u1", "brand": "lx", "alias": "web"}


def left(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_files_follow_the_machines(tmp_path: Path) -> None:
    paths = SmartosPaths(SETTINGS, tmp_path)
    paths.prepare([VM], wanted=True)
    assert left(tmp_path) == sorted([*SMARTOS_COMMANDS, "u1.xml"])
    hidden = {**VM, "do_not_inventory": True}
    paths.changed(VM, hidden)
    text = (tmp_path / "etc/zones/u1.xml").read_text()
    # What node-vmadm looks for, letter by letter.
    assert '<attr name="do-not-inventory" type="string" value="true"/>' in text
    paths.changed(hidden, None)
    assert "u1.xml" not in left(tmp_path)


def test_a_start_makes_good_and_leaves_others_alone(tmp_path: Path) -> None:
    SmartosPaths(OTHER, tmp_path).prepare([{**VM, "uuid": "other"}], wanted=True)
    (tmp_path / "etc/zones/foreign.xml").write_text("<zone/>")
    paths = SmartosPaths(SETTINGS, tmp_path)
    paths.prepare([VM, {**VM, "uuid": "u2"}], wanted=True)
    assert OTHER.mark in (tmp_path / "usr/sbin/vmadm").read_text()
    paths.prepare([{**VM, "uuid": "u2"}], wanted=True)
    assert left(tmp_path / "etc") == ["foreign.xml", "other.xml", "u2.xml"]
    paths.prepare([VM], wanted=False)
    assert left(tmp_path / "etc") == ["foreign.xml", "other.xml"]
    steps = list(uninstall._smartos_paths(OTHER, tmp_path))
    assert len(steps) == 1 + len(SMARTOS_COMMANDS) and left(tmp_path) == ["foreign.xml"]


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "usr/sbin").mkdir(parents=True)
    (tmp_path / "usr/sbin/vmadm").symlink_to(tmp_path / "elsewhere")
    SmartosPaths(SETTINGS, tmp_path).prepare([], wanted=True)
    assert not (tmp_path / "elsewhere").exists()


def test_the_command_drives_its_own_installation(tmp_path: Path) -> None:
    SmartosPaths(SETTINGS, tmp_path).prepare([], wanted=True)
    command = tmp_path / "usr/sbin/vmadm"
    done = subprocess.run([command, "list"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "no node answers on /run/mine/node.sock" in done.stderr


@given(st.text(), st.text())
def test_any_alias_is_xml(alias: str, owner: str) -> None:
    owner = "".join(letter for letter in owner if letter.isprintable())
    text = zone_file({**VM, "alias": alias, "owner_uuid": owner}, SETTINGS.mark)
    zone = ElementTree.fromstring(text)
    found = {item.get("name"): item.get("value") for item in zone}
    assert found.get("owner-uuid", "") == owner
