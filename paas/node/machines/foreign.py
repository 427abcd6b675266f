"""Rows of the table for what no zone takes: properties of virtual machines, and what is read only.

Pure. Of a zone's payload these are dropped with a warning, as SmartOS does.
"""

from paas.node.machines.table import ABSENT, BHYVE, HVM, KVM, NEVER, Property

_WHY = "dropped for zones; there are no virtual machines yet"


def _rows(brands: str, kind: str, names: str) -> list[Property]:
    return [
        Property(name, kind, brands=brands, standing=ABSENT, why=_WHY, effect=NEVER)
        for name in names.split()
    ]


ROWS = (
    *_rows(HVM, "integer", "vcpus vnc_port"),
    *_rows(HVM, "string", "boot disk_driver nic_driver vnc_password"),
    *_rows(HVM, "uuid", "zone_dataset_uuid"),
    *_rows(HVM, "objects", "disks add_disks update_disks"),
    *_rows(HVM, "list", "remove_disks"),
    *_rows(KVM, "string", "cpu_type qemu_opts qemu_extra_opts vga spice_opts spice_password"),
    *_rows(KVM, "integer", "virtio_txburst virtio_txtimer spice_port"),
    *_rows(BHYVE, "string", "bhyve_extra_opts bootrom com1 com2"),
    *_rows(BHYVE, "integer", "flexible_disk_size"),
    *_rows(BHYVE, "objects", "pci_devices add_pci_devices update_pci_devices"),
    *_rows(BHYVE, "list", "remove_pci_devices"),
)
DISKS = (
    *_rows(HVM, "string", "path media model compression zpool zfs_filesystem"),
    *_rows(HVM, "boolean", "boot nocreate"),
    *_rows(HVM, "integer", "block_size image_size refreservation size"),
    *_rows(HVM, "uuid", "image_uuid"),
    *_rows(KVM, "string", "image_name"),
    *_rows(BHYVE, "boolean", "dangerous_allow_shrink notrim"),
    *_rows(BHYVE, "string", "guest_block_size pci_slot"),
    *_rows(BHYVE, "uuid", "uuid"),
)
PCI_DEVICES = tuple(_rows(BHYVE, "string", "path pci_slot"))
SHOWN = """
boot_timestamp create_timestamp exit_status exit_timestamp init_restarts last_modified pid
server_uuid snapshots state type v zfs_filesystem zone_state zoneid zonepath
"""
"""Read only, and shown as SmartOS shows them."""
SHOWN_HERE = """
exit_reason failure listened listening listening_timestamp lwps_hit_timestamp lwps_hits
oom_kill_timestamp oom_kills restarting unreachable
"""
"""Read only, and ours alone."""
NOT_SHOWN = """
datacenter_name datasets free_space headnode_id hvm missing platform_buildstamp transition
transition_expire transition_to
"""
"""Read only there; a machine here has no value of it. Lists and filters take the name."""
