"""docs/vmadm.md and docs/imgadm.md are what the tables say, and those are whole: all of SmartOS's
names are there.
"""

from pathlib import Path
from typing import Any

import pytest

from paas.node.commands import imgadm, imgadm_manual, imgadm_reference, manual, reference
from paas.node.machines import foreign, nested, payload
from paas.node.machines.table import ABSENT, NARROWER, ZONES

PAGE = Path(__file__).parents[4] / "docs" / "vmadm.md"
PLAIN = {"brand": "lx", "image_uuid": "b2b28f82-6f0e-4b37-9c0a-6c3a5b0a2f10"}
COMMANDS = """
boot console create create-snapshot delete delete-snapshot destroy events get halt help info install
json kill list lookup reboot receive recv reprovision rollback-snapshot send start stop sysrq update
validate
"""
PROPERTIES = """
add_disks add_filesystems add_nics add_pci_devices alias archive_on_delete autoboot
bhyve_extra_opts billing_id boot bootrom brand com1 com2 cpu_cap cpu_shares cpu_type create_only
customer_metadata dataset_uuid delegate_dataset disk_driver disks dns_domain do_not_inventory
docker filesystems firewall_enabled flexible_disk_size fs_allowed hostname image_uuid
indestructible_delegated indestructible_zoneroot init_name internal_metadata
internal_metadata_namespaces kernel_version limit_priv maintain_resolvers max_locked_memory
max_lwps max_msg_ids max_physical_memory max_sem_ids max_shm_ids max_shm_memory max_swap
mdata_exec_timeout nic_driver nics nowait owner_uuid package_name package_version pci_devices
qemu_extra_opts qemu_opts quota ram remove_customer_metadata remove_disks remove_filesystems
remove_internal_metadata remove_nics remove_pci_devices remove_routes remove_tags resolvers
restart_init routes set_customer_metadata set_internal_metadata set_routes set_tags spice_opts
spice_password spice_port tags tmpfs update_disks update_filesystems update_nics
update_pci_devices uuid vcpus vga virtio_txburst virtio_txtimer vnc_password vnc_port
zfs_data_compression zfs_data_recsize zfs_filesystem_limit zfs_io_priority zfs_root_compression
zfs_root_recsize zfs_snapshot_limit zfs_storage_pool_name zlog_max_size zone_dataset_uuid
zonename zpool
"""
NICS = """
allow_dhcp_spoofing allow_ip_spoofing allow_mac_spoofing allow_restricted_traffic
allow_unfiltered_promisc allowed_dhcp_cids allowed_ips blocked_outgoing_ports dhcp_server gateway
gateways interface ip ips mac model mtu netmask network_uuid nic_tag primary vlan_id vrrp_primary_ip
vrrp_vrid
"""
DISKS = """
block_size boot compression dangerous_allow_shrink guest_block_size image_name image_size image_uuid
media model nocreate notrim path pci_slot refreservation size uuid zfs_filesystem zpool
"""


VALUES: dict[str, Any] = {
    **{"boolean": True, "integer": 7, "list": ["x"], "string": "gzip", "flat object": {"a": "b"}},
    **{"objects": [{}]},
}


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text() == reference.page(), (
        "run: .venv/bin/python -m paas.node.commands.reference > docs/vmadm.md"
    )


IMGADM = {
    "help": "",
    "sources": "j a add-docker-hub d e c t k f",
    "avail": "j H o s",
    "show": "",
    "import": "q C P S",
    "install": "m f P q",
    "list": "j H o s docker",
    "get": "r P",
    "update": "n",
    "delete": "P",
    "ancestry": "j H o P",
    "vacuum": "n f",
    "create": "m o c i max-origin-depth s p q",
    "publish": "m f q",
}
"""imgadm(8)'s commands and their options, besides -h, -v, -E and --version."""


def test_the_page_of_imgadm_is_what_its_tables_say() -> None:
    assert PAGE.with_name("imgadm.md").read_text() == imgadm_reference.page(), (
        "run: .venv/bin/python -m paas.node.commands.imgadm_reference > docs/imgadm.md"
    )
    assert set(imgadm._RUN) == {command.names[0] for command in imgadm_manual.COMMANDS}
    for command in imgadm_manual.COMMANDS:
        theirs = {option.letter or option.word for option in command.options}
        assert theirs == set(IMGADM[command.names[0]].split())
        rows = (command, *command.options)
        assert all(row.why or row.standing not in (ABSENT, NARROWER) for row in rows)


def test_every_name_of_smartos_is_there() -> None:
    assert set(COMMANDS.split()) == set(manual.BY_NAME)
    assert set(PROPERTIES.split()) == set(payload.TABLE)
    assert set(NICS.split()) == set(nested.NICS)
    assert set(["type", "source", "target", "raw", "options"]) == set(nested.FILESYSTEMS)
    assert set(DISKS.split()) == {row.name for row in foreign.DISKS}


@pytest.mark.parametrize("row", payload.TABLE.values(), ids=lambda row: row.name)
def test_a_row_tells_what_becomes_of_a_value(row) -> None:
    """What is absent says why; of what is built the default is taken as a value."""
    assert row.why or row.standing not in (ABSENT, NARROWER)
    brand = next((brand for brand in ZONES if row.applies_to(brand)), None)
    if row.standing == ABSENT and brand and "C" in row.settable:
        with pytest.raises(payload.BadPayload) as caught:
            payload.create({**PLAIN, "brand": brand, row.name: VALUES[row.kind]})
        assert caught.value.not_built == {row.name: row.why}
    if row.default is not None and "C" in row.settable and brand:
        made, dropped = payload.create({**PLAIN, "brand": brand, row.name: row.default})
        assert (made[row.name], dropped) == (row.default, [])
    if brand is None:
        assert payload.create({**PLAIN, row.name: 1})[1] == [row.name]
